package tablediff

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/blockplan"
	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
	"ace/shared/task"
)

// wholeKnown returns a run whose two nodes had 5 and 7 rows in two blocks at the
// baseline, and whose ages are read in two units.
func wholeKnown(store archive.Store, taskID string) *run {
	first := table.PageRange{To: 8}
	second := table.PageRange{From: 8, To: -1}
	plan := &plan.Plan{
		TaskID: taskID, Nodes: []string{"n1", "n2"}, Strategy: plan.KeyRanges, Workers: 1,
		Layout: blockplan.Layout{ChunksPerBlock: 1, Bounds: []table.Key{{"100"}}, BlocksPerBatch: 1},
		Scans:  [][][]table.PageRange{{{first}, {first}}, {{second}, {second}}},
		Known: &plan.Known{
			Blocks: []plan.EqualBlock{{Block: 0, Rows: 5, Horizons: []int64{50, 60}}, {Block: 1, Rows: 7, Horizons: []int64{40, 70}}},
			Whole:  &plan.WholeTable{Rows: 12, Horizons: []int64{40, 60}},
		},
	}
	return &run{Coordinator: NewCoordinator(CoordinatorOptions{Store: store}), Store: store, plan: plan, progress: newProgress(func(task.Progress) {})}
}

func TestFindUnchangedTable_NeedsEveryRowOldAndNoneMissing(t *testing.T) {
	store := memstore.New(t)
	ages := func(rows, youngest int64) table.Freshness {
		return table.Freshness{Rows: rows, Youngest: youngest, Horizon: 90, Next: 95}
	}

	for i, tt := range []struct {
		name string
		ages [2][2]table.Freshness // per unit and node
		want bool
	}{
		{"unchanged", [2][2]table.Freshness{{ages(4, 39), ages(12, 59)}, {ages(8, 2), ages(0, 0)}}, true},
		{"a row is gone from a node", [2][2]table.Freshness{{ages(4, 39), ages(12, 59)}, {ages(7, 2), ages(0, 0)}}, false},
		{"a row more", [2][2]table.Freshness{{ages(4, 39), ages(12, 59)}, {ages(8, 2), ages(1, 2)}}, false},
		{"one row missing in one unit and one added in the other", [2][2]table.Freshness{{ages(3, 39), ages(12, 59)}, {ages(9, 40), ages(0, 0)}}, false},
		{"a row as young as a block's horizon", [2][2]table.Freshness{{ages(4, 40), ages(12, 59)}, {ages(8, 2), ages(0, 0)}}, false},
		{"young on the second node", [2][2]table.Freshness{{ages(4, 39), ages(12, 60)}, {ages(8, 2), ages(0, 0)}}, false},
		{"moved from one node to the other", [2][2]table.Freshness{{ages(4, 39), ages(13, 59)}, {ages(7, 2), ages(0, 0)}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := wholeKnown(store, "td_"+strconv.Itoa(i))
			for u, nodes := range tt.ages {
				scanPart(t, r, r.unit(plan.PhaseAges, u), plan.PageSums{Node: 0, Ages: nodes[:1]}, plan.PageSums{Node: 1, Ages: nodes[1:]})
			}

			if err := r.findUnchangedTable(t.Context()); err != nil || (r.unchangedTable != nil) != tt.want {
				t.Fatalf("%+v, error %v; want proven: %t", r.unchangedTable, err, tt.want)
			}
			if !tt.want {
				return
			}

			p := r.unchangedTable
			if p.Keys != 12 || !slices.Equal(p.RowsPerNode, []int64{12, 12}) || p.Unchanged != 2 || p.Differing+int(p.Candidates) != 0 {
				t.Errorf("%+v, want 12 keys in two unchanged blocks", p)
			}
			if err := checkCoverage(r.plan, []plan.Totals{*p}); err != nil {
				t.Error(err)
			}

			for b, block := range p.EqualBlocks {
				if block.Block != b || block.Rows != r.plan.Known.Blocks[b].Rows || !slices.Equal(block.Horizons, []int64{90, 90}) {
					t.Errorf("block %d is recorded as %+v", b, block)
				}
			}
		})
	}
}

