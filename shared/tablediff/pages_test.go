package tablediff

import (
	"strings"
	"testing"

	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/blockplan"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
	"ace/shared/task"
)

// scanPart stores the rows of a scan unit.
func scanPart(t *testing.T, r *run, u plan.Unit, rows ...plan.PageSums) {
	t.Helper()
	sealedPart(t, r, u, plan.Totals{}, rows...)
}

func sealedPart(t *testing.T, r *run, u plan.Unit, totals plan.Totals, rows ...plan.PageSums) {
	t.Helper()
	w, err := part.Create(t.Context(), r.Store, u.PartKey(), u.PartHeader())
	if err != nil {
		t.Fatal(err)
	}

	for _, row := range rows {
		if err := w.Row(row); err != nil {
			t.Fatal(err)
		}
	}

	if err := w.Commit(t.Context(), totals); err != nil {
		t.Fatal(err)
	}
}

// knowing returns a run with two nodes. At the baseline, each node had one page range,
// with 7 rows. A second page range was added later.
func knowing(store archive.Store, taskID string) (*run, table.Sum) {
	sum := table.Sum{Rows: 7, Digest: -3}
	old := table.PageRange{To: 8}
	fresh := table.PageRange{From: 8, To: -1}
	known := []plan.RangeSums{{PageRange: old, Rows: 7, Horizon: 5, Sums: plan.PackSums([]table.Sum{{}, sum})}}
	plan := &plan.Plan{
		TaskID: taskID, Layout: blockplan.Layout{ChunksPerBlock: 1}, Nodes: []string{"n1", "n2"}, Strategy: plan.Pages, Buckets: 4, Grid: 8, Workers: 1,
		Scans: [][][]table.PageRange{{{old, fresh}, {old, fresh}}}, Known: &plan.Known{Ranges: [][]plan.RangeSums{known, known}},
	}
	report := func(task.Progress) {}
	return &run{Coordinator: NewCoordinator(CoordinatorOptions{Store: store}), Store: store, plan: plan, progress: newProgress(report)}, sum
}

func TestKnownSums_AddUnchangedRangesToDigestedOnes(t *testing.T) {
	r, sum := knowing(memstore.New(t), "td_1")
	same := plan.RangeSums{PageRange: table.PageRange{To: 8}, Rows: 7, Horizon: 9, Same: true}
	grown := plan.RangeSums{PageRange: table.PageRange{From: 8, To: -1}, Rows: 1, Horizon: 9, Sums: plan.PackSums([]table.Sum{{}, {Rows: 1, Digest: 4}})}
	empty := plan.RangeSums{PageRange: table.PageRange{From: 8, To: -1}}
	scanPart(t, r, r.unit(plan.PhaseChanged, 0), plan.PageSums{Node: 0, Ranges: []plan.RangeSums{same, grown}}, plan.PageSums{Node: 1, Ranges: []plan.RangeSums{same, empty}})
	sums, err := r.knownSums(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := sum.Add(table.Sum{Rows: 1, Digest: 4}); sums[0][1] != want || sums[1][1] != sum || sums[0][0] != (table.Sum{}) {
		t.Errorf("the sums are %v, want %v and %v in group 1", sums, want, sum)
	}
	if r.unchangedRanges != 2 || len(r.rangeSums[0]) != 2 {
		t.Fatalf("%d page ranges are unchanged: %v", r.unchangedRanges, r.rangeSums)
	}
	if kept := r.rangeSums[1][0]; kept.Same || kept.Horizon != 9 || kept.Rows != 7 || string(kept.Sums) != string(r.plan.Known.Ranges[1][0].Sums) {
		t.Errorf("the next comparison would build on %+v", kept)
	}
}

// A missing page range would count as empty, on both nodes alike.
func TestKnownSums_PartThatDoesNotFitThePlanIsAnError(t *testing.T) {
	store := memstore.New(t)
	same := plan.RangeSums{PageRange: table.PageRange{To: 8}, Rows: 7, Same: true}
	empty := plan.RangeSums{PageRange: table.PageRange{From: 8, To: -1}}
	for name, rows := range map[string][]plan.PageSums{
		"a missing node":                       {{Node: 0, Ranges: []plan.RangeSums{same, empty}}},
		"the nodes are swapped":                {{Node: 1, Ranges: []plan.RangeSums{same, empty}}, {Node: 0, Ranges: []plan.RangeSums{same, empty}}},
		"a node too many":                      {{Ranges: []plan.RangeSums{same, empty}}, {Node: 1, Ranges: []plan.RangeSums{same, empty}}, {Node: 2, Ranges: []plan.RangeSums{same, empty}}},
		"a missing page range":                 {{Ranges: []plan.RangeSums{same}}, {Node: 1, Ranges: []plan.RangeSums{same}}},
		"another page range":                   {{Ranges: []plan.RangeSums{same, same}}, {Node: 1, Ranges: []plan.RangeSums{same, same}}},
		"unchanged since nothing":              {{Ranges: []plan.RangeSums{same, {PageRange: empty.PageRange, Rows: 1, Same: true}}}, {Node: 1, Ranges: []plan.RangeSums{same, empty}}},
		"fewer rows than were known":           {{Ranges: []plan.RangeSums{{PageRange: same.PageRange, Rows: 6, Same: true}, empty}}, {Node: 1, Ranges: []plan.RangeSums{same, empty}}},
		"sums of a bucket that does not exist": {{Ranges: []plan.RangeSums{same, {PageRange: empty.PageRange, Rows: 1, Sums: plan.PackSums([]table.Sum{{}, {}, {}, {}, {Rows: 1}})}}}, {Node: 1, Ranges: []plan.RangeSums{same, empty}}},
		"sums of other rows than it has":       {{Ranges: []plan.RangeSums{same, {PageRange: empty.PageRange, Rows: 2, Sums: plan.PackSums([]table.Sum{{Rows: 1}})}}}, {Node: 1, Ranges: []plan.RangeSums{same, empty}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := knowing(store, "td_"+strings.ReplaceAll(name, " ", "_"))
			scanPart(t, r, r.unit(plan.PhaseChanged, 0), rows...)
			if sums, err := r.knownSums(t.Context()); fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), "part ") {
				t.Errorf("the sums are %v, error %v", sums, err)
			}
		})
	}
}
