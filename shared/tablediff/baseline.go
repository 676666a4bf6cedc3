package tablediff

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/blockplan"
	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// baselineFormat is the version of the stored form. It must be changed when a new version
// of ACE would misread a baseline of an older version, or would draw a conclusion that
// the older baseline does not prove.
const baselineFormat = "ace-baseline/1"

const baselineType = "application/gzip"

// Baseline is what a comparison stores for later incremental comparisons. It has the
// blocks that were equal when they were first digested, and the snapshots in which these
// were read. In the pages strategy it has the sums of every page range instead.
// docs/INCREMENTAL.md explains what a later comparison may conclude from it.
type Baseline struct {
	Format   string              `json:"format"`
	TaskID   string              `json:"task_id"`
	Settings string              `json:"settings"`           // the hash that hashSettings returned for the plan
	StoredAt time.Time           `json:"stored_at,omitzero"` // the time by the clock of the process that stored the baseline; absent in baselines of earlier versions
	Facts    []map[string]string `json:"facts"`              // per node, the values of table.Facts
	Writes   []*int64            `json:"writes"`             // per node: the number of writes in the server's statistics when the comparison began
	Size     blockplan.Size      `json:"size"`
	Layout   blockplan.Layout    `json:"layout"`
	Blocks   []plan.EqualBlock   `json:"blocks"` // in key order
	Pages    *PagesBaseline      `json:"pages,omitempty"`
}

// PagesBaseline is stored instead of blocks in the pages strategy. It has the sums of
// every page range and the settings with which they were computed. Digest is the Digest
// of the plan.
type PagesBaseline struct {
	Digest  int                `json:"digest,omitempty"`
	Seeds   rowdigest.Seeds    `json:"seeds"`
	Buckets int                `json:"buckets"`
	Grid    int64              `json:"grid"`
	Ranges  [][]plan.RangeSums `json:"stretches"` // per node, the sums of its page ranges
}

// hashSettings returns a hash of what is compared, how rows are digested and how keys are
// ordered. A plan can use the blocks or page ranges of a baseline only if their hashes
// are equal. The seeds of the digests may differ, so the hash does not include them.
func hashSettings(p *plan.Plan, blockRows int) (string, error) {
	type reading struct {
		Relation, Less, AtLeast                                string
		Key, KeyType, KeyEqual, Order, OrderType, Cs, Compared []string
		Leaves                                                 []string // the names of the partitions in the pages strategy; otherwise nil
	}

	readings := make([]reading, len(p.Sources))
	for i, s := range p.Sources {
		readings[i] = reading{table.WithoutOnly(s.Relation), s.Less, s.AtLeast, s.Key, s.KeyType, s.KeyEqual, s.Order, s.OrderType, s.Collate, s.Columns, nil}
		for _, partition := range s.Partitions {
			if p.Strategy == plan.Pages {
				readings[i].Leaves = append(readings[i].Leaves, table.WithoutOnly(partition.Relation))
			}
		}
	}

	strategy := p.Strategy
	if strategy == plan.Sequential { // the chunks of a sequential scan are key ranges too
		strategy = plan.KeyRanges
	}
	raw, err := json.Marshal([]any{
		p.ClusterName, p.DBName, p.Schema, p.Table, p.Nodes, plainColumns(p), p.Key, p.Filter, p.Selections, p.Ignored, p.Checksum, strategy, blockRows, readings,
	})
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "cannot encode the settings of a baseline")
	}

	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// storeBaseline stores the baseline: the blocks that the run found equal or, in the pages
