package worker

import (
	"context"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// scanChanged does a unit of a pages strategy that has a baseline: the stretches whose rows may have changed are digested
// again, in the snapshots that told so; of the others the baseline knows the sums.
func (j *job) scanChanged(ctx context.Context) error {
	found := make([]plan.PageSums, len(j.nodes))
	err := j.inPass(ctx, func(txs []plan.Tx) error {
		j.announce(txs, false)
		err := j.onAll(ctx, func(ctx context.Context, node int) (err error) {
			found[node], err = j.proveStretches(ctx, txs[node], node)
			return err
		})
		if err != nil {
			return err
		}
		j.announce(txs, true)
		return j.onAll(ctx, func(ctx context.Context, node int) error {
			return j.digestChanged(ctx, txs[node], node, found[node].PageRanges)
		})
	})
	if err != nil {
		return err
	}
	return j.writePages(found, plan.PageSums.PageRangeRows)
}

// proveStretches tells which stretches of the unit's pages hold the very rows that they held at the baseline.
func (j *job) proveStretches(ctx context.Context, tx plan.Tx, node int) (plan.PageSums, error) {
	spans := j.plan.Scans[j.unit.Index][node]
	now, err := tx.PageFreshness(ctx, j.sources[node], spans)
	if err != nil {
		return plan.PageSums{}, err
	}
	known := j.plan.KnownPageRanges(node)
	row := plan.PageSums{Node: node}
	for i, span := range spans {
		s := plan.PageRange{Span: span}
		if before, ok := known[span]; ok && now[i].Unchanged(before.Rows, before.Horizon) {
			s.Rows, s.Horizon, s.Same = before.Rows, now[i].Horizon, true
		}
		row.PageRanges = append(row.PageRanges, s)
	}
	return row, nil
}

// digestChanged digests the stretches that are not the same.
func (j *job) digestChanged(ctx context.Context, tx plan.Tx, node int, stretches []plan.PageRange) error {
	var spans []table.Span
	var at []int
	for i, s := range stretches {
		if !s.Same {
			spans, at = append(spans, s.Span), append(at, i)
		}
	}
	kept := newStretchSums(spans, j.plan.CoarseBuckets())
	horizons, err := tx.PageSums(ctx, j.sources[node], spans, table.Grouping{Buckets: j.plan.CoarseBuckets()}, kept.add)
	if err != nil {
		return err
	}
	for i, s := range kept.stretches(horizons) {
		stretches[at[i]] = s
	}
	return nil
}
