package tablediff

import (
	"strconv"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/archive/storetest/minio"
	"ace/shared/fault"
)

func TestCheckKeysCompared_TakesEveryBlockOnceAndWhole(t *testing.T) {
	list := keyList{Blocks: 3, Keys: 2*blockKeys + 7}
	part := func(from, to int, resolved, candidates int64) Totals {
		return Totals{From: from, To: to, Keys: resolved + candidates, Resolved: resolved, Candidates: candidates}
	}
	first, second, third := part(0, 1, blockKeys, 0), part(1, 2, 0, blockKeys), part(2, 3, 3, 4)
	tests := []struct {
		name  string
		list  keyList
		parts []Totals
		wrong string
	}{
		{"a part per block", list, []Totals{first, second, third}, ""},
		{"a part of all blocks", list, []Totals{part(0, 3, 2*blockKeys, 7)}, ""},
		{"no keys and no parts", keyList{}, nil, ""},
		{"nothing", list, nil, "cover 0 of 3"},
		{"the last is missing", list, []Totals{first, second}, "cover 2 of 3"},
		{"the first is missing", list, []Totals{second, third}, "blocks 1 to 2 of 3"},
		{"one is missing in between", list, []Totals{first, third}, "blocks 2 to 3 of 3"},
		{"one is there twice", list, []Totals{first, first, second, third}, "blocks 0 to 1 of 3"},
		{"one of no block", list, []Totals{first, part(1, 1, 0, 0), second, third}, "blocks 1 to 1 of 3"},
		{"one of a block too many", list, []Totals{first, second, part(2, 4, blockKeys, 7)}, "blocks 2 to 4 of 3"},
		{"one that lacks a key", list, []Totals{first, part(1, 2, 0, blockKeys-1), third}, "9999 of 10000 keys"},
		{"one with a key too many", list, []Totals{first, second, part(2, 3, 4, 4)}, "8 of 7 keys"},
		{"one that judged too few", list, []Totals{first, {From: 1, To: 2, Keys: blockKeys, Candidates: 5}, third}, "0 are equal and 5 are not"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkKeysCompared(tt.list, tt.parts)
			if tt.wrong == "" && err == nil {
				return
			}
			if fault.CodeOf(err) != fault.Internal || tt.wrong == "" || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("got %v, want %q", err, tt.wrong)
			}
		})
	}
}

func TestUnit_OfARerunIsCheckedAgainstItsPlan(t *testing.T) {
	plan := &Plan{Strategy: Keys, Nodes: []string{"n1", "n2"}}
	for name, u := range map[string]Unit{
		"compare": {Phase: phaseCompare, From: 5, To: 15}, "confirm": {Phase: phaseConfirm, From: 5, To: 15, Before: []int64{0}},
	} {
		if err := u.check(plan); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, u := range map[string]Unit{
		"a scan":                  {Phase: phaseScan},
		"buckets":                 {Phase: phaseBuckets},
		"a unit of no block":      {Phase: phaseCompare, From: 3, To: 3},
		"a unit before the first": {Phase: phaseCompare, From: -1, To: 3},
		"a confirm of no pair":    {Phase: phaseConfirm, From: 0, To: 1},
		"leaves":                  {Phase: phaseCompare, From: 0, To: 1, Leaves: []int{3}, Rows: []int64{1}},
		"the keys themselves":     {Phase: phaseKeys, From: 0, To: 1},
	} {
		if err := u.check(plan); fault.CodeOf(err) != fault.Internal {
			t.Errorf("%s fits: %v", name, err)
		}
	}
	probing := Unit{Phase: phaseCompare, From: 0, To: 1, Probe: true}
	if err := probing.check(plan); err != nil {
		t.Errorf("a unit that leaves keys unasked: %v", err)
	}
	for _, p := range []*Plan{{Strategy: Keys, Nodes: plan.Nodes, ConfirmDelay: 1}, {Strategy: Keys, Nodes: plan.Nodes, ByText: true}} {
		if err := probing.check(p); fault.CodeOf(err) != fault.Internal {
			t.Errorf("it fits %+v: %v", p, err)
		}
	}
}

// storeKeys stores parts of the keys from 0 on.
func (s *stage) storeKeys(t *testing.T, count int) {
	t.Helper()
	list := many(count, same)
	w := keyWriter{run: &run{Coordinator: &Coordinator{CoordinatorOptions{Store: s.store}}, plan: s.plan}}
	for id := range len(list) {
		if err := w.add(t.Context(), keyOf(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.end(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestCompareKeys_AUnitGivesTheSameWhateverItAsks(t *testing.T) {
	store := minio.Start(t).Store(t)
	const count = 2*blockKeys + 500
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
		first, second := many(count, same), many(count, same)
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
		s.plan.Strategy, s.plan.Behavior, s.plan.ConfirmDelay, s.plan.MaxDiffRows = Keys, tt.behavior, 0, count
		for i := range s.plan.Sources {
			s.plan.Sources[i].KeyDigest = "digest"
		}
		s.publish(t)
		s.storeKeys(t, count)
		u := s.unit(phaseCompare)
		u.To, u.Probe = 3, tt.probe
		compared := s.do(t, u)
		confirm := s.unit(phaseConfirm)
		confirm.To = 3
		confirmed := s.do(t, confirm)
		if compared.Unasked != tt.unasked || confirmed.Unasked != tt.unasked {
			t.Errorf("%d: %d keys were not asked about, %d judged without, want %d", n, compared.Unasked, confirmed.Unasked, tt.unasked)
		}
		gone := int64(count / 97)
		rows := compared.RowsPerNode[1] + confirmed.RowsPerNode[1]
		if compared.Keys != count || rows != count-gone || compared.Nowhere+confirmed.Nowhere != gone ||
			confirmed.Mismatched != want || compared.Resolved+confirmed.Resolved != count-want || int64(len(s.findings(t))) != want {
			t.Errorf("%d: %d differ, want %d; compared %+v, confirmed %+v", n, confirmed.Mismatched, want, compared, confirmed)
		}
		if err := checkConfirmed([]Totals{compared}, []Totals{confirmed}); err != nil {
			t.Errorf("%d: %v", n, err)
		}
		blocks := map[int]bool{}
		for _, c := range s.candidates(t) {
			if c.Block != numberOf(c.Key)/blockKeys {
				t.Fatalf("%d: key %s is of block %d", n, c.Key, c.Block)
			}
			blocks[c.Block] = true
		}
		if confirmed.Blocks != len(blocks) && tt.unasked == 0 {
			t.Errorf("%d: %d blocks, want %d", n, confirmed.Blocks, len(blocks))
		}
	}
}
