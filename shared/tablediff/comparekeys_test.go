package tablediff

import (
	"strings"
	"testing"

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
}
