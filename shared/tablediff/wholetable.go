package tablediff

import (
	"context"
	"fmt"
	"slices"

	"ace/shared/tablediff/plan"
)

// If a table seems not to have been written since the baseline, the ages of all its rows
// are read in physical order. That costs half as much as reading the ages of each block
// through the key's index. The server's statistics of writes are delayed and may be
// wrong. So they only determine which of these two methods is used.
//
// The result proves something only if all pages of a node were read in one snapshot.
// Otherwise a row that was inserted after the baseline could be missed: an update may
// move it from pages that are read later to pages that were read before. With key ranges
// this cannot happen, since a row that moves to another page stays in its key range.
// Units that run in Lambda functions do not share snapshots, so this method is never used
// there.

// wholeTable returns what the baseline contains about the whole table. It returns nil if
// some block was not equal, if rows seem to have been written since the baseline, or if
// the pages of some partition cannot be read separately.
func (p *planner) wholeTable(b *Baseline) *plan.WholeTable {
	of := p.plan
	if len(of.Known.Blocks) != of.Layout.Blocks() || !p.pagesReadable() || len(b.Writes) != len(of.Nodes) {
		return nil
	}

	for i, facts := range of.Facts {
		if facts.Writes == nil || b.Writes[i] == nil || *facts.Writes != *b.Writes[i] {
			return nil
		}
	}

	whole := &plan.WholeTable{}
	for _, t := range of.Known.Blocks {
		if len(t.Horizons) != len(of.Nodes) {
			return nil
		}
		if whole.Rows += t.Rows; whole.Horizons == nil {
			whole.Horizons = slices.Clone(t.Horizons)
		}

		for node, h := range t.Horizons {
			whole.Horizons[node] = min(whole.Horizons[node], h)
		}
	}

	return whole
}

// findUnchangedTable reads the ages of all rows. If every node has as many rows as at the
// baseline and no row is younger than the baseline, the table is unchanged. Then
// findUnchangedTable sets r.unchangedTable, and there is nothing to compare. If the pages
// of a node were read in more than one snapshot, the ages prove nothing, and it sets
// nothing.
func (r *run) findUnchangedTable(ctx context.Context) error {
	units, err := r.scanUnits(ctx, plan.PhaseAges, nil)
	if err != nil || r.multipleSnapshots {
		return err
	}

	known := r.plan.Known.Whole
	rows := make([]int64, len(r.plan.Nodes))
	horizons := make([]int64, len(r.plan.Nodes))
	none := true
	for _, u := range units {
		err := eachScan(ctx, r.Store, u, len(r.plan.Nodes), func(row plan.PageSums) error {
			if spans := r.plan.Scans[u.Index][row.Node]; len(spans) != len(row.Ages) {
				return fmt.Errorf("the ages of %d of %d page ranges of node %d", len(row.Ages), len(spans), row.Node)
			}

			for _, f := range row.Ages {
				none = none && f.NoneSince(known.Horizons[row.Node])
				if horizons[row.Node] == 0 || f.Horizon < horizons[row.Node] {
					horizons[row.Node] = f.Horizon
				}
			}

			rows[row.Node] += row.AgedRows()
			return nil
		})
		if err != nil {
			return err
		}
	}

	if none && !slices.ContainsFunc(rows, func(n int64) bool { return n != known.Rows }) {
		r.unchangedTable = r.unchangedTotals(horizons)
		r.progress.addCompared(*r.unchangedTable, r.plan.Layout.Blocks())
	}

	return nil
}

// unchangedTotals returns the totals that a compare unit of all blocks has if it finds
// every block unchanged. horizons has, per node, the horizon of the snapshot in which the
// ages were read.
func (r *run) unchangedTotals(horizons []int64) *plan.Totals {
	t := &plan.Totals{
		To: r.plan.Layout.Chunks(), Range: r.plan.KeyRange(0, r.plan.Layout.Chunks()),
		RowsPerNode: make([]int64, len(r.plan.Nodes)), Unchanged: int64(r.plan.Layout.Blocks()),
	}
	for _, block := range r.plan.Known.Blocks {
		t.AddEqual(block.Rows)
		t.EqualBlocks = append(t.EqualBlocks, plan.EqualBlock{Block: block.Block, Rows: block.Rows, Horizons: horizons})
	}
	return t
}
