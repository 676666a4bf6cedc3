package tablediff

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"ace/shared/api"
	"ace/shared/blockplan"
	"ace/shared/fanout"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// With the strategy of sequential scans, each node is read once, by one statement per
// partition that computes the sum of every chunk. PostgreSQL reads a table through a ring
// of few buffers if it scans the table sequentially and the table is larger than a
// quarter of the shared buffers. Such a scan does not evict the pages that the
// applications need. It also reads pages that are not in the shared buffers in physical
// order. The strategy has two costs: each node has one long statement and snapshot, and a
// repeated unit reads its whole node again.

const (
	// ringShare is the share of the shared buffers (one in ringShare) above which a table
	// is read through a ring. It is fixed in PostgreSQL.
	ringShare = 4
	// scanPagesPerSecond is the number of pages that a server is expected to read and digest
	// in a second, by one process and in the worst case: 20 MB. Usually it is ten times as
	// much.
	scanPagesPerSecond = 2_500
	// sampledPages is the usual maximum number of chunks (see maxSequentialChunks). A page
	// is sampled for each chunk, and these pages do not pass through a ring.
	sampledPages = 3_072
	// The number of chunks that are compared to find out whether most chunks differ is
	// between minProbed and maxProbed. Their pages do not pass through a ring either.
	minProbed = 4
	maxProbed = 16
	// For each row, the server searches for the key range that contains it. With a cheap
	// order (see cheapOrders) the time grows with the logarithm of the number of ranges.
	// With any other order it grows with the number itself. The number is bounded so that a
	// scan is not slower than scanPagesPerSecond. The server also has the sum of each range
	// in memory.
	maxRanges       = 65_536
	maxLinearRanges = 1_024
)

// cheapOrders are the types of keys for which finding the chunk of a row takes much less
// time than digesting it.
func cheapOrders() []string {
	return []string{"bigint", "pg_catalog.date", "pg_catalog.timestamp", "pg_catalog.timestamptz", "pg_catalog.uuid"}
}

// scanLimit bounds how long a sequential scan is expected to take. 0 means no limit.
type scanLimit struct {
	statement time.Duration // of one partition
	snapshot  time.Duration // of all partitions of a node
}

// trySequential plans sequential scans, if they are possible and useful. Otherwise it
// returns false and does not change the plan, except for a warning if the request demands
// sequential scans.
func (p *planner) trySequential(ctx context.Context) (chosen bool, err error) {
	asked := cmp.Or(p.request.SequentialScan, api.SequentialScanNever)
	if asked == api.SequentialScanNever {
		return false, nil
	}

	always := asked == api.SequentialScanAlways
	if why := p.whyNoSequential(always); why != "" {
		if always {
			p.plan.Warnings = append(p.plan.Warnings, "sequential_scan=always had no effect: "+why)
		}
		return false, nil
	}
	if !always && !p.leavesRoom() {
		return false, nil
	}

	before := *p.plan
	samples, err := p.cut(ctx, p.size.Coarsen(p.most, int(min(p.maxSequentialChunks(), p.maxSearched()))), !always)
	if err != nil {
		return false, err
	}

	if !always {
		useful, err := p.isSequentialUseful(ctx, samples)
		if err != nil || !useful {
			*p.plan = before
			return false, err
		}
	}

	p.planSequential()
	return true, nil
}

// planSequential sets the strategy and the scan units: one for each node.
func (p *planner) planSequential() {
	p.plan.Strategy = plan.Sequential
	p.plan.Buckets, p.plan.Grid = 0, 0
	p.plan.Scans = make([][][]table.PageRange, len(p.nodes))
	for node, source := range p.plan.Sources {
		p.plan.Scans[node] = make([][]table.PageRange, len(p.nodes))
		for i := range source.Partitions {
			p.plan.Scans[node][node] = append(p.plan.Scans[node][node], table.PageRange{Partition: i, To: -1})
		}
	}
}

