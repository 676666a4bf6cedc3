package tablediff

import (
	"context"
	"fmt"
	"slices"

	"ace/shared/tablediff/plan"
)

// A table that nobody seems to have written to is asked for the ages of all its rows in physical order, which costs half of
// asking for each block's through the key's index. The server's statistics only choose the way: what they say comes late and
// may be wrong.
//
// It proves something only if all pages of a node were read in one snapshot. A row that came since the baseline, and was moved to
// other pages by an update while these were read in turn, could be passed over otherwise; ranges of the key cannot be left so.
// So functions, whose units have snapshots of their own, do not ask.

// wholly gives what a plan's baseline knows of the whole table; nil if some block was not equal, or something seems to have been
// written since.
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

// proveWhole asks for the ages of all rows. Where every node has as many as at the baseline and none that came since, there is
// nothing to compare.
func (r *run) findUnchangedTable(ctx context.Context) error {
	units, err := r.scanUnits(ctx, plan.PhaseAges, nil)
	if err != nil || r.multipleSnapshots {
		return err
	}
	known := r.plan.Known.Whole
	rows, horizons, none := make([]int64, len(r.plan.Nodes)), make([]int64, len(r.plan.Nodes)), true
	for _, u := range units {
		err := eachScan(ctx, r.Store, u, len(r.plan.Nodes), func(row plan.PageSums) error {
			if spans := r.plan.Scans[u.Index][row.Node]; len(spans) != len(row.Ages) {
				return fmt.Errorf("the ages of %d of %d ranges of pages of node %d", len(row.Ages), len(spans), row.Node)
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
		r.progress.compared(*r.unchangedTable, r.plan.Layout.Blocks())
	}
	return nil
}

// provenWhole is what compare units would have found, each proving all of its blocks in these snapshots.
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
