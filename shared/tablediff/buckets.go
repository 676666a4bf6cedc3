package tablediff

import (
	"context"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// scanBuckets compares all pages of every node by buckets of the key's hash. Comparing
// buckets costs little more than reading the rows, and leaves few rows to read again: the
// rows of the buckets that differ. If these rows are too many to list at once, the pages
// are read once more to find the chunks that differ. If most buckets differ, the rows of
// every chunk are listed. (If no index can list chunks, the pages are read once more in
// this case too.)
//
// If buckets is not nil, scanBuckets compares only the rows of these buckets. The caller
// must pass at most half of all buckets. With more, scanBuckets could decide to compare
// all rows, and the caller would count the rows of the other buckets twice.
func (r *run) scanBuckets(ctx context.Context, buckets []int) error {
	sums, err := r.scanPages(ctx, plan.PhaseBuckets, r.plan.Buckets, buckets)
	if err != nil {
		return err
	}

	differing, rows, equal := differingGroups(sums)
	switch {
	case rows <= r.plan.ScanListLimit():
		r.compareListed(differing, equal)
	case len(differing) <= r.plan.Buckets/2:
		if err := r.scanChunks(ctx, differing); err != nil {
			return err
		}
		r.equal.Add(equal)

	case r.plan.ByText: // no index can list the rows of a chunk
		return r.scanChunks(ctx, nil)
	default:
		r.compareDense(sums)
	}

	return nil
}

// compareDense makes compare units that list the rows of every chunk. sums has the sum of
// each group (a chunk or a bucket) on each node.
func (r *run) compareDense(sums [][]table.Sum) {
	r.expectListed(sums, true)
	r.compares = r.batches()
	for i := range r.compares {
		r.compares[i].Dense = true
	}
}

// compareListed makes one compare unit that lists the rows of some buckets. equal has the
// totals of the other buckets.
func (r *run) compareListed(buckets []int, equal plan.Totals) {
	u := r.unit(plan.PhaseCompare, 0)
	u.To = r.plan.Layout.Chunks()
	u.Buckets = buckets
	r.compares, r.equal = []plan.Unit{u}, equal
}

// differingGroups returns the groups (chunks or buckets) whose sums differ, the number of
// their rows, and the totals of the equal groups. The rows of a differing group are
// counted on the node where the group has the most rows.
func differingGroups(sums [][]table.Sum) (differing []int, rows int64, equal plan.Totals) {
	equal.RowsPerNode = make([]int64, len(sums))
	for group := range sums[0] {
		most, same := compareGroup(sums, group)
		if same {
			equal.AddEqual(most)
			continue
		}

		differing = append(differing, group)
		rows += most
	}
	return differing, rows, equal
}