// strategy, the sums of all page ranges. It stores nothing unless checkFacts has set
// r.factsUnchanged. It must be called after the document was published, since only a
// completed comparison may have a baseline.
func (r *run) storeBaseline(ctx context.Context) error {
	p := r.plan
	if !r.factsUnchanged {
		return nil
	}

	settings, err := hashSettings(p, r.request.BlockRows)
	if err != nil {
		return err
	}

	b := Baseline{
		Format: baselineFormat, TaskID: p.TaskID, Settings: settings, StoredAt: time.Now().UTC(), Layout: p.Layout,
		Size: blockplan.Size{BlockRows: p.BlockRows, ChunkRows: p.ChunkRows, ChunksPerBlock: p.Layout.ChunksPerBlock},
	}

	for _, facts := range p.Facts {
		b.Facts = append(b.Facts, facts.Values)
		b.Writes = append(b.Writes, facts.Writes)
	}

	b.Blocks = append(b.Blocks, r.equal.EqualBlocks...)
	for _, t := range r.compared {
		b.Blocks = append(b.Blocks, t.EqualBlocks...)
	}

	if p.Grid > 0 {
		b.Layout = blockplan.Layout{}
		b.Pages = &PagesBaseline{Digest: p.Digest, Seeds: p.Seeds, Buckets: p.Buckets, Grid: p.Grid, Ranges: r.rangeSums}
	}

	// In the totals of a unit, unchanged blocks precede the blocks that the unit compared,
	// so the blocks are not in key order yet.
	slices.SortFunc(b.Blocks, func(x, y plan.EqualBlock) int { return cmp.Compare(x.Block, y.Block) })
	var body bytes.Buffer
	packed := gzip.NewWriter(&body)
	if err := json.NewEncoder(packed).Encode(b); err != nil {
		return fault.Wrap(err, fault.Internal, "cannot encode the baseline")
	}
	if err := packed.Close(); err != nil {
		return fault.Wrap(err, fault.Internal, "cannot encode the baseline")
	}

	err = r.retry(ctx, "storing the baseline", func() error {
		_, err := r.Store.PutIfAbsent(ctx, r.baselineKey(p.TaskID), baselineType, body.Bytes())
		return err
	})
	switch {
	case errors.Is(err, archive.ErrPrecondition): // an earlier run of this task stored it
		return nil
	case err != nil && ctx.Err() == nil: // the comparison is complete without a baseline
		r.Log.WarnContext(ctx, "cannot store the baseline; a later comparison cannot build on this one", "task_id", p.TaskID, "error", err)
		return nil
	}

	return err
}

func (r *run) baselineKey(taskID string) string {
	return archive.BaselineKey(r.request.ClusterName, r.request.Database, r.request.Table.String(), taskID)
}

// loadBaseline reads the baseline of a task. The error is archive.ErrNotFound if there is
// none. If the baseline cannot be decoded, loadBaseline returns an empty one, which fits
// no plan.
func (r *run) loadBaseline(ctx context.Context, taskID string) (*Baseline, error) {
	object, err := r.Store.Get(ctx, r.baselineKey(taskID))
	if err != nil {
		return nil, err
	}
	defer object.Body.Close()

	packed, err := io.ReadAll(object.Body)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "cannot read the baseline of task %s", taskID)
	}

	var b Baseline
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		err = json.NewDecoder(unpacked).Decode(&b)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, unpacked) // at the end, gzip verifies the checksum
	}
	if err != nil || b.Format != baselineFormat || b.TaskID != taskID {
		return &Baseline{TaskID: taskID}, nil // a baseline without settings fits no plan
	}

	return &b, nil
}

// findBaseline returns the baseline that the request names. If there is none, it returns
// nil and the reason.
func (r *run) findBaseline(ctx context.Context, settings string) (*Baseline, string, error) {
	if id := r.request.Baseline; id != api.BaselineLast {
		b, err := r.loadBaseline(ctx, id)
		if errors.Is(err, archive.ErrNotFound) {
			return nil, "task " + id + " has left none for this table", nil
		}
		return b, "", err
	}

	prefix := archive.BaselinesPrefix(r.request.ClusterName, r.request.Database, r.request.Table.String())
	var left []archive.Info
	err := r.Store.List(ctx, prefix, "", func(info archive.Info) bool {
		if archive.TaskIDOfBaseline(info.Key) != r.request.TaskID {
			left = append(left, info)
		}
		return true
	})
	if err != nil {
		return nil, "", err
	}

	// The baseline that was written last belongs to the comparison that ended last.
	slices.SortStableFunc(left, func(a, b archive.Info) int { return a.LastModified.Compare(b.LastModified) })
	last, err := r.lastBaseline(ctx, left, settings)
	switch {
	case err != nil:
		return nil, "", err
	case last == nil:
		return nil, "no earlier comparison with these settings has left one", nil
	default:
		return last, "", nil
	}
}

