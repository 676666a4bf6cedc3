package worker

import (
	"strconv"
	"testing"

	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/part"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// storeKeys stores the parts of the keys 0 to count-1.
func (s *stage) storeKeys(t *testing.T, count int) {
	t.Helper()
	for block := 0; block*plan.BlockKeys < count; block++ {
		u := plan.Unit{TaskID: s.plan.TaskID, PlanHash: s.plan.Hash(), Phase: plan.PhaseKeys, Index: block}
		out, err := part.Create(t.Context(), s.store, u.PartKey(), u.PartHeader())
		if err != nil {
			t.Fatal(err)
		}

		var totals plan.KeyTotals
		for id := block * plan.BlockKeys; id < min((block+1)*plan.BlockKeys, count); id++ {
			if err := out.Line(table.AppendKey(nil, keyOf(id))); err != nil {
				t.Fatal(err)
			}
			totals.Keys++
		}

		if err := out.Commit(t.Context(), totals); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCompareKeys_FindsTheSameWithAndWithoutProbing(t *testing.T) {
	store := memstore.New(t)
	const count = 2*plan.BlockKeys + 500
	for n, tt := range []struct {
		behavior string
		differ   func(id int) bool
		probe    bool
		unasked  int64
	}{
		{api.BehaviorMultiprocessing, func(int) bool { return true }, false, 0},
		{api.BehaviorMultiprocessing, func(int) bool { return true }, true, count - probedKeys},
		{api.BehaviorHostDB, func(int) bool { return true }, true, count - probedKeys},
		{api.BehaviorMultiprocessing, func(id int) bool { return id%5 == 0 }, true, 0},
		{api.BehaviorHostDB, func(id int) bool { return id%5 == 0 }, false, 0},
		{api.BehaviorMultiprocessing, func(id int) bool { return id < probedKeys/2 }, true, count - probedKeys},
	} {
		first := many(count, same)
		second := many(count, same)
		want := int64(0)
		for id := range count {
			switch {
			case id%97 == 96: // on no node
				delete(first, id)
				delete(second, id)
			case tt.differ(id):
				second[id] = "w"
				want++
			}
		}

		s := newStage(t, store, "tr_"+strconv.Itoa(n), &scripted{states: []rows{first}}, &scripted{states: []rows{second}})
		s.plan.Strategy = plan.Keys
		s.plan.Behavior = tt.behavior
		s.plan.ConfirmDelay = 0
		s.plan.MaxDiffRows = count
		for i := range s.plan.Sources {
			s.plan.Sources[i].KeyDigest = "digest"
		}

		s.publish(t)
		s.storeKeys(t, count)
		u := s.unit(plan.PhaseCompare)
		u.To, u.Probe = 3, tt.probe
		compared := s.do(t, u)
		confirm := s.unit(plan.PhaseConfirm)
		confirm.To = 3
		confirmed := s.do(t, confirm)
		if compared.WithoutDigest != tt.unasked || confirmed.WithoutDigest != tt.unasked {
			t.Errorf("%d: %d keys without digest, %d of them judged, want %d", n, compared.WithoutDigest, confirmed.WithoutDigest, tt.unasked)
		}

		gone := int64(count / 97)
		rows := compared.RowsPerNode[1] + confirmed.RowsPerNode[1]
		if compared.Keys != count || rows != count-gone || compared.OnNoNode+confirmed.OnNoNode != gone ||
			confirmed.Mismatched != want || compared.Resolved+confirmed.Resolved != count-want || int64(len(s.findings(t))) != want {
			t.Errorf("%d: %d differ, want %d; compared %+v, confirmed %+v", n, confirmed.Mismatched, want, compared, confirmed)
		}

		if judged := confirmed.Mismatched + confirmed.Resolved + confirmed.KeyVariants; judged != compared.Candidates {
			t.Errorf("%d: %d of %d candidates were judged", n, judged, compared.Candidates)
		}

		blocks := map[int]bool{}
		for _, c := range s.candidates(t) {
			if c.Block != numberOf(c.Key)/plan.BlockKeys {
				t.Fatalf("%d: key %s is of block %d", n, c.Key, c.Block)
			}
			blocks[c.Block] = true
		}

		if confirmed.Blocks != len(blocks) && tt.unasked == 0 {
			t.Errorf("%d: %d blocks, want %d", n, confirmed.Blocks, len(blocks))
		}
	}
}
