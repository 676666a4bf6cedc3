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
	// maxListed bounds the rows of a node that are listed at once, whatever block_rows is: they are held in memory.
	maxListed = 100_000
	// probedLeaves are those that a unit looks at first where nothing is known of how much differs.
	probedLeaves = 64
	// maxSplits bounds how often a range is split in a row; each split divides it by its size over block_rows.
	maxSplits = 8
)

// stretch is a key range to be digested: a leaf of the plan, or a piece of one that turned out too big.
type stretch struct {
	table.Range
	block int
}

// compared is a stretch whose sums differ.
type compared struct {
	stretch
	leaf int         // its number in the plan, where it has one
	most int64       // rows on the node that has the most
	sums []table.Sum // of each node, if they are of the very snapshots that the rows are listed in
}

// compare does a batch: digest every leaf on every node at once, list what differs, keep the candidates.
func (j *job) compare(ctx context.Context) error {
	j.totals.RowsPerNode = make([]int64, len(j.nodes))
	j.totals.PairCandidates = make([]int64, len(j.plan.Pairs()))
	switch {
	case j.plan.Strategy == plan.Keys:
		return j.compareKeys(ctx)
	case j.unit.Dense:
		return j.narrowAll(ctx, j.unit.From)
	case j.plan.Strategy == plan.Pages:
		return j.narrowScanned(ctx)
	}
	if j.plan.Known != nil {
		return j.inSnapshots(ctx, func(txs []plan.Tx) error { return j.compareChanged(ctx, txs) })
	}
	if j.unit.Probe && j.unit.To-j.unit.From > 2*probedLeaves {
		return j.probe(ctx)
	}
	return j.inSnapshots(ctx, func(txs []plan.Tx) error { return j.compareLeaves(ctx, txs, j.unit.From, j.unit.To) })
}

// probe compares some leaves first. Where most of these differ, the others are not digested as a whole any more.
func (j *job) probe(ctx context.Context) error {
	probed, dense := j.unit.From+probedLeaves, false
	err := j.inSnapshots(ctx, func(txs []plan.Tx) error {
		if err := j.compareLeaves(ctx, txs, j.unit.From, probed); err != nil {
			return err
		}
		if dense = j.totals.Differing > probedLeaves/2; dense {
			return nil
		}
		return j.compareLeaves(ctx, txs, probed, j.unit.To)
	})
	if err == nil && dense {
		err = j.narrowAll(ctx, probed)
	}
	return err
}

func (j *job) compareLeaves(ctx context.Context, txs []plan.Tx, from, to int) error {
	stretches := make([]stretch, 0, to-from)
	for leaf := from; leaf < to; leaf++ {
		stretches = append(stretches, j.leaf(leaf))
	}
	return j.compareAll(ctx, txs, stretches)
}

// compareAll digests leaves, narrows those that differ, and keeps which blocks were equal.
func (j *job) compareAll(ctx context.Context, txs []plan.Tx, leaves []stretch) error {
	if len(leaves) == 0 {
		return nil
	}
	sums, horizons, err := j.sums(ctx, txs, leaves)
	if err != nil {
		return err
	}
	j.trust(leaves, sums, horizons)
	return j.settle(ctx, txs, leaves, sums, maxSplits)
}

func (j *job) leaf(leaf int) stretch {
	return stretch{Range: j.plan.Layout.Chunk(leaf), block: j.plan.Layout.BlockOf(leaf)}
}

// inSnapshots runs fn with a transaction on every node.
func (j *job) inSnapshots(ctx context.Context, fn func([]plan.Tx) error) error {
	txs, end, err := j.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return fn(txs)
}

// compareStretches digests stretches and narrows those that differ, in key order.
func (j *job) compareStretches(ctx context.Context, txs []plan.Tx, stretches []stretch, splits int) error {
	if len(stretches) == 0 {
		return nil
	}
	sums, _, err := j.sums(ctx, txs, stretches)
	if err != nil {
		return err
	}
	return j.settle(ctx, txs, stretches, sums, splits)
}