// lastBaseline returns the last baseline with these settings, or nil if there is none.
// The objects must be sorted by LastModified. Some stores record LastModified only to the
// second. So among the baselines with the same second, lastBaseline returns the baseline
// with the latest StoredAt.
func (r *run) lastBaseline(ctx context.Context, objects []archive.Info, settings string) (*Baseline, error) {
	var last *Baseline
	var lastSecond time.Time
	for _, info := range slices.Backward(objects) {
		second := info.LastModified.Truncate(time.Second)
		if last != nil && second.Before(lastSecond) {
			break
		}

		b, err := r.loadBaseline(ctx, archive.TaskIDOfBaseline(info.Key))
		if errors.Is(err, archive.ErrNotFound) { // it was removed in the meantime
			continue
		}
		if err != nil {
			return nil, err
		}

		if b.Settings == settings && (last == nil || b.StoredAt.After(last.StoredAt)) {
			last, lastSecond = b, second
		}
	}

	return last, nil
}

// useBaseline restricts the plan to what may have changed since the baseline that the
// request names. If there is no such baseline or it cannot be relied on, everything is
// compared, and useBaseline adds a warning with the reason to the plan.
func (r *run) useBaseline(ctx context.Context, by *planner) error {
	if r.request.Baseline == "" {
		return nil
	}

	p := by.plan
	why := whyNotIncremental(p)
	if why == "" {
		settings, err := hashSettings(p, r.request.BlockRows)
		if err != nil {
			return err
		}

		var b *Baseline
		if b, why, err = r.findBaseline(ctx, settings); err != nil {
			return err
		}

		if b != nil {
			why = b.mismatch(p, settings)
			switch {
			case why != "":
			case p.Strategy == plan.Pages:
				by.reusePages(b)
			default:
				why, err = r.reuseLayout(ctx, by, b)
			}
		}
		if err != nil {
			return err
		}
	}

	if why != "" {
		p.Warnings = append(p.Warnings, "everything was compared, not only what changed since the baseline: "+why)
		_, err := by.trySequential(ctx)
		return err
	}

	return nil
}

// mismatch returns why a plan cannot rely on the baseline. An empty string means that the
// plan can rely on it.
func (b *Baseline) mismatch(p *plan.Plan, settings string) string {
	if b.Settings != settings || len(b.Facts) != len(p.Nodes) {
		return "task " + b.TaskID + " compared something else, or its baseline cannot be read"
	}

	for i, before := range b.Facts {
		if changed := changedFacts(before, p.Facts[i].Values); len(changed) > 0 {
			return "node " + p.Nodes[i] + " has changed: " + changed[0]
		}
	}

	if p.Strategy == plan.Pages {
		if b.Pages == nil || len(b.Pages.Ranges) != len(p.Nodes) || b.Pages.Grid > maxRegrid*p.Grid || p.Grid > maxRegrid*b.Pages.Grid {
			return "the table's size requires page ranges of another length"
		}
		if b.Pages.Digest != p.Digest && p.Checksum != ChecksumSHA256 {
			return "another version of ACE, which digests rows in another way, made the baseline of task " + b.TaskID
		}
		return ""
	}

	if b.Size.BlockRows != p.BlockRows || p.ChunkRows > maxRechunk*b.Size.ChunkRows {
		return "the table's size requires other blocks"
	}

	return ""
}

