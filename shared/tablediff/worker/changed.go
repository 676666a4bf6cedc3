package worker

import (
	"context"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// scanChanged does a scan unit of a comparison with a baseline. It digests the page
// ranges whose rows may have changed, in the snapshots in which their ages were read. The
// baseline has the sums of the other ranges.
func (r *unitRun) scanChanged(ctx context.Context) error {
	found := make([]plan.PageSums, len(r.nodes))
	err := r.inPass(ctx, func(txs []plan.Tx) error {
		err := r.onAll(ctx, func(ctx context.Context, node int) (err error) {
			found[node], err = r.findUnchangedRanges(ctx, txs[node], node)
			return err
		})
		if err != nil {
			return err
		}
		return r.onAll(ctx, func(ctx context.Context, node int) error {
			return r.digestChanged(ctx, txs[node], node, found[node].Ranges)
		})
	})
	if err != nil {
		return err
	}

	return r.writePages(found, plan.PageSums.RangeRows)
}

// findUnchangedRanges finds which of the unit's page ranges hold exactly the rows that
// they held at the baseline.
func (r *unitRun) findUnchangedRanges(ctx context.Context, tx plan.Tx, node int) (plan.PageSums, error) {
	spans := r.plan.Scans[r.unit.Index][node]
	now, err := tx.PageFreshness(ctx, r.sources[node], spans, r.callOptions(false)...)
	if err != nil {
		return plan.PageSums{}, err
	}

	known := r.plan.KnownRanges(node)
	row := plan.PageSums{Node: node}
	for i, span := range spans {
		s := plan.RangeSums{PageRange: span}
		if before, ok := known[span]; ok && now[i].Unchanged(before.Rows, before.Horizon) {
			s.Rows = before.Rows
			s.Horizon = now[i].Horizon
			s.Same = true
		}

		row.Ranges = append(row.Ranges, s)
	}

	return row, nil
}

// digestChanged digests the page ranges in ranges that findUnchangedRanges did not mark
// as unchanged (Same), and stores their sums in ranges.
func (r *unitRun) digestChanged(ctx context.Context, tx plan.Tx, node int, ranges []plan.RangeSums) error {
	var spans []table.PageRange
	var at []int
	for i, s := range ranges {
		if !s.Same {
			spans = append(spans, s.PageRange)
			at = append(at, i)
		}
	}

	kept := newRangeSummer(spans, r.plan.CoarseBuckets())
	horizons, err := tx.PageSums(ctx, r.sources[node], spans, table.Grouping{Buckets: r.plan.CoarseBuckets()}, kept.add, r.callOptions(true)...)
	if err != nil {
		return err
	}

	for i, s := range kept.result(horizons) {
		ranges[at[i]] = s
	}

	return nil
}
