package worker

import (
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/memstore"
	"ace/shared/tablediff/plan"
)

func TestSampleBlocks_DividesAllBlocks(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 2: 2, 3: 3, 4: 2, 15: 2, 16: 2, 19: 2, 21: 3, 50: 6, 1000: 125} {
		known := make([]plan.EqualBlock, n)
		for i := range known {
			known[i].Block = i
		}

		sample, others := sampleBlocks(known)
		if len(sample) != want {
			t.Errorf("%d of %d blocks are in the sample, want %d", len(sample), n, want)
		}

		all := slices.Concat(sample, others)
		slices.SortFunc(all, func(a, b plan.EqualBlock) int { return a.Block - b.Block })
		if !slices.EqualFunc(all, known, func(a, b plan.EqualBlock) bool { return a.Block == b.Block }) {
			t.Errorf("sample and rest of %d blocks are %v", n, all)
		}
	}
}

func TestFindUnchangedBlocks_StopsIfFewOfTheSampleAreUnchanged(t *testing.T) {
	store := memstore.New(t)
	for name, tt := range map[string]struct {
		young            func(id int) bool
		asked, unchanged int
	}{
		"nothing is young":    {func(int) bool { return false }, 20, 20},
		"everything is":       {func(int) bool { return true }, 2, 0},
		"the first block is":  {func(id int) bool { return id < 20 }, 20, 19},
		"all but one of them": {func(id int) bool { return id/20 != 4 }, 20, 1},
	} {
		t.Run(name, func(t *testing.T) {
			nodes := []*scripted{{states: []rows{many(400, same)}, young: tt.young}, {states: []rows{many(400, same)}, young: tt.young}}
			s := newStage(t, store, "td_"+strings.ReplaceAll(name, " ", "_"), nodes...)
			s.finelyCut(400)
			s.plan.Known = &plan.Known{}
			for block := range 20 {
				s.plan.Known.Blocks = append(s.plan.Known.Blocks, plan.EqualBlock{Block: block, Rows: 20, Horizons: []int64{40, 40}})
			}

			s.publish(t)
			totals := s.do(t, s.unit(plan.PhaseCompare))
			if nodes[0].asked != tt.asked || nodes[1].asked != tt.asked || totals.Unchanged != int64(tt.unchanged) {
				t.Errorf("%d and %d blocks were checked, %d are unchanged; want %d and %d", nodes[0].asked, nodes[1].asked, totals.Unchanged, tt.asked, tt.unchanged)
			}

			if totals.Keys != 400 || !slices.Equal(totals.RowsPerNode, []int64{400, 400}) || totals.Candidates != 0 || len(totals.EqualBlocks) != 20 {
				t.Errorf("%+v", totals)
			}
		})
	}
}
