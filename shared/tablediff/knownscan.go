package tablediff

import (
	"context"
	"fmt"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// scanKnown compares all pages of every node by coarse buckets. It digests only the pages
// that may have changed since the baseline. The rows of the buckets that differ are then
// compared as in a comparison without a baseline.
func (r *run) scanKnown(ctx context.Context) error {
	sums, err := r.knownSums(ctx)
	if err != nil {
		return err
	}

	differing, rows, equal := differingGroups(sums)
	buckets := r.plan.FineBuckets(differing)
	switch {
	case rows <= r.plan.ScanListLimit():
		r.compareListed(buckets, equal)
		return nil
	case len(differing) <= r.plan.CoarseBuckets()/2:
		if err := r.scanBuckets(ctx, buckets); err != nil {
			return err
		}

		r.equal.Add(equal)
		return nil
	}

	return r.scanBuckets(ctx, nil)
}

// knownSums returns the sums of the coarse buckets on every node. It also records the
// sums of each page range for the next baseline.
func (r *run) knownSums(ctx context.Context) ([][]table.Sum, error) {
	units, err := r.scanUnits(ctx, plan.PhaseChanged, nil)
	if err != nil {
		return nil, err
	}

	nodes := len(r.plan.Nodes)
	sums := plan.NewSums(nodes, r.plan.CoarseBuckets())
	known := make([]map[table.PageRange]plan.RangeSums, nodes)
	r.rangeSums = make([][]plan.RangeSums, nodes)
	for node := range known {
		known[node] = r.plan.KnownRanges(node)
	}

	for _, u := range units {
		err := eachScan(ctx, r.Store, u, nodes, func(row plan.PageSums) error {
			if err := checkRanges(r.plan, u, row); err != nil {
				return err
			}

			for _, s := range row.Ranges {
				if s.Same {
					r.unchangedRanges++
					s.Same = false
					s.Sums = known[row.Node][s.PageRange].Sums
				}

				rows, err := plan.AddPacked(s.Sums, sums[row.Node])
				if err == nil && rows != s.Rows {
					err = fmt.Errorf("the sums are of %d rows instead of %d", s.Rows, rows)
				}
				if err != nil {
					return err
				}

				r.rangeSums[row.Node] = append(r.rangeSums[row.Node], s)
			}

			return nil
		})
		if err != nil {
			return nil, err
		}
	}

	return sums, nil
}

// keepRangeSums records the sums of each page range for the next baseline.
func (r *run) keepRangeSums(u plan.Unit, row plan.PageSums) error {
	if r.rangeSums == nil || len(row.Ranges) == 0 {
		return nil
	}
	if err := checkRanges(r.plan, u, row); err != nil {
		return err
	}
	r.rangeSums[row.Node] = append(r.rangeSums[row.Node], row.Ranges...)
	return nil
}

// checkRanges verifies that a row of a part has all page ranges of the unit. A missing
// range would count as empty.
func checkRanges(p *plan.Plan, u plan.Unit, row plan.PageSums) error {
	spans := p.Scans[u.Index][row.Node]
	if len(spans) != len(row.Ranges) {
		return fmt.Errorf("%d of %d page ranges of node %d", len(row.Ranges), len(spans), row.Node)
	}
	for i, s := range row.Ranges {
		if s.PageRange != spans[i] {
			return fmt.Errorf("page range %v of node %d instead of %v", s.PageRange, row.Node, spans[i])
		}
	}
	return nil
}
