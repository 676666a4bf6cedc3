package worker

import (
	"context"
	"errors"
	"slices"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// report reads the rows of every unresolved candidate, beginning at candidate from, and
// writes a finding if the text of the rows differs. It reads the rows only of the first
// max_diff_rows + limitSlack candidates of each pair. A candidate that is beyond this
// limit in each of its pairs is only counted, by its digests.
func (c *confirmation) report(ctx context.Context, from int64) error {
	if from == 0 {
		c.positions = slices.Clone(c.run.unit.Before)
	}
	return c.candidates(ctx, from, func(portion []indexed) error {
		var full, counted []indexed
		for _, candidate := range portion {
			within := c.countPosition(candidate) || c.run.plan.HasKeyVariants() // if keys may have variants, the rows are needed, since only they show how a key is spelt
			switch {
			case c.states.of(candidate.at) == stateResolved:
				c.run.totals.Resolved++
			case within:
				full = append(full, candidate)
			default:
				counted = append(counted, candidate)
			}
		}

		switch {
		case !c.stopOnChange:
		case len(counted) > 0: // candidates must have settled before they are counted by digest
			return changedError{portion[0].at}
		case len(full) > probedKeys:
			if err := c.writeRows(ctx, full[:probedKeys]); err != nil {
				return err
			}

			full = full[probedKeys:]
			if c.run.totals.Resolved > c.run.totals.Mismatched {
				return changedError{full[0].at}
			}
		}

		// The candidates in counted are not written to the part. So they can be handled after
		// the candidates in full, although the portion is in key order.
		if err := c.writeRows(ctx, full); err != nil {
			return err
		}

		return c.countByDigest(ctx, counted)
	})
}

// changedError stops the report for one of the reasons that reportWhileUnchanged
// describes.
type changedError struct {
	at int64 // the first candidate that was not reported
}

func (changedError) Error() string { return "a candidate has changed" }

// reportWhileUnchanged reports candidates without reading their digests first. Reading
// them would be wasted work if most candidates still differ. It stops in three cases:
//
//   - at the first candidate that has changed since the first pass and still differs;
//   - at the first portion with a candidate of which only the digests are counted (see
//     report);
//   - in a portion of more than probedKeys candidates to read, when more candidates have
//     been resolved than mismatched.
//
// It returns the index of the first candidate that was not reported. done means that all
// candidates were reported. If candidates may be key variants, it reports no candidate
// and returns 0 and false.
func (c *confirmation) reportWhileUnchanged(ctx context.Context) (from int64, done bool, err error) {
	// The first pass has matched rows by the text of their keys. A look-up by key also finds
	// the rows with other spellings of the key, so a key variant would seem to have changed.
	if c.run.plan.HasKeyVariants() {
		return 0, false, nil
	}

	c.stopOnChange = true
	err = c.report(ctx, 0)
	c.stopOnChange = false
	if end := (changedError{}); errors.As(err, &end) {
		c.positions = slices.Clone(c.run.unit.Before)
		err = c.candidates(ctx, 0, func(portion []indexed) error {
			for _, candidate := range portion {
				if candidate.at < end.at {
					c.countPosition(candidate)
				}
			}
			return nil
		})
		return end.at, false, err
	}

	return 0, true, err
}

// countPosition counts a candidate for each pair of nodes in which it differs. It reports
// whether at least one of these pairs is still within the limit (max_diff_rows +
// limitSlack). Only then must the rows of the candidate be read.
func (c *confirmation) countPosition(candidate indexed) bool {
	if candidate.Digest == nil { // the candidate may differ in any pair
		return true
	}

	within := false
	for p, pair := range c.pairs {
		if !sameDigest(candidate.Digest[pair.A], candidate.Digest[pair.B]) {
			c.positions[p]++
			within = within || c.positions[p] <= c.run.plan.MaxDiffRows+limitSlack
		}
	}
	return within
}

// writeRows reads the rows of some candidates in full and writes a finding for each that
// differs.
func (c *confirmation) writeRows(ctx context.Context, portion []indexed) error {
	if len(portion) == 0 {
		return nil
	}
	return c.run.inSnapshots(ctx, func(txs []plan.Tx) error {
		if err := c.findVariants(ctx, txs, portion); err != nil {
			return err
		}
		if err := c.judgeAll(ctx, txs, portion); err != nil {
			return err
		}
		return c.checkVariants(ctx, txs)
	})
}

// noDigest is a constant expression that replaces a digest that is not needed.
const noDigest = "0::bigint"

// judgeAll reads the rows of the candidates from all nodes at once and judges one
// candidate after the other, so at most one row of each node is in memory.
func (c *confirmation) judgeAll(ctx context.Context, txs []plan.Tx, portion []indexed) error {
	streams := make([]*lookahead, len(txs))
	for node, tx := range txs {
		source := c.run.plan.Sources[node]
		if c.run.plan.ConfirmDelay == 0 && !c.run.plan.HasKeyVariants() { // the digest is not used
			source.Digest = noDigest
		}
		source.Writes = c.run.plan.ReadsWrites(node)

		stream, err := tx.Rows(ctx, source, keysOf(portion))
		if err != nil {
			return err
		}
		defer stream.Close() //nolint:errcheck // read to its end below, or given up with an error

		streams[node] = &lookahead{stream: stream}
	}

	rows := make([]*table.KeyedRow, len(streams))
	for i, candidate := range portion {
		for node, stream := range streams {
			row, err := stream.at(i)
			if err != nil {
				return err
			}

			rows[node] = row
		}

		c.setRows(rows)
		if c.stopOnChange && c.hasChanged(candidate) {
			return changedError{candidate.at}
		}
		if err := c.judge(candidate); err != nil {
			return err
		}
	}

	return nil
}

// setRows sets the rows of the key that is judged next, one per node.
func (c *confirmation) setRows(rows []*table.KeyedRow) {
	for node, row := range rows {
		c.nodeRows[node], c.digests[node], c.writes[node] = nil, nil, nil
		if row != nil {
			c.nodeRows[node], c.writes[node] = row.Row, row.Write
			c.digests[node] = &row.Digest
		}
	}
}

// hasChanged reports whether the rows of a candidate have changed since the first pass
// and still differ between nodes.
func (c *confirmation) hasChanged(candidate indexed) bool {
	return !sameDigests(c.digests, candidate.Digest) && !allSame(c.digests)
}

// judge compares the rows of one key, and writes a finding if they differ.
func (c *confirmation) judge(candidate indexed) error {
	totals := &c.run.totals
	texts, digest := c.nodeRows, c.digests
	defer clear(texts)

	c.run.recordAbsentNodes(candidate.Key, digest)
	if candidate.Digest == nil {
		totals.WithoutDigest++
		countRows(totals, digest)
	}

	if c.isVariant(candidate.Key, texts, digest) {
		totals.KeyVariants++
		totals.Keys--
		return nil
	}

	differs := c.countPairs(texts)
	if !slices.Contains(differs, true) {
		totals.Resolved++
		return nil
	}

	unsettled := c.isUnsettled(candidate, digest)
	c.countKey(candidate, differs, unsettled)
	return c.writeFinding(plan.Finding{Unsettled: unsettled, Differs: differs}, c.reportedKey(candidate.Key, texts), texts)
}

// writeFinding writes a finding to the part, with its rows in the form of the document.
// A comparison stores rows only here, so writeFinding also redacts them.
func (c *confirmation) writeFinding(f plan.Finding, key table.Key, rows []table.Row) (err error) {
	c.key = table.AppendKey(c.key[:0], key)
	f.Key, f.Rows = c.key, c.rows
	for node, text := range rows {
		f.Rows[node] = nil
		if text == nil {
			continue
		}

		c.encoded[node], err = c.encoder.Append(c.encoded[node][:0], c.hasher.Row(key, text))
		f.Rows[node] = c.encoded[node]
		if err != nil {
			return fault.Wrap(err, fault.Internal, "cannot encode the row with key %s on node %q: %v", key, c.run.plan.Nodes[node], err)
		}
	}

	if len(c.run.plan.CommitTimes) > 0 {
		f.Writes = c.encodeWrites()
	}

	c.run.line = f.AppendLine(c.run.line[:0])
	return c.run.out.Line(c.run.line)
}

// encodeWrites returns, per node, the last write of the row that is being judged, or nil
// if it is not known. The result is valid until the next call.
func (c *confirmation) encodeWrites() [][]byte {
	for node, write := range c.writes {
		c.encodedWrites[node] = c.encodedWrites[node][:0]
		if write != nil {
			c.encodedWrites[node] = plan.AppendWrite(c.encodedWrites[node], *write)
		}
	}
	return c.encodedWrites
}

// countKey counts a key that differs. differs has an element for each pair.
func (c *confirmation) countKey(candidate indexed, differs []bool, unsettled bool) {
	c.run.totals.Mismatched++
	plan.CountOutliers(c.run.totals.Outliers, c.pairs, differs)
	if unsettled {
		c.run.totals.Unsettled++
	}
	if block := int64(candidate.Block); !c.blocks.Has(block) {
		c.blocks.Add(block)
		c.run.totals.Blocks++
	}
}

// isUnsettled reports whether a candidate is unsettled or has changed since it settled.
// now has its present digest on each node. If ConfirmDelay is 0, no candidate is
// unsettled, because candidates are read only once.
func (c *confirmation) isUnsettled(candidate indexed, now []*int64) bool {
	if c.run.plan.ConfirmDelay == 0 {
		return false
	}
	return c.states.of(candidate.at) == stateUnsettled || !sameDigests(now, c.states.lastDigests(candidate))
}

// countPairs counts the key for each pair in which its rows differ, and returns in which
// pairs they differ. The result is valid until the next call.
func (c *confirmation) countPairs(rows []table.Row) []bool {
	differs := c.differs
	clear(differs)
	for p, pair := range c.pairs {
		a, b, totals := rows[pair.A], rows[pair.B], &c.run.totals.Pairs[p]
		switch {
		case a == nil && b == nil:
			continue
		case b == nil:
			totals.OnlyA++
		case a == nil:
			totals.OnlyB++
		case a.Equal(b):
			continue
		default:
			totals.Different++
			for i := range a {
				if !table.SameValue(a[i], b[i]) {
					totals.Columns[i]++
				}
			}
		}

		differs[p] = true
	}

	return differs
}

// countByDigest counts candidates beyond the limit by their digests, without reading
// their rows.
func (c *confirmation) countByDigest(ctx context.Context, portion []indexed) error {
	if len(portion) == 0 {
		return nil
	}

	now, err := c.readDigests(ctx, portion)
	if err != nil {
		return err
	}

	texts, err := c.textDigests(ctx, portion, now)
	if err != nil {
		return err
	}

	for i, candidate := range portion {
		digest := digestsAt(now, i)
		unsettled := c.isUnsettled(candidate, digest)
		if text, read := texts[i]; read {
			digest = text
		}

		c.run.recordAbsentNodes(candidate.Key, digest)
		differs := c.countPairsByDigest(digest)
		if !slices.Contains(differs, true) {
			c.run.totals.Resolved++
			continue
		}

		c.countKey(candidate, differs, unsettled)
	}

	return nil
}

// textDigests reads digests of the text of rows. It does so only for candidates whose
// rows exist on at least two nodes and have different digests in now, because these rows
// may still have the same text. The result maps the index of such a candidate in portion
// to its text digest on each node. For a candidate without an entry, the digests in now
// show which rows differ.
func (c *confirmation) textDigests(ctx context.Context, portion []indexed, now [][]*int64) (map[int][]*int64, error) {
	if c.run.plan.Sources[0].TextDigest == "" {
		return nil, nil //nolint:nilnil // all digests are digests of texts
	}

	var doubtful []indexed
	var places []int
	for i, candidate := range portion {
		if digest := slices.DeleteFunc(digestsAt(now, i), func(d *int64) bool { return d == nil }); len(digest) > 1 && !allSame(digest) {
			doubtful = append(doubtful, candidate)
			places = append(places, i)
		}
	}

	if len(doubtful) == 0 {
		return nil, nil //nolint:nilnil // no candidate needs its text digest
	}

	texts, err := c.readDigestsBy(ctx, doubtful, func(s table.Source) string { return s.TextDigest })
	if err != nil {
		return nil, err
	}

	found := make(map[int][]*int64, len(places))
	for i, place := range places {
		found[place] = digestsAt(texts, i)
	}

	return found, nil
}

// digestsAt returns the digest of the i-th key on each node.
func digestsAt(digests [][]*int64, i int) []*int64 {
	of := make([]*int64, len(digests))
	for node := range digests {
		of[node] = digests[node][i]
	}
	return of
}

// countPairsByDigest is like countPairs, by digests instead of rows.
func (c *confirmation) countPairsByDigest(digest []*int64) []bool {
	differs := c.differs
	clear(differs)
	for p, pair := range c.pairs {
		a, b, totals := digest[pair.A], digest[pair.B], &c.run.totals.Pairs[p]
		if sameDigest(a, b) {
			continue
		}

		differs[p], totals.Limited = true, true
		switch {
		case b == nil:
			totals.OnlyA++
		case a == nil:
			totals.OnlyB++
		default:
			totals.Different++
		}
	}

	return differs
}

func keysOf(portion []indexed) []table.Key {
	keys := make([]table.Key, len(portion))
	for i, candidate := range portion {
		keys[i] = candidate.Key
	}
	return keys
}

// lookahead reads a stream of rows key by key. The stream has no entry for a key without
// a row, so lookahead holds the next row of the stream until the row's key is requested.
type lookahead struct {
	stream table.RowStream
	row    table.KeyedRow
	place  int
	filled bool
}

// at returns the row of the i-th key, or nil if the key has no row. It must be called
// with 0, 1, 2 and so on. The row is valid until the next call.
func (l *lookahead) at(i int) (*table.KeyedRow, error) {
	if !l.filled {
		place, row, err := l.stream.Next()
		if err != nil {
			return nil, err
		}

		l.place, l.row, l.filled = place, row, true
	}

	if l.place != i { // place is the index of row's key; it stays -1 after the end
		return nil, nil //nolint:nilnil // nil means that the key has no row
	}

	l.filled = false
	return &l.row, nil
}