// settle counts the stretches that are equal and narrows the others.
func (j *job) settle(ctx context.Context, txs []plan.Tx, stretches []stretch, sums [][]table.Sum, splits int) error {
	var differing []compared
	for i, s := range stretches {
		d := compared{stretch: s}
		equal := true
		for node := range sums {
			sum := sums[node][i]
			d.sums = append(d.sums, sum)
			d.most = max(d.most, sum.Rows)
			equal = equal && sum == sums[0][i]
		}
		if equal {
			j.totals.AddEqual(d.most)
			for node, sum := range d.sums {
				j.addListed(node, sum)
			}
			continue
		}
		differing = append(differing, d)
	}
	return j.narrow(ctx, txs, differing, splits)
}

// sums digests stretches on every node, and gives the horizon of each node's snapshot.
func (j *job) sums(ctx context.Context, txs []plan.Tx, stretches []stretch) ([][]table.Sum, []int64, error) {
	ranges := make([]table.Range, len(stretches))
	for i, s := range stretches {
		ranges[i] = s.Range
	}
	sums := make([][]table.Sum, len(txs))
	horizons := make([]int64, len(txs))
	err := j.onAll(ctx, func(ctx context.Context, node int) (err error) {
		sums[node], horizons[node], err = txs[node].Sums(ctx, j.sources[node], ranges)
		return err
	})
	return sums, horizons, err
}

// listed is how many rows of a node are listed at once.
func listLimit(p *plan.Plan) int64 { return min(plan.SplitAbove*p.BlockRows, maxListed) }

// narrow lists differing stretches, as many at a time as memory allows; one too big for that is split.
func (j *job) narrow(ctx context.Context, txs []plan.Tx, differing []compared, splits int) error {
	limit := listLimit(j.plan)
	for len(differing) > 0 {
		if first := differing[0]; first.most > limit {
			if err := j.split(ctx, txs, first, splits); err != nil {
				return err
			}
			differing = differing[1:]
			continue
		}
		n, rows := fitting(differing, limit)
		if err := j.list(ctx, txs, differing[:n], rows); err != nil {
			return err
		}
		differing = differing[n:]
	}
	return nil
}

// fitting gives how many of the first stretches hold at most limit rows together, and how many that is.
func fitting(differing []compared, limit int64) (n int, rows int64) {
	for n < len(differing) && rows+differing[n].most <= limit {
		rows += differing[n].most
		n++
	}
	return n, rows
}

// split cuts a range where the node that has the most rows says, and compares the pieces in the same snapshots.
func (j *job) split(ctx context.Context, txs []plan.Tx, c compared, splits int) error {
	if splits == 0 {
		return fault.New(fault.Internal, "a block of %d rows cannot be split any further", c.most)
	}
	cuts := make([][]table.Key, len(txs))
	err := j.onAll(ctx, func(ctx context.Context, node int) (err error) {
		cuts[node], err = txs[node].Cut(ctx, j.sources[node], c.Range, listLimit(j.plan)/plan.SplitAbove)
		return err
	})
	if err != nil {
		return err
	}
	most := slices.MaxFunc(cuts, func(a, b []table.Key) int { return len(a) - len(b) })
	if len(most) == 0 {
		return fault.New(fault.Internal, "a block of %d rows has no row to split it at", c.most)
	}
	pieces := make([]stretch, 0, len(most)+1)
	lo := c.Lo
	for _, key := range append(most, c.Hi) {
		pieces = append(pieces, stretch{Range: table.Range{Lo: lo, Hi: key}, block: c.block})
		lo = key
	}
	return j.compareStretches(ctx, txs, pieces, splits-1)
}

