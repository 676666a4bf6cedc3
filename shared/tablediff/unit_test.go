package tablediff

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/shared/fault"
	"ace/shared/table"
)

// roundTrip sends a value through JSON.
func roundTrip[T any](rt *rapid.T, value T) {
	text, err := json.Marshal(value)
	if err != nil {
		rt.Fatal(err)
	}
	var back T
	if err := json.Unmarshal(text, &back); err != nil {
		rt.Fatalf("%v of %s", err, text)
	}
	if diff := cmp.Diff(value, back); diff != "" {
		rt.Fatalf("%s (-sent +received):\n%s", text, diff)
	}
}

// drawKey draws a key; nil is an open bound.
func drawKey(rt *rapid.T, label string) table.Key {
	if rapid.Bool().Draw(rt, label+" is open") {
		return nil
	}
	return rapid.SliceOfN(rapid.String(), 1, 3).Draw(rt, label)
}

// some draws a list that is absent when it is empty.
func some[T any](rt *rapid.T, of *rapid.Generator[T], label string) []T {
	list := rapid.SliceOfN(of, 0, 4).Draw(rt, label)
	if len(list) == 0 {
		return nil
	}
	return list
}

func TestUnitAndTotals_SurviveJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		roundTrip(rt, Unit{
			TaskID: rapid.String().Draw(rt, "task"), PlanHash: rapid.String().Draw(rt, "hash"), Phase: phaseCompare,
			Index: rapid.Int().Draw(rt, "index"), From: rapid.Int().Draw(rt, "from"), To: rapid.Int().Draw(rt, "to"),
			Leaves: some(rt, rapid.Int(), "leaves"), Rows: some(rt, rapid.Int64(), "rows"), Before: some(rt, rapid.Int64(), "before"),
		})
		roundTrip(rt, Totals{
			From: rapid.Int().Draw(rt, "from"), To: rapid.Int().Draw(rt, "to"),
			Range:       table.Range{Lo: drawKey(rt, "lo"), Hi: drawKey(rt, "hi")},
			RowsPerNode: some(rt, rapid.Int64(), "rows"), Keys: rapid.Int64().Draw(rt, "keys"),
			Candidates: rapid.Int64().Draw(rt, "candidates"), PairCandidates: some(rt, rapid.Int64(), "pairs"),
			Mismatched: rapid.Int64().Draw(rt, "mismatched"), Resolved: rapid.Int64().Draw(rt, "resolved"),
			Unsettled: rapid.Int64().Draw(rt, "unsettled"), Respelt: rapid.Int64().Draw(rt, "respelt"), Blocks: rapid.Int().Draw(rt, "blocks"),
			Pairs: some(rt, rapid.Custom(func(rt *rapid.T) PairTotals {
				return PairTotals{OnlyA: rapid.Int64().Draw(rt, "a"), Different: 1, Columns: some(rt, rapid.Int64(), "columns"), Limited: rapid.Bool().Draw(rt, "limited")}
			}), "pairs"),
		})
	})
}

func TestPartRows_SurviveJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		digest := rapid.Custom(func(rt *rapid.T) *int64 {
			if rapid.Bool().Draw(rt, "no row") {
				return nil
			}
			d := rapid.Int64().Draw(rt, "digest")
			return &d
		})
		row := rapid.Custom(func(rt *rapid.T) table.Row {
			if rapid.Bool().Draw(rt, "no row") {
				return nil
			}
			return rapid.SliceOfN(rapid.Ptr(rapid.String(), true), 1, 4).Draw(rt, "values")
		})
		key := table.Key(rapid.SliceOfN(rapid.String(), 1, 3).Draw(rt, "key"))
		roundTrip(rt, candidate{Key: key, Block: rapid.Int().Draw(rt, "block"), Digest: rapid.SliceOfN(digest, 2, 4).Draw(rt, "digests")})
		roundTrip(rt, finding{Key: key, Rows: rapid.SliceOfN(row, 2, 4).Draw(rt, "rows"), Unsettled: rapid.Bool().Draw(rt, "unsettled")})
	})
}

func TestUnit_ThatDoesNotFitItsPlanIsRefused(t *testing.T) {
	p := planOf(4, "n1", "n2", "n3")
	p.Scans = make([][][]table.Span, 2)
	before := []int64{0, 0, 0}
	for _, tt := range []struct {
		name string
		unit Unit
		fits bool
	}{
		{"all leaves", Unit{Phase: phaseCompare, To: 4}, true},
		{"the last leaf", Unit{Phase: phaseCompare, From: 3, To: 4, Leaves: []int{3}, Rows: []int64{1}}, true},
		{"too many leaves", Unit{Phase: phaseCompare, To: 5}, false},
		{"no leaf", Unit{Phase: phaseCompare, From: 2, To: 2}, false},
		{"leaves backwards", Unit{Phase: phaseCompare, From: 3, To: 2}, false},
		{"leaves below zero", Unit{Phase: phaseCompare, From: -1, To: 2}, false},
		{"an index below zero", Unit{Phase: phaseCompare, Index: -1, To: 4}, false},
		{"a leaf of another unit", Unit{Phase: phaseCompare, To: 2, Leaves: []int{2}, Rows: []int64{1}}, false},
		{"a leaf without rows", Unit{Phase: phaseCompare, To: 2, Leaves: []int{1}}, false},
		{"the last scan", Unit{Phase: phaseScan, Index: 1}, true},
		{"a scan too many", Unit{Phase: phaseScan, Index: 2}, false},
		{"a confirmation", Unit{Phase: phaseConfirm, To: 4, Before: before}, true},
		{"a confirmation that does not say what came before", Unit{Phase: phaseConfirm, To: 4}, false},
		{"a confirmation of other nodes", Unit{Phase: phaseConfirm, To: 4, Before: before[:1]}, false},
		{"an unknown phase", Unit{Phase: "merge", To: 4}, false},
		{"no phase", Unit{To: 4}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.unit.check(p)
			if (err == nil) != tt.fits || err != nil && fault.CodeOf(err) != fault.Internal {
				t.Errorf("got %v", err)
			}
		})
	}
}
