package tablediff

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/diffarchive"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
	"ace/shared/task"
)

// Result is what a comparison returns.
type Result struct {
	Summary  difffile.Summary
	Document task.Document
}

const documentType = "application/json"

// merge computes the verdict from the parts and publishes the document.
func (r *run) merge(ctx context.Context) (Result, error) {
	merged := r.timings.measure(plan.PhaseMerge)
	r.progress.setPhase(plan.PhaseMerge)
	if err := r.checkCompared(); err != nil {
		return Result{}, err
	}
	if err := checkConfirmed(r.compared, r.confirmed); err != nil {
		return Result{}, err
	}

	summary := r.summary()
	key := archive.DiffKey(r.request.TaskID, r.request.SubmittedAt, api.FormatJSON)
	document, err := r.publish(ctx, key, summary)
	if errors.Is(err, archive.ErrPrecondition) {
		summary, document, err = r.adoptDocument(ctx, key)
	}
	if err != nil {
		return Result{}, err
	}

	// The summary in the document precedes the rows, so it cannot contain the time needed to
	// write the rows. The returned summary contains this time.
	merged()
	summary.Timings = r.timings
	return Result{Summary: summary, Document: document}, nil
}

// checkCompared verifies that the parts cover everything in the plan.
func (r *run) checkCompared() error {
	if r.plan.Strategy == plan.Keys {
		return checkKeysCompared(r.keyList, r.compared)
	}
	return checkCoverage(r.plan, r.compared)
}

// checkCoverage verifies that the compare parts cover the whole key space: each part
// begins where the previous one ends, and its key range is that of the plan. Without this
// check, the verdict could be a match although rows differ.
func checkCoverage(p *plan.Plan, parts []plan.Totals) error {
	chunk, chunks := 0, p.Layout.Chunks()
	for i, t := range parts {
		if t.From != chunk || t.To <= t.From || t.To > chunks {
			return fault.New(fault.Internal, "part %d of %d has chunks %d to %d of %d, but the part before it ends at %d: the comparison is incomplete",
				i+1, len(parts), t.From, t.To, chunks, chunk)
		}

		if want := p.Layout.KeyRange(t.From, t.To); !equalBounds(t.Range.Lo, want.Lo) || !equalBounds(t.Range.Hi, want.Hi) {
			return fault.New(fault.Internal, "part %d of %d has %s instead of %s: the comparison is incomplete",
				i+1, len(parts), plan.DescribeRange(t.Range), plan.DescribeRange(want))
		}

		chunk = t.To
	}

	if chunk != chunks {
		return fault.New(fault.Internal, "the parts cover %d of %d chunks: the comparison is incomplete", chunk, chunks)
	}

	return nil
}

// equalBounds reports whether two bounds are the same. An open bound (nil) is different
// from every key, even from an empty one.
func equalBounds(a, b table.Key) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// checkConfirmed verifies that the confirm units have judged every candidate of the
// compare units.
func checkConfirmed(compared, confirmed []plan.Totals) error {
	if len(confirmed) != len(compared) {
		return fault.New(fault.Internal, "%d of %d parts were confirmed: the comparison is incomplete", len(confirmed), len(compared))
	}

	for i, c := range compared {
		judged := confirmed[i].Mismatched + confirmed[i].Resolved + confirmed[i].KeyVariants
		if c.Candidates != judged {
			return fault.New(fault.Internal, "part %d has %d candidates, of which %d were confirmed: the comparison is incomplete",
				i+1, c.Candidates, judged)
		}

		if c.WithoutDigest != confirmed[i].WithoutDigest {
			return fault.New(fault.Internal, "part %d has %d candidates without digests, of which %d were confirmed: the comparison is incomplete",
				i+1, c.WithoutDigest, confirmed[i].WithoutDigest)
		}
	}

	return nil
}