// whyNoSequential returns why sequential scans are impossible. An empty string means that
// they are possible. If the request demands them (always), the snapshot may become older
// than usual.
func (p *planner) whyNoSequential(always bool) string {
	switch {
	case p.plan.ByText:
		return "no index of the key orders rows alike on all nodes"
	case !p.pagesReadable():
		return "its partitions cannot be read one by one"
	}

	if blocks := p.most / p.size.BlockRows; blocks > p.maxSearched() {
		needed := p.most/p.maxSearched() + 1
		if needed > maxBlockRows {
			return fmt.Sprintf("finding the block of each row among %d takes too long, and so it does with the largest block_rows, %d", blocks, maxBlockRows)
		}
		return fmt.Sprintf("finding the block of each row among %d takes too long: set block_rows to %d or more", blocks, needed)
	}

	for i, source := range p.plan.Sources {
		var all int64
		for _, partition := range source.Partitions {
			all += partition.Pages
			if exceeds(partition.Pages, p.request.scanLimit.statement) {
				return fmt.Sprintf("on node %s, one statement might take longer than %s", p.plan.Nodes[i], p.request.scanLimit.statement)
			}
		}
		if !always && exceeds(all, p.request.scanLimit.snapshot) {
			return fmt.Sprintf("on node %s, the snapshot might become older than %s", p.plan.Nodes[i], p.request.scanLimit.snapshot)
		}
	}

	return ""
}

// maxSearched returns the maximum number of key ranges among which the server can search
// the range of each row.
func (p *planner) maxSearched() int64 {
	if p.isOrderCheap() {
		return maxRanges
	}
	return maxLinearRanges
}

// isOrderCheap reports whether the key is one column of a type in cheapOrders.
func (p *planner) isOrderCheap() bool {
	source := p.plan.Sources[0]
	return source.ScalarOrder && slices.Contains(cheapOrders(), source.OrderType[0])
}

// exceeds reports whether scanning this many pages may take longer than the limit.
func exceeds(pages int64, limit time.Duration) bool {
	return limit > 0 && float64(pages) > scanPagesPerSecond*limit.Seconds()
}

// leavesRoom reports whether all of these are true: sequential scans read most pages of
// every node through a ring; the filter selects most rows; the chunk of a row is cheap to
// find; and no node is a standby, which would cancel a long statement that delays its
// recovery.
func (p *planner) leavesRoom() bool {
	if p.exact || !p.isOrderCheap() {
		return false
	}

	for i, d := range p.descriptions {
		if d.Standby {
			return false
		}
		var all, inRing int64
		for _, partition := range p.plan.Sources[i].Partitions {
			all += partition.Pages
			if partition.Pages > d.SharedBuffers/ringShare {
				inRing += partition.Pages
			}
		}
		if d.SharedBuffers == 0 || inRing*4 < all*3 || p.estimates[i]*2 < d.RowEstimate {
			return false
		}
	}

	return true
}

// maxSequentialChunks returns the maximum number of chunks with sequential scans. A page
// is sampled for each chunk. The sampled pages have at most 24 MB and at most a sixteenth
// of the least shared buffers, but they may always have a 64th of these buffers.
func (p *planner) maxSequentialChunks() int64 {
	least := p.leastBuffers()
	return max(min(sampledPages, least/16), least/64, 1)
}

// leastBuffers returns the size in pages of the shared buffers of the node that has the
// least.
func (p *planner) leastBuffers() int64 {
	least := p.descriptions[0].SharedBuffers
	for _, d := range p.descriptions {
		least = min(least, d.SharedBuffers)
	}
	return least
}

