package tablediff

import (
	"context"
	"fmt"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// combineScans adds up the parts of all scan units. It returns, for each node and each
// group (a chunk or a bucket), the sum of the group's rows. It also calls kept with every
// PageSums that it reads, one for each unit and node.
func combineScans(ctx context.Context, store archive.Store, nodes, groups int, units []plan.Unit, kept func(plan.Unit, plan.PageSums) error) ([][]table.Sum, error) {
	sums := plan.NewSums(nodes, groups)
	for _, u := range units {
		err := eachScan(ctx, store, u, nodes, func(row plan.PageSums) error {
			if err := row.AddTo(sums); err != nil {
				return err
			}
			return kept(u, row)
		})
		if err != nil {
			return nil, err
		}
	}

	return sums, nil
}

// eachScan reads the rows of a scan part, one for each node in the plan's order, and
// passes them to take.
func eachScan(ctx context.Context, store archive.Store, u plan.Unit, nodes int, take func(plan.PageSums) error) error {
	reader, err := part.Open(ctx, store, u.PartKey(), u.PartHeader())
	if err != nil {
		return err
	}
	defer reader.Close()

	seen := 0
	for {
		var row plan.PageSums
		more, err := reader.Next(&row)
		if err != nil {
			return err
		}
		if !more {
			break
		}

		if row.Node != seen || seen >= nodes {
			err = fmt.Errorf("row %d is of node %d of %d", seen, row.Node, nodes)
		} else {
			err = take(row)
		}
		if err != nil {
			return fault.Wrap(err, fault.Internal, "part %s does not fit its plan", u.PartKey())
		}

		seen++
	}

	if seen != nodes {
		return fault.New(fault.Internal, "part %s has the pages of %d nodes instead of %d", u.PartKey(), seen, nodes)
	}

	return nil
}

// narrowingUnits makes compare units that list the rows of the chunks whose sums differ
// between nodes. Together the units cover all chunks. Each unit covers whole blocks, and
// lists about listed rows at most. If buckets is not nil, the units list only the rows of
// these buckets. The totals of the equal chunks are returned in equal, since no unit
// reads these chunks again.
func narrowingUnits(p *plan.Plan, sums [][]table.Sum, buckets []int, listed int64) (units []plan.Unit, equal plan.Totals) {
	equal.RowsPerNode = make([]int64, len(p.Nodes))
	u := plan.Unit{TaskID: p.TaskID, PlanHash: p.Hash(), Phase: plan.PhaseCompare}
	var rows int64
	chunks := p.Layout.Chunks()
	for chunk := range chunks {
		if rows >= listed && chunk%p.Layout.ChunksPerBlock == 0 {
			u.To = chunk
			units = append(units, u)
			u = plan.Unit{TaskID: u.TaskID, PlanHash: u.PlanHash, Phase: u.Phase, Index: u.Index + 1, From: chunk}
			rows = 0
		}

		most, same := compareGroup(sums, chunk)
		if same {
			equal.AddEqual(most)
			continue
		}

		rows += most
		u.Buckets = buckets // set only with chunks, because a unit with buckets but no chunks lists the whole table
		u.Chunks = append(u.Chunks, chunk)
		u.Rows = append(u.Rows, most)
	}

	u.To = chunks
	return append(units, u), equal
}

// compareGroup returns the number of rows of a group on the node where the group has the
// most rows, and whether the group has the same sum on all nodes.
func compareGroup(sums [][]table.Sum, group int) (most int64, same bool) {
	same = true
	for node := range sums {
		most = max(most, sums[node][group].Rows)
		same = same && sums[node][group] == sums[0][group]
	}
	return most, same
}