// summary adds up the totals of all parts.
func (r *run) summary() difffile.Summary {
	p, now := r.plan, time.Now()
	s := difffile.Summary{
		TaskID: p.TaskID, ClusterName: p.ClusterName, DBName: p.DBName, Schema: p.Schema, Table: p.Table,
		PrimaryKey: p.Key, Columns: p.Columns, Nodes: p.Nodes, TableFilter: p.Filter, IgnoreColumns: append([]string{}, p.Ignored...), Redact: p.Redaction.Columns,
		BlockRows: p.BlockRows, Blocks: int64(p.Layout.Blocks()), Strategy: p.Strategy, Snapshots: r.snapshots(),
		Workers: p.Workers, Timings: maps.Clone(r.timings), Warnings: append([]string{}, p.Warnings...),
		StartedAt: difffile.Time{Time: r.request.StartedAt}, FinishedAt: difffile.Time{Time: now},
		TimeTaken:      api.Seconds(now.Sub(r.request.StartedAt).Seconds()),
		RowsPerNode:    map[string]int64{},
		ServerVersions: map[string]string{}, Servers: map[string]difffile.Server{},
	}

	for i, node := range p.Nodes {
		s.ServerVersions[node] = p.ServerVersions[i]
		if i < len(p.Servers) {
			s.Servers[node] = diffarchive.ServerOf(p.Servers[i])
		}
	}

	if p.Strategy == plan.Keys {
		s.RerunOf = p.Document.Key
		s.Behavior = p.Behavior
		s.Blocks = int64(r.keyList.Blocks)
	}

	nowhere := int64(0)
	for _, t := range slices.Concat(r.compared, []plan.Totals{r.equal}, r.confirmed) {
		s.TotalRows += t.Keys // negative in a confirm part, which subtracts the key variants that the compare part counted as separate keys
		nowhere += t.OnNoNode
		s.ResolvedRows += t.Resolved
		for i, rows := range t.RowsPerNode {
			s.RowsPerNode[p.Nodes[i]] += rows
		}
	}

	for _, t := range r.confirmed {
		s.MismatchedRows += t.Mismatched
		s.UnsettledRows += t.Unsettled
		s.MismatchedBlocks += int64(t.Blocks)
	}

	if nowhere > 0 {
		s.Warnings = append(s.Warnings, warnAbsentKeys(p.Document.Key, nowhere))
	}

	for i, node := range p.Nodes {
		if p.ReadsWrites(i) && s.MismatchedRows > 0 {
			s.CommitTimes = append(s.CommitTimes, node)
		}
	}

	r.addBaseline(&s)
	r.addPairs(&s)
	r.addOutliers(&s)
	return s
}

// addOutliers adds, for each node, the number of keys whose row on this node is the
// exception (see plan.OutlierTotals). It adds nothing if some part was stored by an
// earlier version, which did not count these keys.
func (r *run) addOutliers(s *difffile.Summary) {
	found := map[string]difffile.Outlier{}
	for _, t := range r.confirmed {
		if t.Outliers == nil && t.Mismatched > 0 {
			return
		}
		for i, o := range t.Outliers {
			if o.Minority > 0 {
				sum := found[r.plan.Nodes[i]]
				found[r.plan.Nodes[i]] = difffile.Outlier{Alone: sum.Alone + o.Alone, Minority: sum.Minority + o.Minority}
			}
		}
	}
	if len(found) > 0 {
		s.Outliers = found
	}
}

// warnAbsentKeys returns a warning about keys that count as resolved although no node has
// a row for them. A document of another tool may write keys in a form that PostgreSQL
// reads as other keys.
func warnAbsentKeys(document string, keys int64) string {
	return fmt.Sprintf("%d of the keys of %s are on no node: their rows were deleted everywhere, or the document writes keys in another form than PostgreSQL", keys, document)
}

// snapshots describes which rows of a node were read in the same snapshot: the rows of
// one batch, or all rows of a pass over the pages.
func (r *run) snapshots() string {
	if (r.plan.ReadsPages() || r.unchangedTable != nil) && !r.multipleSnapshots {
		return "one per node and pass over its pages"
	}
	return "one per node and batch"
}

// addBaseline sets the summary's baseline, how many blocks (in the pages strategy, page
// ranges) are unchanged since the baseline, and how many were compared. It does nothing
// if the comparison is not incremental.
func (r *run) addBaseline(s *difffile.Summary) {
	if r.plan.Known == nil {
		return
	}

	unchanged, all := r.unchangedRanges, s.Blocks
	for _, t := range r.compared {
		unchanged += t.Unchanged
	}

	if r.plan.Strategy == plan.Pages { // page ranges of all nodes
		all = 0
		for _, list := range r.rangeSums {
			all += int64(len(list))
		}
	}

	compared := all - unchanged
	s.Baseline = r.plan.Known.TaskID
	s.BlocksUnchanged = &unchanged
	s.BlocksCompared = &compared
}

