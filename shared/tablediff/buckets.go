package tablediff

import (
	"context"
	"errors"

	"ace/shared/table"
)

const (
	// scannedBlocks is how many blocks of rows one pass lists at most.
	scannedBlocks = 10
	// onePass is how many pages one statement reads at most (32 GB): more might take longer than a statement may.
	onePass = 4 << 20
)

// listedByScan is how many rows of the differing buckets one pass over the whole of every node's table may list. Where no
// index follows the order of the leaves, there is no other way than such passes.
func (p *Plan) listedByScan() int64 {
	if p.ByText {
		return scanListed
	}
	for _, source := range p.Sources {
		var pages int64
		for _, leaf := range source.Leaves {
			pages += leaf.Pages
		}
		if pages > onePass {
			return 0
		}
	}
	return min(scannedBlocks*p.BlockRows, scanListed)
}

// scanBuckets compares all pages of every node by buckets of the key's hash, or only the rows of these, of which there are
// then half of all at most. That costs little more than reading the rows, and says which few of them to look at again. Where
// these are too many to be listed at once, their leaves are looked for first; where they are most of all, every leaf is listed.
func (r *run) scanBuckets(ctx context.Context, buckets []int) error {
	sums, err := r.scanPages(ctx, phaseBuckets, r.plan.Buckets, buckets)
	if err != nil {
		return err
	}
	differing, rows, equal := differingBuckets(sums)
	switch {
	case rows <= r.plan.listedByScan():
		r.compareListed(differing, equal)
	case len(differing) <= r.plan.Buckets/2:
		if err := r.scanLeaves(ctx, differing); err != nil {
			return err
		}
		r.equal.add(equal)
	case r.plan.ByText: // no index follows the order of the leaves
		return r.scanLeaves(ctx, nil)
	default:
		r.expect(sums, true)
		r.compares = r.batches()
		for i := range r.compares {
			r.compares[i].Dense = true
		}
	}
	return nil
}

// compareListed has the rows of some buckets listed by one unit; equal is what the others hold.
func (r *run) compareListed(buckets []int, equal Totals) {
	u := r.unit(phaseCompare, 0)
	u.To, u.Buckets = r.plan.Layout.Leaves(), buckets
	r.compares, r.equal = []Unit{u}, equal
}

// differingBuckets gives the buckets whose sums differ, how many rows they hold, and what the equal ones amount to.
func differingBuckets(sums [][]table.Sum) (differing []int, rows int64, equal Totals) {
	equal.RowsPerNode = make([]int64, len(sums))
	for bucket := range sums[0] {
		most, same := across(sums, bucket)
		if same {
			equal.addEqual(most)
			continue
		}
		differing = append(differing, bucket)
		rows += most
	}
	return differing, rows, equal
}

// narrowBuckets lists the rows of the unit's buckets in one more pass over the pages and puts them into key order. They are
// few, so they are told apart by block: finding a leaf among thousands takes longer than digesting a row.
func (j *job) narrowBuckets(ctx context.Context) error {
	layout := j.plan.Layout
	blocks := make([]compared, layout.Blocks())
	for block := range blocks {
		blocks[block] = compared{stretch: stretch{Range: layout.Span(layout.BlockRange(block)), block: block}}
	}
	limit := 2 * j.plan.listedByScan()
	var lists [][][]table.Listed
	err := j.inSnapshots(ctx, func(txs []Tx) (err error) {
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
