package worker

import (
	"context"
	"errors"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// scan does a unit that reads some pages of every node, all nodes at once; rows counts what it found there.
func (j *job) scan(ctx context.Context, read func(ctx context.Context, tx plan.Tx, node int) (plan.PageSums, error), rows func(plan.PageSums) int64) error {
	found := make([]plan.PageSums, len(j.nodes))
	err := j.inPass(ctx, func(txs []plan.Tx) error {
		j.announce(txs, true)
		return j.onAll(ctx, func(ctx context.Context, node int) (err error) {
			found[node], err = read(ctx, txs[node], node)
			return err
		})
	})
	if err != nil {
		return err
	}
	return j.writePages(found, rows)
}

// sum does a unit of the pages strategy: pages are digested per leaf or bucket.
func (j *job) sum(ctx context.Context, by table.Grouping) error {
	return j.scan(ctx, func(ctx context.Context, tx plan.Tx, node int) (plan.PageSums, error) {
		return j.sumPages(ctx, tx, node, by)
	}, plan.PageSums.GroupedRows)
}

// writePages writes what the pages of each node hold to the part, and counts their rows.
func (j *job) writePages(found []plan.PageSums, rows func(plan.PageSums) int64) error {
	j.totals.RowsPerNode = make([]int64, len(j.nodes))
	for node, row := range found {
		j.totals.RowsPerNode[node] = rows(row)
		if err := j.out.Row(row); err != nil {
			return err
		}
	}
	return nil
}

// sumPages digests the unit's pages of one node, and keeps what each stretch of them held where that is of use later.
func (j *job) sumPages(ctx context.Context, tx plan.Tx, node int, by table.Grouping) (plan.PageSums, error) {
	spans := j.plan.Scans[j.unit.Index][node]
	sums := make([]table.Sum, by.Groups())
	var kept *stretchSums
	if j.keepsStretches() {
		by.Coarse = j.plan.CoarseBuckets()
		kept = newStretchSums(spans, by.Coarse)
	}
	horizons, err := tx.PageSums(ctx, j.sources[node], spans, by, func(span, group int, sum table.Sum) {
		if kept != nil && span != table.AllSpans {
			kept.add(span, group, sum)
			return
		}
		sums[group] = sums[group].Add(sum)
	})
	row := plan.PageSums{Node: node}
	for group, sum := range sums {
		if sum.Rows > 0 {
			row.Group = append(row.Group, group)
			row.Rows = append(row.Rows, sum.Rows)
			row.Digest = append(row.Digest, sum.Digest)
		}
	}
	if kept == nil || err != nil {
		return row, err
	}
	row.PageRanges = kept.stretches(horizons)
	if once, again := row.GroupedRows(), row.PageRangeRows(); once != again {
		return row, fault.New(fault.Internal, "node %q counted %d rows and %d rows on the same pages", j.plan.Nodes[node], once, again)
	}
	return row, nil
}

// keepsStretches: of a comparison of all pages, for a baseline.
func (j *job) keepsStretches() bool {
	return j.plan.Grid > 0 && j.plan.Known == nil && j.unit.Phase == plan.PhaseBuckets && len(j.unit.Buckets) == 0
}

// narrowScanned lists the leaves that a scan found to differ, or the few rows of the buckets that do.
func (j *job) narrowScanned(ctx context.Context) error {
	if len(j.unit.Buckets) > 0 && len(j.unit.Chunks) == 0 {
		return j.narrowBuckets(ctx)
	}
	limit := listLimit(j.plan)
	if j.plan.ByText {
		limit = plan.MaxScanListed
	}
	differing := make([]compared, len(j.unit.Chunks))
	for i, leaf := range j.unit.Chunks {
		differing[i] = compared{stretch: j.leaf(leaf), leaf: leaf, most: j.unit.Rows[i]}
	}
	return j.inGroups(differing, limit, func(group []compared) error { return j.narrowGroup(ctx, group, 2*limit) })
}

// inGroups narrows leaves, as many at a time as hold about limit rows.
func (j *job) inGroups(differing []compared, limit int64, narrow func([]compared) error) error {
	for len(differing) > 0 {
		n, _ := fitting(differing, limit)
		n = max(1, n)
		if err := narrow(differing[:n]); err != nil {
			return err
		}
		differing = differing[n:]
	}
	return nil
}

// narrowGroup lists some leaves in one snapshot per node, and matches them when the nodes are free for others. If they
// have outgrown what was expected, they are digested and split like any other range.
func (j *job) narrowGroup(ctx context.Context, group []compared, limit int64) error {
	list := j.lists
	if j.plan.ByText {
		list = j.scanLists
	}
	var lists [][][]table.Listed
	err := j.inSnapshots(ctx, func(txs []plan.Tx) (err error) {
		for _, tx := range txs {
			tx.Last()
		}
		lists, err = list(ctx, txs, group, limit)
		return err
	})
	switch {
	case errors.Is(err, table.ErrMore):
		return j.narrowGrown(ctx, group, limit)
	case err != nil:
		return err
	}
	return j.match(j.rank(ctx), lists, group)
}

// narrowGrown narrows leaves that hold more rows than were expected, and than the limit allows.
func (j *job) narrowGrown(ctx context.Context, group []compared, limit int64) error {
	if j.plan.ByText { // no index gives the pieces of a range
		return fault.New(fault.Unavailable, "differing ranges have grown beyond %d rows while they were compared", limit)
	}
	stretches := make([]stretch, len(group))
	for i, d := range group {
		stretches[i] = d.stretch
	}
	return j.inSnapshots(ctx, func(txs []plan.Tx) error {
		return j.compareStretches(ctx, txs, stretches, maxSplits)
	})
}

// scanLists lists some leaves by reading each node's table in physical order.
func (j *job) scanLists(ctx context.Context, txs []plan.Tx, group []compared, limit int64) ([][][]table.Listed, error) {
	leaves := make([]int, len(group))
	for i, d := range group {
		leaves[i] = d.leaf
	}
	lists, err := j.scanList(ctx, txs, j.plan.Layout.Bounds, leaves, limit)
	if err != nil {
		return nil, err
	}
	for node := range lists {
		listed := make([][]table.Listed, len(leaves))
		for i, leaf := range leaves {
			listed[i] = lists[node][leaf]
		}
		lists[node] = listed
	}
	return lists, nil
}

// scanList lists rows of these ranges between the bounds, or of all if there are none, each at its number.
func (j *job) scanList(ctx context.Context, txs []plan.Tx, bounds []table.Key, ranges []int, limit int64) ([][][]table.Listed, error) {
	lists := make([][][]table.Listed, len(txs))
	err := j.onAll(ctx, func(ctx context.Context, node int) (err error) {
		lists[node], err = txs[node].ScanList(ctx, j.sources[node], bounds, ranges, limit)
		return err
	})
	return lists, err
}

// narrowBuckets lists the rows of the unit's buckets in one more pass over the pages and puts them into key order. They are
// few, so they are told apart by block: finding a leaf among thousands takes longer than digesting a row.
func (j *job) narrowBuckets(ctx context.Context) error {
	layout := j.plan.Layout
	blocks := make([]compared, layout.Blocks())
	for block := range blocks {
		blocks[block] = compared{stretch: stretch{Range: layout.KeyRange(layout.ChunksOfBlock(block)), block: block}}
	}
	limit := 2 * j.plan.ScanListLimit()
	var lists [][][]table.Listed
	err := j.inSnapshots(ctx, func(txs []plan.Tx) (err error) {
		for _, tx := range txs {
			tx.Last()
		}
		lists, err = j.scanList(ctx, txs, layout.BlockBounds(), nil, limit)
		return err
	})
	switch {
	case errors.Is(err, table.ErrMore):
		return j.narrowGrown(ctx, blocks, limit)
	case err != nil:
		return err
	}
	return j.match(j.rank(ctx), lists, blocks)
}

// pageAges asks a node for the ages of the rows on the unit's pages.
func (j *job) pageAges(ctx context.Context, tx plan.Tx, node int) (plan.PageSums, error) {
	ages, err := tx.PageFreshness(ctx, j.sources[node], j.plan.Scans[j.unit.Index][node])
	return plan.PageSums{Node: node, Ages: ages}, err
}