func (r *run) addPairs(s *difffile.Summary) {
	for i, pair := range r.plan.Pairs() {
		a, b := r.plan.Nodes[pair.A], r.plan.Nodes[pair.B]
		sum := difffile.PairSummary{
			Nodes: difffile.Pair{a, b}, OnlyOn: map[string]int64{a: 0, b: 0}, Columns: map[string]int64{},
		}

		for _, t := range r.confirmed {
			if t.Pairs == nil {
				continue
			}

			p := t.Pairs[i]
			sum.OnlyOn[a] += p.OnlyA
			sum.OnlyOn[b] += p.OnlyB
			sum.Different += p.Different
			for c, n := range p.Columns {
				if n > 0 {
					sum.Columns[r.plan.Columns[c].Name] += n
				}
			}

			s.DiffRowLimitReached = s.DiffRowLimitReached || p.Limited
		}

		if sum.OnlyOn[a]+sum.OnlyOn[b]+sum.Different > r.plan.MaxDiffRows {
			s.DiffRowLimitReached = true
		}

		s.Pairs = append(s.Pairs, sum)
	}
}

// publish streams the document into the archive. The document becomes visible only when
// it is complete.
func (r *run) publish(ctx context.Context, key string, summary difffile.Summary) (task.Document, error) {
	object, err := r.Store.Create(ctx, key, documentType)
	if err != nil {
		return task.Document{}, err
	}
	defer object.Abort()

	written, err := difffile.Write(ctx, object, summary, &findings{run: r, decoder: difffile.NewDecoder(r.plan.Columns), writes: map[section]*sectionWrites{}})
	if err != nil {
		return task.Document{}, err
	}
	if _, err := object.Commit(ctx); err != nil {
		return task.Document{}, err
	}

	return task.Document{Key: key, Size: written.Size, SHA256: written.SHA256}, nil
}

// adoptDocument reads the document that an earlier run of this task published, and
// returns the summary in it. The earlier run ended before it recorded the document in the
// task record.
func (r *run) adoptDocument(ctx context.Context, key string) (difffile.Summary, task.Document, error) {
	object, err := r.Store.Get(ctx, key)
	if err != nil {
		return difffile.Summary{}, task.Document{}, err
	}
	defer object.Body.Close()

	digest := sha256.New()
	body := io.TeeReader(object.Body, digest)
	reader, err := difffile.Open(body)
	if err != nil {
		return difffile.Summary{}, task.Document{}, err
	}

	summary := reader.Summary()
	if summary.TaskID != r.request.TaskID {
		return summary, task.Document{}, fault.New(fault.Internal, "document %s belongs to task %s", key, summary.TaskID)
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return summary, task.Document{}, fault.Wrap(err, fault.Unavailable, "cannot read document %s", key)
	}

	return summary, task.Document{Key: key, Size: object.Size, SHA256: hex.EncodeToString(digest.Sum(nil))}, nil
}

// findings reads the rows of the document from the confirm parts.
type findings struct {
	run        *run
	decoder    *difffile.Decoder
	writes     map[section]*sectionWrites // of the sections whose rows were read
	writesSize int                        // the size of writes in bytes
}

