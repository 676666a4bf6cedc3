package worker

import (
	"context"
	"errors"
	"slices"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

const (
	// maxListed bounds the rows of a node that are listed at once, however large block_rows
	// is, since they are held in memory.
	maxListed = 100_000
	// probedChunks is the number of chunks that a unit compares first if nothing is known
	// about how much differs.
	probedChunks = 64
	// maxSplits bounds how often ranges are split: a range that is too big to list is split,
	// a piece that is still too big is split again, and so on. The range is cut at keys of
	// one node, so a piece may still be too big on another node.
	maxSplits = 8
)

// keyChunk is a key range to be digested: a chunk of the plan, or a piece of a chunk that
// was too big to list.
type keyChunk struct {
	table.Range
	block int
}

// differingChunk is a key range whose rows are listed, because its sums differ or are
// expected to differ.
type differingChunk struct {
	keyChunk
	chunk   int   // number of the chunk in the plan; used only if chunks are listed by a scan
	maxRows int64 // number of rows on the node that has the most rows, as far as known
	// sums has the sum of the range on each node, if the range was digested in the snapshots
	// in which its rows are listed. Otherwise it is nil.
	sums []table.Sum
}

// compare does a compare unit. It digests every chunk on all nodes at once, lists the
// rows of the chunks that differ, and writes the candidates. If it is known or expected
// which chunks differ, their rows are listed without digesting the chunks first.
func (r *unitRun) compare(ctx context.Context) error {
	r.totals.RowsPerNode = make([]int64, len(r.nodes))
	r.totals.PairCandidates = make([]int64, len(r.plan.Pairs()))
	switch {
	case r.plan.Strategy == plan.Keys:
		return r.compareKeys(ctx)
	case r.unit.Dense:
		return r.narrowAll(ctx, r.unit.From)
	case r.plan.ReadsPages():
		return r.narrowScanned(ctx)
	}

	if r.plan.Known != nil {
		return r.inSnapshots(ctx, func(txs []plan.Tx) error { return r.compareChanged(ctx, txs) })
	}
	if r.unit.Probe && r.unit.To-r.unit.From > 2*probedChunks {
		return r.probe(ctx)
	}

	return r.inSnapshots(ctx, func(txs []plan.Tx) error { return r.compareChunkRange(ctx, txs, r.unit.From, r.unit.To) })
}

// probe compares some chunks first. If most of these chunks differ, probe lists the rows
// of the other chunks without digesting the chunks first.
func (r *unitRun) probe(ctx context.Context) error {
	probed := r.unit.From + probedChunks
	dense := false
	err := r.inSnapshots(ctx, func(txs []plan.Tx) error {
		if err := r.compareChunkRange(ctx, txs, r.unit.From, probed); err != nil {
			return err
		}
		if dense = r.totals.Differing > probedChunks/2; dense {
			return nil
		}
		return r.compareChunkRange(ctx, txs, probed, r.unit.To)
	})
	if err == nil && dense {
		err = r.narrowAll(ctx, probed)
	}

	return err
}

// compareChunkRange compares the chunks of the plan in [from, to).
func (r *unitRun) compareChunkRange(ctx context.Context, txs []plan.Tx, from, to int) error {
	chunks := make([]keyChunk, 0, to-from)
	for chunk := from; chunk < to; chunk++ {
		chunks = append(chunks, r.chunkAt(chunk))
	}
	return r.compareAndRecord(ctx, txs, chunks)
}

// compareAndRecord compares chunks and records which blocks were equal.
func (r *unitRun) compareAndRecord(ctx context.Context, txs []plan.Tx, chunks []keyChunk) error {
	if len(chunks) == 0 {
		return nil
	}
	sums, horizons, err := r.digestChunks(ctx, txs, chunks)
	if err != nil {
		return err
	}
	r.recordEqualBlocks(chunks, sums, horizons)
	return r.narrowDiffering(ctx, txs, chunks, sums, maxSplits)
}

func (r *unitRun) chunkAt(chunk int) keyChunk {
	return keyChunk{Range: r.plan.Layout.Chunk(chunk), block: r.plan.Layout.BlockOf(chunk)}
}

// inSnapshots calls fn with a transaction on every node. A unit that already holds a slot
// must not call inSnapshots, since it could wait for its own slot forever.
func (r *unitRun) inSnapshots(ctx context.Context, fn func([]plan.Tx) error) error {
	txs, end, err := r.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return fn(txs)
}

// compareChunks digests chunks and calls narrow for those that differ. splits is how
// often a chunk that is too big may still be split.
func (r *unitRun) compareChunks(ctx context.Context, txs []plan.Tx, chunks []keyChunk, splits int) error {
	if len(chunks) == 0 {
		return nil
	}
	sums, _, err := r.digestChunks(ctx, txs, chunks)
	if err != nil {
		return err
	}
	return r.narrowDiffering(ctx, txs, chunks, sums, splits)
}

// narrowDiffering counts the rows of the chunks that are equal, and calls narrow for
// those that differ.
func (r *unitRun) narrowDiffering(ctx context.Context, txs []plan.Tx, chunks []keyChunk, sums [][]table.Sum, splits int) error {
	var differing []differingChunk
	for i, s := range chunks {
		d := differingChunk{keyChunk: s}
		equal := true
		for node := range sums {
			sum := sums[node][i]
			d.sums = append(d.sums, sum)
			d.maxRows = max(d.maxRows, sum.Rows)
			equal = equal && sum == sums[0][i]
		}

		if equal {
			r.totals.AddEqual(d.maxRows)
			for node, sum := range d.sums {
				r.addListed(node, sum)
			}

			continue
		}

		differing = append(differing, d)
	}

	return r.narrow(ctx, txs, differing, splits)
}

// digestChunks digests chunks on every node. It returns, for each node, the sum of each
// chunk, and for each node the horizon of the snapshot in which the chunks were digested.
func (r *unitRun) digestChunks(ctx context.Context, txs []plan.Tx, chunks []keyChunk) ([][]table.Sum, []int64, error) {
	ranges := make([]table.Range, len(chunks))
	for i, s := range chunks {
		ranges[i] = s.Range
	}

	sums := make([][]table.Sum, len(txs))
	horizons := make([]int64, len(txs))
	err := r.onAll(ctx, func(ctx context.Context, node int) (err error) {
		sums[node], horizons[node], err = txs[node].Sums(ctx, r.sources[node], ranges)
		return err
	})
	return sums, horizons, err
}

// listLimit returns the maximum number of rows of a node that are listed at once.
func listLimit(p *plan.Plan) int64 { return min(plan.SplitAbove*p.BlockRows, maxListed) }

// narrow finds the candidates in differing chunks by listing their rows. It lists as many
// chunks at a time as have at most listLimit rows together. A single chunk with more than
// listLimit rows is split first. splits is how often it may be split.
func (r *unitRun) narrow(ctx context.Context, txs []plan.Tx, differing []differingChunk, splits int) error {
	limit := listLimit(r.plan)
	for len(differing) > 0 {
		if first := differing[0]; first.maxRows > limit {
			if err := r.split(ctx, txs, first, splits); err != nil {
				return err
			}

			differing = differing[1:]
			continue
		}

		n, rows := countFitting(differing, limit)
		if err := r.listAndMatch(ctx, txs, differing[:n], rows); err != nil {
			return err
		}

		differing = differing[n:]
	}

	return nil
}

// countFitting returns how many chunks from the beginning of the list hold at most limit
// rows together, and the number of these rows.
func countFitting(differing []differingChunk, limit int64) (n int, rows int64) {
	for n < len(differing) && rows+differing[n].maxRows <= limit {
		rows += differing[n].maxRows
		n++
	}
	return n, rows
}

// split cuts a range at keys of the node that has the most rows, and compares the pieces
// in the same snapshots.
func (r *unitRun) split(ctx context.Context, txs []plan.Tx, c differingChunk, splits int) error {
	if splits == 0 {
		return fault.New(fault.Internal, "a block of %d rows cannot be split further", c.maxRows)
	}

	cuts := make([][]table.Key, len(txs))
	err := r.onAll(ctx, func(ctx context.Context, node int) (err error) {
		cuts[node], err = txs[node].Cut(ctx, r.sources[node], c.Range, listLimit(r.plan)/plan.SplitAbove)
		return err
	})
	if err != nil {
		return err
	}

	most := slices.MaxFunc(cuts, func(a, b []table.Key) int { return len(a) - len(b) })
	if len(most) == 0 {
		return fault.New(fault.Internal, "a block of %d rows has no row at which to split it", c.maxRows)
	}

	pieces := make([]keyChunk, 0, len(most)+1)
	lo := c.Lo
	for _, key := range append(most, c.Hi) {
		pieces = append(pieces, keyChunk{Range: table.Range{Lo: lo, Hi: key}, block: c.block})
		lo = key
	}

	return r.compareChunks(ctx, txs, pieces, splits-1)
}

// listAndMatch lists keys and digests of differing chunks on every node and writes the
// candidates.
func (r *unitRun) listAndMatch(ctx context.Context, txs []plan.Tx, differing []differingChunk, limit int64) error {
	lists, err := r.listRows(ctx, txs, differing, limit)
	if err != nil {
		return err
	}
	return r.match(func(keys []table.Key) ([]int, error) { return txs[0].Rank(ctx, r.sources[0], keys) }, lists, differing)
}

func (r *unitRun) listRows(ctx context.Context, txs []plan.Tx, differing []differingChunk, limit int64, options ...table.CallOption) ([][][]table.Listed, error) {
	ranges := make([]table.Range, len(differing))
	for i, d := range differing {
		ranges[i] = d.Range
	}
	lists := make([][][]table.Listed, len(txs))
	err := r.onAll(ctx, func(ctx context.Context, node int) (err error) {
		lists[node], err = txs[node].List(ctx, r.sources[node], ranges, limit, options...)
		return err
	})
	return lists, err
}

// match finds the candidates of each chunk in differing and writes them to the part, in
// key order within the chunk. lists has, for each node and each of these chunks, the rows
// that the node listed. rank asks a server for the rank of each key in key order. Equal
// keys have the same rank.
func (r *unitRun) match(rank func([]table.Key) ([]int, error), lists [][][]table.Listed, differing []differingChunk) error {
	for i, d := range differing {
		if err := r.matchOne(rank, nthOf(lists, i), d); err != nil {
			return err
		}
	}
	return nil
}

// nthOf returns the i-th element of each node's list.
func nthOf[T any](lists [][]T, i int) []T {
	perNode := make([]T, len(lists))
	for node := range lists {
		perNode[node] = lists[node][i]
	}
	return perNode
}

// matchOne finds the candidates of one range from the rows that each node has listed.
func (r *unitRun) matchOne(rank func([]table.Key) ([]int, error), lists [][]table.Listed, d differingChunk) error {
	for node := range lists {
		r.totals.RowsPerNode[node] += int64(len(lists[node]))
		r.addListed(node, sumListed(lists[node]))
	}

	if err := r.checkListed(d, lists); err != nil {
		return err
	}

	found, keys, err := matchRange(lists, rank)
	if err != nil {
		return r.describeDuplicate(err)
	}

	r.totals.Keys += keys
	return r.writeCandidates(found, d.block)
}

// checkListed verifies that each node has listed exactly the rows that it had digested in
// the same snapshot. Without this check, a row that is missing from the list would count
// as equal. If d.sums is nil, there is nothing to verify.
func (r *unitRun) checkListed(d differingChunk, lists [][]table.Listed) error {
	for node, want := range d.sums {
		var sum table.Sum
		for _, row := range lists[node] {
			sum = sum.Add(table.Sum{Rows: 1, Digest: row.Digest})
		}

		if sum != want {
			return fault.New(fault.Invalid, "node %q listed %d rows of %s but had digested %d rows: an index of the table is damaged (run REINDEX), or table_filter selects different rows each time",
				r.plan.Nodes[node], sum.Rows, plan.DescribeRange(d.Range), want.Rows)
		}
	}
	return nil
}

// describeDuplicate adds the node's name to the error for two rows with one key. Other
// errors are returned unchanged.
func (r *unitRun) describeDuplicate(err error) error {
	var twice *duplicateKeyError
	if !errors.As(err, &twice) {
		return err
	}
	return fault.Wrap(err, fault.Invalid, "node %q has two rows with the key %s, so its unique index is damaged and rows cannot be identified; REINDEX reports the duplicates",
		r.plan.Nodes[twice.node], twice.key)
}

// writeCandidates writes the candidates of a range to the part and counts them for each
// pair.
func (r *unitRun) writeCandidates(found []plan.Candidate, block int) error {
	if len(found) > 0 {
		r.totals.Differing++
	}
	for _, c := range found {
		c.Block = block
		if err := r.writeCandidate(c); err != nil {
			return err
		}
	}
	return nil
}

func (r *unitRun) writeCandidate(c plan.Candidate) error {
	r.totals.Candidates++
	if c.Digest == nil {
		r.totals.WithoutDigest++
	}

	for p, pair := range r.plan.Pairs() {
		if c.Digest != nil && !sameDigest(c.Digest[pair.A], c.Digest[pair.B]) {
			r.totals.PairCandidates[p]++
		}
	}

	r.line = c.AppendLine(r.line[:0])
	return r.out.Line(r.line)
}

func sameDigest(a, b *int64) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}
