package worker

import (
	"context"
	"slices"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// scanNode does a scan unit of the strategy with sequential scans. It reads all
// partitions of the unit's node in one snapshot and stores the sum of each chunk. The
// units of all nodes run at the same time, and each reads only one node. So a unit needs
// only a slot of its own node.
func (r *unitRun) scanNode(ctx context.Context) error {
	node := r.unit.Index
	release, err := r.slots.acquire(ctx, r.plan.TaskID+"/"+r.plan.Nodes[node], 1)
	if err != nil {
		return err
	}
	defer release()

	tx, err := r.nodes[node].Begin(ctx, r.plan.Sources[node].Access())
	if err != nil {
		return err
	}
	defer tx.Close()

	found := make([]plan.PageSums, len(r.nodes))
	for i := range found {
		found[i].Node = i
	}
	if found[node], err = r.digestPartitions(ctx, tx, node); err != nil {
		return err
	}
	return r.writePages(found, plan.PageSums.GroupedRows)
}

// digestPartitions returns the sums of the chunks of one node.
func (r *unitRun) digestPartitions(ctx context.Context, tx plan.Tx, node int) (plan.PageSums, error) {
	spans := r.plan.Scans[r.unit.Index][node]
	if slices.ContainsFunc(spans, func(span table.PageRange) bool { return !span.Whole() }) {
		return plan.PageSums{}, fault.New(fault.Internal, "the plan has a page range for a sequential scan of node %q", r.plan.Nodes[node])
	}

	by := table.Grouping{Bounds: r.plan.Layout.Bounds, Parallel: max(0, r.plan.Workers-1)}
	sums := make([]table.Sum, by.Groups())
	horizons, err := tx.PageSums(ctx, r.sources[node], spans, by, func(_, group int, sum table.Sum) {
		sums[group] = sums[group].Add(sum)
	}, table.EndTransaction)
	if err != nil {
		return plan.PageSums{}, err
	}

	row := plan.NewPageSums(node, sums)
	for _, horizon := range horizons { // all horizons are of the same snapshot; a partition without rows has 0
		row.Horizon = max(row.Horizon, horizon)
	}
	return row, nil
}