// isSequentialUseful reports whether all of these are true: the rows are stored in key
// order; some node does not have the table in its shared buffers yet; and
// mostChunksDiffer returns false. samples are the sampled keys of all nodes.
func (p *planner) isSequentialUseful(ctx context.Context, samples []blockplan.Sample) (bool, error) {
	if blockplan.Correlation(samples) < correlated {
		return false, nil
	}

	cached := true
	for _, sample := range p.samples {
		cached = cached && sample.Pages > 0 && sample.Cached*4 >= sample.Pages*3
	}
	if cached { // then reading through the index evicts nothing and is a little faster
		return false, nil
	}

	differ, err := p.mostChunksDiffer(ctx)
	return !differ, err
}

// mostChunksDiffer reports whether most of a few evenly spaced chunks differ. Then the
// rows of all chunks have to be listed, and a scan that only computes sums is of no use.
func (p *planner) mostChunksDiffer(ctx context.Context) (bool, error) {
	chunks := p.plan.Layout.Chunks()
	chunkPages := max(1, p.mostPages()/int64(chunks))
	probed := min(chunks, int(min(max(p.leastBuffers()/32/chunkPages, minProbed), maxProbed)))
	ranges := make([]table.Range, probed)
	for i := range ranges {
		ranges[i] = p.plan.Layout.Chunk((2*i + 1) * chunks / (2 * probed))
	}

	sums, err := fanout.Map(ctx, len(p.nodes), fanout.Indexes(len(p.nodes)), func(ctx context.Context, i int) ([]table.Sum, error) {
		tx, err := p.nodes[i].Begin(ctx, p.plan.Sources[i].Access())
		if err != nil {
			return nil, err
		}
		defer tx.Close()
		sums, _, err := tx.Sums(ctx, p.plan.Sources[i], ranges, table.EndTransaction)
		return sums, err
	})
	if err != nil {
		return false, err
	}

	differing, _, _ := differingGroups(sums)
	return len(differing) > probed/2, nil
}

// scanSequential reads every node by sequential scans and makes compare units for the
// chunks that differ. If most chunks differ, the compare units read the rows of every
// chunk.
func (r *run) scanSequential(ctx context.Context) error {
	defer r.timings.measure(plan.PhaseCompare)()
	r.progress.setPhase(plan.PhaseCompare)

	units, err := r.scanUnits(ctx, plan.PhaseScan, nil)
	if err != nil {
		return err
	}

	horizons := make([]int64, len(r.plan.Nodes))
	sums, err := combineScans(ctx, r.Store, len(r.plan.Nodes), r.plan.Layout.Chunks(), units, func(u plan.Unit, row plan.PageSums) error {
		if row.Node == u.Index {
			horizons[row.Node] = row.Horizon
			return nil
		}
		if len(row.Group) > 0 {
			return fmt.Errorf("unit %d has rows of node %d", u.Index, row.Node)
		}
		return nil
	})
	if err != nil {
		return err
	}

	if differing, _, _ := differingGroups(sums); len(differing) > r.plan.Layout.Chunks()/2 {
		r.compareDense(sums)
		return nil
	}

	r.expectListed(sums, false)
	r.compares, r.equal = narrowingUnits(r.plan, sums, nil, listedPerUnit(r.plan))
	r.equal.EqualBlocks = equalBlocks(r.plan.Layout, sums, horizons)
	return nil
}

// equalBlocks returns the blocks whose chunks are all equal on all nodes. sums has, per
// node, the sum of each chunk, and horizons the xmin of the snapshot in which the node
// was read. If no row was read on some node, its horizon is not known, and the result is
// empty.
func equalBlocks(layout blockplan.Layout, sums [][]table.Sum, horizons []int64) (equal []plan.EqualBlock) {
	if slices.Contains(horizons, 0) {
		return nil
	}
	for block := range layout.Blocks() {
		from, to := layout.ChunksOfBlock(block)
		rows, all := int64(0), true
		for chunk := from; chunk < to; chunk++ {
			_, same := compareGroup(sums, chunk)
			all = all && same
			rows += sums[0][chunk].Rows
		}
		if all {
			equal = append(equal, plan.EqualBlock{Block: block, Rows: rows, Horizons: horizons})
		}
	}
	return equal
}