// Pages without ages would count as empty.
func TestFindUnchangedTable_PartThatDoesNotFitThePlanIsAnError(t *testing.T) {
	store := memstore.New(t)
	old := []table.Freshness{{Rows: 12, Youngest: 2, Horizon: 90, Next: 95}}
	for name, rows := range map[string][]plan.PageSums{
		"a missing node":        {{Node: 0, Ages: old}},
		"the nodes are swapped": {{Node: 1, Ages: old}, {Node: 0, Ages: old}},
		"missing ages":          {{Node: 0, Ages: old}, {Node: 1}},
		"ages of more pages":    {{Node: 0, Ages: slices.Concat(old, old)}, {Node: 1, Ages: old}},
	} {
		t.Run(name, func(t *testing.T) {
			r := wholeKnown(store, "td_"+strings.ReplaceAll(name, " ", "_"))
			for u := range r.plan.Scans {
				scanPart(t, r, r.unit(plan.PhaseAges, u), rows...)
			}

			if err := r.findUnchangedTable(t.Context()); fault.CodeOf(err) != fault.Internal || r.unchangedTable != nil {
				t.Errorf("proven %+v, error %v", r.unchangedTable, err)
			}
		})
	}
}

func TestWholeTable_OnlyIfAllBlocksWereEqualAndNothingSeemsWritten(t *testing.T) {
	count := func(n int64) *int64 { return &n }
	for _, tt := range []struct {
		name   string
		change func(*planner, *Baseline)
		want   bool
	}{
		{"nothing written", func(*planner, *Baseline) {}, true},
		{"a block differed", func(p *planner, _ *Baseline) { p.plan.Known.Blocks = p.plan.Known.Blocks[:1] }, false},
		{"rows were written", func(p *planner, _ *Baseline) { p.plan.Facts[1].Writes = count(21) }, false},
		{"the server counts none", func(p *planner, _ *Baseline) { p.plan.Facts[1].Writes = nil }, false},
		{"the server counted none", func(_ *planner, b *Baseline) { b.Writes[0] = nil }, false},
		{"a baseline without counts of writes", func(_ *planner, b *Baseline) { b.Writes = nil }, false},
		{"a block of fewer nodes", func(p *planner, _ *Baseline) { p.plan.Known.Blocks[1].Horizons = []int64{1} }, false},
		{"partitions that cannot be read one by one", func(p *planner, _ *Baseline) { p.descriptions[1].PartitionsHidden = true }, false},
	} {
		r := wholeKnown(nil, "td_1")
		want := r.plan.Known.Whole
		r.plan.Facts = []table.Facts{{Writes: count(10)}, {Writes: count(20)}}
		p := &planner{plan: r.plan, descriptions: []*table.Description{{}, {}}}
		b := &Baseline{Writes: []*int64{count(10), count(20)}}
		tt.change(p, b)
		if got := p.wholeTable(b); (got != nil) != tt.want || got != nil && (got.Rows != want.Rows || !slices.Equal(got.Horizons, want.Horizons)) {
			t.Errorf("%s: %+v, want %t, %+v", tt.name, got, tt.want, want)
		}
	}
}

// An update can move a row that was inserted after the baseline from pages that are read
// later to pages that were read before.
func TestFindUnchangedTable_ProvesNothingFromSeveralSnapshots(t *testing.T) {
	store := memstore.New(t)
	for _, snapshots := range [][]string{{"a", "a"}, {"a", "b"}} {
		r := wholeKnown(store, "td_"+strings.Join(snapshots, ""))
		for u, snapshot := range snapshots {
			ages := []table.Freshness{{Rows: 6, Youngest: 2, Horizon: 90, Next: 95}}
			sealedPart(t, r, r.unit(plan.PhaseAges, u), plan.Totals{Snapshot: snapshot}, plan.PageSums{Node: 0, Ages: ages}, plan.PageSums{Node: 1, Ages: ages})
		}

		if err := r.findUnchangedTable(t.Context()); err != nil || (r.unchangedTable != nil) != (snapshots[0] == snapshots[1]) {
			t.Errorf("read in the snapshots %q the table is proven: %t, error %v", snapshots, r.unchangedTable != nil, err)
		}
	}
}