// maxRegrid is the maximum ratio between the length of a baseline's page ranges and the
// length of the page ranges in the new plan. If one of the lengths is more than maxRegrid
// times the other, the baseline is not used.
const maxRegrid = 4

// maxRechunk is the maximum ratio between the rows in a chunk of the new plan and the
// rows in a chunk of a baseline. If the table has grown more, the baseline is not used,
// because it has too many chunks. The chunks of the baseline may be larger by any ratio,
// as after a sequential scan, because a chunk never has more rows than a block.
const maxRechunk = 4

// reusePages sets the seeds, the buckets and the length of the page ranges of the plan to
// those of the baseline, so that the sums of the baseline can be used. If a table has
// grown, the plan has additional page ranges.
func (p *planner) reusePages(b *Baseline) {
	p.plan.Seeds = b.Pages.Seeds
	p.plan.Buckets = b.Pages.Buckets
	p.plan.Grid = b.Pages.Grid
	p.writeSources()
	p.divideScans()
	p.plan.Known = &plan.Known{TaskID: b.TaskID, Ranges: b.Pages.Ranges}
}

// reuseLayout sets the boundaries of the plan to those of the baseline. If the table has
// grown at its end, the last block is divided again. If the table has grown much
// elsewhere, the plan is not changed and why is the reason. An empty why means that the
// boundaries were set.
func (r *run) reuseLayout(ctx context.Context, by *planner, b *Baseline) (why string, err error) {
	p := by.plan
	layout := b.Layout
	blocks := b.Blocks
	per := layout.ChunksPerBlock
	last := layout.Blocks() - 1
	tail, err := r.boundsAfter(ctx, p, layout.Bounds[:last*per])
	if err != nil {
		return "", err
	}

	tail = thin(tail, b.Size.ChunkRows/p.ChunkRows)
	if len(tail)+1 > 2*per {
		layout.Bounds = slices.Concat(layout.Bounds[:last*per], tail)
		blocks = slices.DeleteFunc(slices.Clone(blocks), func(t plan.EqualBlock) bool { return t.Block >= last })
	}

	if p.RowEstimate > 2*int64(layout.Chunks())*b.Size.ChunkRows+p.BlockRows {
		return "the table has grown too much", nil
	}

	layout.BlocksPerBatch = blockplan.BlocksPerBatch(layout.Blocks(), r.request.BatchSize, p.Workers)
	p.Layout = layout
	p.ChunkRows = b.Size.ChunkRows
	p.Known = &plan.Known{TaskID: b.TaskID, Blocks: blocks}
	if p.Known.Whole = by.wholeTable(b); p.Known.Whole != nil {
		by.divideScans()
	}

	return "", nil
}

// thin returns every step-th boundary, or all boundaries if step is less than 2.
func thin(bounds []table.Key, step int64) []table.Key {
	var left []table.Key
	for i, key := range bounds {
		if step < 2 || int64(i+1)%step == 0 {
			left = append(left, key)
		}
	}
	return left
}

// boundsAfter returns the boundaries of p.Layout that follow the last key of bounds.
func (r *run) boundsAfter(ctx context.Context, p *plan.Plan, bounds []table.Key) ([]table.Key, error) {
	if len(bounds) == 0 || len(p.Layout.Bounds) == 0 {
		return p.Layout.Bounds, nil
	}

	nodes, err := plan.OpenNodes(ctx, r.Nodes, p)
	if err != nil {
		return nil, err
	}

	ranks, err := nodes[0].RankKeys(ctx, p.Sources[0], append([]table.Key{bounds[len(bounds)-1]}, p.Layout.Bounds...))
	if err != nil {
		return nil, err
	}

	for i, rank := range ranks[1:] {
		if rank > ranks[0] {
			return p.Layout.Bounds[i:], nil
		}
	}

	return nil, nil
}