// Rows returns the rows of one node of a pair, in key order. It returns only rows of the
// first max_diff_rows findings of the pair.
func (f *findings) Rows(ctx context.Context, pair difffile.Pair, node string) iter.Seq2[difffile.Encoded, error] {
	return func(yield func(difffile.Encoded, error) bool) {
		at := slices.Index(f.run.plan.Nodes, node)
		var kept *sectionWrites
		if f.keepsWrites(at) {
			kept = &sectionWrites{}
		}

		for found, err := range f.pairFindings(ctx, pair) {
			if err != nil {
				yield(nil, err)
				return
			}
			row := found.Rows[at]
			if row == nil {
				continue
			}
			if kept, err = f.keepWrite(kept, found, at); err != nil {
				yield(nil, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}

		if err := f.sealWrites(section{pair, node}, kept); err != nil {
			yield(nil, err)
		}
	}
}

// Unsettled returns the keys of a pair whose rows were still changing when they were last
// read.
func (f *findings) Unsettled(ctx context.Context, pair difffile.Pair) iter.Seq2[difffile.Row, error] {
	return func(yield func(difffile.Row, error) bool) {
		for found, err := range f.pairFindings(ctx, pair) {
			if err == nil && !found.Unsettled {
				continue
			}

			var keys [2]difffile.Row
			if err == nil {
				keys, err = f.keys(pair, found)
			}

			key := keys[0]
			if key == nil {
				key = keys[1]
			}

			if !yield(key, err) || err != nil {
				return
			}
		}
	}
}

// KeyVariants returns the keys that the rows of a pair spell differently. An element has
// the spelling on each node of the pair.
func (f *findings) KeyVariants(ctx context.Context, pair difffile.Pair) iter.Seq2[[2]difffile.Row, error] {
	return func(yield func([2]difffile.Row, error) bool) {
		for found, err := range f.pairFindings(ctx, pair) {
			var keys [2]difffile.Row
			if err == nil {
				keys, err = f.keys(pair, found)
			}
			if err == nil && (keys[0] == nil || keys[1] == nil || table.Row(keys[0]).Equal(table.Row(keys[1]))) {
				continue
			}

			if !yield(keys, err) || err != nil {
				return
			}
		}
	}
}

// lastWrite returns the last write of the row that the node with this index has in a
// finding. The time is empty if it is not known, as in parts of earlier versions.
func (f *findings) lastWrite(found plan.Finding, node int) (w difffile.LastWrite, err error) {
	if w.Key, err = f.keyOn(found, node); err == nil && node < len(found.Writes) {
		err = readWrite(&w, found.Writes[node])
	}
	return w, err
}

// keyOn returns the key as it is spelt in the row of the node with this index.
func (f *findings) keyOn(found plan.Finding, node int) (key difffile.Row, err error) {
	if !f.run.plan.HasKeyVariants() { // all nodes spell the key alike
		return readKey(found.Key)
	}

	row, err := f.decoder.Decode(found.Rows[node])
	if err != nil {
		return nil, err
	}
	for _, at := range f.run.plan.KeyColumns() {
		key = append(key, row[at])
	}
	return key, nil
}

// keys returns the key as it is spelt in the row of each node of the pair. The element of
// a node without the row is nil.
func (f *findings) keys(pair difffile.Pair, found plan.Finding) (keys [2]difffile.Row, err error) {
	p := f.run.plan
	for i, node := range pair {
		encoded := found.Rows[slices.Index(p.Nodes, node)]
		if encoded == nil {
			continue
		}

		row, err := f.decoder.Decode(encoded)
		if err != nil {
			return keys, err
		}

		for _, at := range p.KeyColumns() {
			keys[i] = append(keys[i], row[at])
		}
	}

	return keys, nil
}

// pairFindings returns the first max_diff_rows findings in which the rows of a pair
// differ.
func (f *findings) pairFindings(ctx context.Context, wanted difffile.Pair) iter.Seq2[plan.Finding, error] {
	at := slices.IndexFunc(f.run.plan.Pairs(), func(p plan.Pair) bool { return f.run.plan.PairName(p) == wanted.String() })
	return func(yield func(plan.Finding, error) bool) {
		var count int64
		for found, err := range f.all(ctx) {
			if err != nil {
				yield(plan.Finding{}, err)
				return
			}

			if !found.Differs[at] {
				continue
			}
			if count++; count > f.run.plan.MaxDiffRows || !yield(found, nil) {
				return
			}
		}
	}
}

// all returns the findings of all confirm parts in key order. It reads one part after the
// other.
func (f *findings) all(ctx context.Context) iter.Seq2[plan.Finding, error] {
	return func(yield func(plan.Finding, error) bool) {
		for i, t := range f.run.confirmed {
			if t.Mismatched == 0 {
				continue
			}
			if err := f.read(ctx, f.run.unit(plan.PhaseConfirm, f.run.compares[i].Index), yield); err != nil {
				if !errors.Is(err, errStop) {
					yield(plan.Finding{}, err)
				}
				return
			}
		}
	}
}

// errStop is the error that read returns if yield returns false, because the consumer
// needs no more findings.
var errStop = errors.New("the consumer needs no more")

func (f *findings) read(ctx context.Context, u plan.Unit, yield func(plan.Finding, error) bool) error {
	reader, err := part.Open(ctx, f.run.Store, u.PartKey(), u.PartHeader())
	if err != nil {
		return err
	}
	defer reader.Close()

	pairs := len(f.run.plan.Pairs())
	nodes := len(f.run.plan.Nodes)
	for {
		line, err := reader.NextLine()
		if err != nil || line == nil {
			return err
		}

		found, err := plan.ReadFinding(line, pairs, nodes)
		if err != nil {
			return reader.Damaged(err)
		}

		if !yield(found, nil) {
			return errStop
		}
	}
}