// list fetches keys and digests of differing stretches from every node and keeps the candidates.
func (j *job) list(ctx context.Context, txs []plan.Tx, differing []compared, limit int64) error {
	lists, err := j.lists(ctx, txs, differing, limit)
	if err != nil {
		return err
	}
	return j.match(func(keys []table.Key) ([]int, error) { return txs[0].Rank(ctx, j.sources[0], keys) }, lists, differing)
}

func (j *job) lists(ctx context.Context, txs []plan.Tx, differing []compared, limit int64) ([][][]table.Listed, error) {
	ranges := make([]table.Range, len(differing))
	for i, d := range differing {
		ranges[i] = d.Range
	}
	lists := make([][][]table.Listed, len(txs))
	err := j.onAll(ctx, func(ctx context.Context, node int) (err error) {
		lists[node], err = txs[node].List(ctx, j.sources[node], ranges, limit)
		return err
	})
	return lists, err
}

// match finds the candidates of each range and writes them in key order. rank has a server sort keys.
func (j *job) match(rank func([]table.Key) ([]int, error), lists [][][]table.Listed, differing []compared) error {
	for i, d := range differing {
		if err := j.matchOne(rank, nthOf(lists, i), d); err != nil {
			return err
		}
	}
	return nil
}

// nthOf picks what each node says of the i-th range.
func nthOf[T any](lists [][]T, i int) []T {
	perNode := make([]T, len(lists))
	for node := range lists {
		perNode[node] = lists[node][i]
	}
	return perNode
}

// matchOne finds the candidates of one range, of which each node has listed its rows.
func (j *job) matchOne(rank func([]table.Key) ([]int, error), lists [][]table.Listed, d compared) error {
	for node := range lists {
		j.totals.RowsPerNode[node] += int64(len(lists[node]))
		j.addListed(node, sumListed(lists[node]))
	}
	if err := j.checkListed(d, lists); err != nil {
		return err
	}
	found, keys, err := matchRange(lists, rank)
	if err != nil {
		return j.explain(err)
	}
	j.totals.Keys += keys
	return j.keep(found, d.block)
}

// checkListed makes sure that a node has listed the very rows that it had digested: what a listing lacks would be taken
// for equal.
func (j *job) checkListed(d compared, lists [][]table.Listed) error {
	for node, want := range d.sums {
		var sum table.Sum
		for _, row := range lists[node] {
			sum = sum.Add(table.Sum{Rows: 1, Digest: row.Digest})
		}
		if sum != want {
			return fault.New(fault.Invalid, "node %q listed %d rows of %s, which it had digested as %d other rows: an index of the table is damaged (REINDEX), or table_filter gives another answer each time",
				j.plan.Nodes[node], sum.Rows, plan.DescribeRange(d.Range), want.Rows)
		}
	}
	return nil
}

// explain names the node that matching has found two rows of one key on.
func (j *job) explain(err error) error {
	var twice *twiceError
	if !errors.As(err, &twice) {
		return err
	}
	return fault.Wrap(err, fault.Invalid, "node %q has two rows with the key %s, so its unique index is damaged: rows cannot be told apart (REINDEX names the duplicates)",
		j.plan.Nodes[twice.node], twice.key)
}

// keep writes the candidates of a range to the part and counts them for each pair.
func (j *job) keep(found []plan.Candidate, block int) error {
	if len(found) > 0 {
		j.totals.Differing++
	}
	for _, c := range found {
		c.Block = block
		if err := j.keepOne(c); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) keepOne(c plan.Candidate) error {
	j.totals.Candidates++
	if c.Digest == nil {
		j.totals.WithoutDigest++
	}
	for p, pair := range j.plan.Pairs() {
		if c.Digest != nil && !sameDigest(c.Digest[pair.A], c.Digest[pair.B]) {
			j.totals.PairCandidates[p]++
		}
	}
	j.line = c.AppendLine(j.line[:0])
	return j.out.Line(j.line)
}

func sameDigest(a, b *int64) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}
