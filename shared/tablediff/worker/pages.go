package worker

import (
	"context"
	"errors"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// scanPages does a unit that reads some pages of every node, on all nodes at once. read
// reads the pages of one node; rows returns the number of rows in a result of read.
func (r *unitRun) scanPages(ctx context.Context, read func(ctx context.Context, tx plan.Tx, node int) (plan.PageSums, error), rows func(plan.PageSums) int64) error {
	found := make([]plan.PageSums, len(r.nodes))
	err := r.inPass(ctx, func(txs []plan.Tx) error {
		return r.onAll(ctx, func(ctx context.Context, node int) (err error) {
			found[node], err = read(ctx, txs[node], node)
			return err
		})
	})
	if err != nil {
		return err
	}
	return r.writePages(found, rows)
}

// digestPages does a unit of the pages strategy that digests pages per chunk or bucket.
func (r *unitRun) digestPages(ctx context.Context, by table.Grouping) error {
	return r.scanPages(ctx, func(ctx context.Context, tx plan.Tx, node int) (plan.PageSums, error) {
		return r.digestPagesOf(ctx, tx, node, by)
	}, plan.PageSums.GroupedRows)
}

// writePages writes the result of each node to the part, and counts the rows.
func (r *unitRun) writePages(found []plan.PageSums, rows func(plan.PageSums) int64) error {
	r.totals.RowsPerNode = make([]int64, len(r.nodes))
	for node, row := range found {
		r.totals.RowsPerNode[node] = rows(row)
		if err := r.out.Row(row); err != nil {
			return err
		}
	}
	return nil
}

// digestPagesOf digests the unit's pages of one node. The result includes the sums of
// each page range if a later comparison can use them.
func (r *unitRun) digestPagesOf(ctx context.Context, tx plan.Tx, node int, by table.Grouping) (plan.PageSums, error) {
	spans := r.plan.Scans[r.unit.Index][node]
	sums := make([]table.Sum, by.Groups())
	var kept *rangeSummer
	if r.keepsRangeSums() {
		by.Coarse = r.plan.CoarseBuckets()
		kept = newRangeSummer(spans, by.Coarse)
	}

	horizons, err := tx.PageSums(ctx, r.sources[node], spans, by, func(span, group int, sum table.Sum) {
		if kept != nil && span != table.AllPageRanges {
			kept.add(span, group, sum)
			return
		}
		sums[group] = sums[group].Add(sum)
	}, r.callOptions(true)...)

	row := plan.NewPageSums(node, sums)
	if kept == nil || err != nil {
		return row, err
	}

	row.Ranges = kept.result(horizons)
	if once, again := row.GroupedRows(), row.RangeRows(); once != again {
		return row, fault.New(fault.Internal, "node %q counted %d rows and %d rows on the same pages", r.plan.Nodes[node], once, again)
	}

	return row, nil
}

// keepsRangeSums reports whether the unit stores the sums of page ranges. It does so if
// it reads the rows of all buckets, in a comparison without a baseline that may store a
// baseline itself.
func (r *unitRun) keepsRangeSums() bool {
	return r.plan.Grid > 0 && r.plan.Known == nil && r.unit.Phase == plan.PhaseBuckets && len(r.unit.Buckets) == 0
}

// narrowScanned finds the candidates of a unit of the pages strategy. It lists the rows
// of the chunks that a scan found to differ. If the unit names buckets but no chunks, it
// lists the rows of these buckets, which are few.
func (r *unitRun) narrowScanned(ctx context.Context) error {
	if len(r.unit.Buckets) > 0 && len(r.unit.Chunks) == 0 {
		return r.narrowBuckets(ctx)
	}

	limit := listLimit(r.plan)
	if r.plan.ByText {
		limit = plan.MaxScanListed
	}

	differing := make([]differingChunk, len(r.unit.Chunks))
	for i, chunk := range r.unit.Chunks {
		differing[i] = differingChunk{keyChunk: r.chunkAt(chunk), chunk: chunk, maxRows: r.unit.Rows[i]}
	}

	return r.narrowInGroups(differing, limit, func(group []differingChunk) error { return r.narrowGroup(ctx, group, 2*limit) })
}

// narrowInGroups calls narrow with groups of consecutive elements of differing. A group
// has at most about limit rows, or is a single chunk with more rows.
func (r *unitRun) narrowInGroups(differing []differingChunk, limit int64, narrow func([]differingChunk) error) error {
	for len(differing) > 0 {
		n, _ := countFitting(differing, limit)
		n = max(1, n)
		if err := narrow(differing[:n]); err != nil {
			return err
		}
		differing = differing[n:]
	}
	return nil
}

// narrowGroup lists the rows of some chunks in one snapshot per node. It matches the rows
// after it has closed the transactions. If the chunks have more than limit rows,
// narrowGroup calls narrowOversized instead.
func (r *unitRun) narrowGroup(ctx context.Context, group []differingChunk, limit int64) error {
	list := r.listRows
	if r.plan.ByText {
		list = r.listChunksByScan
	}

	var lists [][][]table.Listed
	err := r.inSnapshots(ctx, func(txs []plan.Tx) (err error) {
		lists, err = list(ctx, txs, group, limit, table.EndTransaction)
		return err
	})
	switch {
	case errors.Is(err, table.ErrMore):
		return r.narrowOversized(ctx, group, limit)
	case err != nil:
		return err
	}

	return r.match(r.rank(ctx), lists, group)
}

// narrowOversized narrows chunks that were found to have more than limit rows. It digests
// these chunks, and splits the chunks that are too big to be listed.
func (r *unitRun) narrowOversized(ctx context.Context, group []differingChunk, limit int64) error {
	if r.plan.ByText { // no index can be used to split the range
		return fault.New(fault.Unavailable, "differing ranges have grown beyond %d rows during the comparison", limit)
	}
	chunks := make([]keyChunk, len(group))
	for i, d := range group {
		chunks[i] = d.keyChunk
	}
	return r.inSnapshots(ctx, func(txs []plan.Tx) error {
		return r.compareChunks(ctx, txs, chunks, maxSplits)
	})
}

// listChunksByScan lists the rows of the chunks in group. It reads each node's table in
// physical order. The result has, for each node and each chunk of group, the keys and
// digests of the rows.
func (r *unitRun) listChunksByScan(ctx context.Context, txs []plan.Tx, group []differingChunk, limit int64, options ...table.CallOption) ([][][]table.Listed, error) {
	chunks := make([]int, len(group))
	for i, d := range group {
		chunks[i] = d.chunk
	}

	lists, err := r.listByScan(ctx, txs, r.plan.Layout.Bounds, chunks, limit, options...)
	if err != nil {
		return nil, err
	}

	for node := range lists {
		listed := make([][]table.Listed, len(chunks))
		for i, chunk := range chunks {
			listed[i] = lists[node][chunk]
		}

		lists[node] = listed
	}

	return lists, nil
}

// listByScan calls ScanList on every node and returns, for each node, the result of the
// call. The parameters are those of ScanList (see plan.Tx).
func (r *unitRun) listByScan(ctx context.Context, txs []plan.Tx, bounds []table.Key, ranges []int, limit int64, options ...table.CallOption) ([][][]table.Listed, error) {
	lists := make([][][]table.Listed, len(txs))
	err := r.onAll(ctx, func(ctx context.Context, node int) (err error) {
		lists[node], err = txs[node].ScanList(ctx, r.sources[node], bounds, ranges, limit, options...)
		return err
	})
	return lists, err
}

// narrowBuckets lists the rows of the unit's buckets in one more pass over the pages and
// matches them. The pass assigns each row to its block, not to its chunk: finding the
// chunk of a row among thousands takes longer than digesting the row. Blocks suffice,
// because the buckets have few rows.
func (r *unitRun) narrowBuckets(ctx context.Context) error {
	layout := r.plan.Layout
	blocks := make([]differingChunk, layout.Blocks())
	for block := range blocks {
		blocks[block] = differingChunk{keyChunk: keyChunk{Range: layout.KeyRange(layout.ChunksOfBlock(block)), block: block}}
	}

	limit := 2 * r.plan.ScanListLimit()
	var lists [][][]table.Listed
	err := r.inSnapshots(ctx, func(txs []plan.Tx) (err error) {
		lists, err = r.listByScan(ctx, txs, layout.BlockBounds(), nil, limit, table.EndTransaction)
		return err
	})
	switch {
	case errors.Is(err, table.ErrMore):
		return r.narrowOversized(ctx, blocks, limit)
	case err != nil:
		return err
	}

	return r.match(r.rank(ctx), lists, blocks)
}

// pageAges reads the ages of the rows on the unit's pages of one node.
func (r *unitRun) pageAges(ctx context.Context, tx plan.Tx, node int) (plan.PageSums, error) {
	ages, err := tx.PageFreshness(ctx, r.sources[node], r.plan.Scans[r.unit.Index][node], r.callOptions(true)...)
	return plan.PageSums{Node: node, Ages: ages}, err
}
