package tablerepair

import (
	"reflect"
	"runtime"
	"strings"
	"testing"

	"ace/shared/resolve"
	"ace/shared/table"
)

func exampleDecision() decision {
	text := "a\x00b"
	return decision{
		key: table.Key{"7", "", "x"}, verdict: resolve.Row, rule: 3, reason: "2 of 3 nodes have this version",
		seen:   []seenVersion{{present: true, wins: true, digest: -5}, {}, {present: true, digest: 1 << 62}},
		digest: -5, row: table.Row{&text, nil},
	}
}

func TestDecision_IsReadAsItWasStored(t *testing.T) {
	d := exampleDecision()
	got, err := readDecision(d.appendPacked(nil), 3, false)
	if err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("got %+v, %v", got, err)
	}
	brief, err := readDecision(d.appendPacked(nil), 3, true)
	d.row = nil
	if err != nil || !reflect.DeepEqual(brief, d) {
		t.Errorf("without its row: %+v, %v", brief, err)
	}
}

// The decisions of a part are in memory together, and their rows may be large. The test
// is not parallel, because other tests allocate memory.
func TestDecision_DoesNotKeepTheRowThatItDoesNotDecode(t *testing.T) {
	d := exampleDecision()
	large := strings.Repeat("x", 1<<20)
	d.row[0] = &large
	line := d.appendPacked(nil)

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	decisions := make([]decision, 100)
	for i := range decisions {
		var err error
		if decisions[i], err = readDecision(line, 3, true); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 20<<20 {
		t.Errorf("%d decisions without their rows keep %d MB", len(decisions), grown>>20)
	}
	runtime.KeepAlive(decisions)
}

// Only a node that has another version than the winner is changed, and only while it has
// the version that was seen.
func TestDecision_AppliesWhileTheVersionsAreThoseThatWereSeen(t *testing.T) {
	digest := func(n int64) *int64 { return &n }
	row, absent, composed := exampleDecision(), exampleDecision(), exampleDecision()
	absent.verdict, absent.digest, absent.row = resolve.Absent, 0, nil
	absent.seen = []seenVersion{{present: true, digest: -5}, {wins: true}, {present: true, digest: 1 << 62}}
	composed.digest = 0
	undecided := exampleDecision()
	undecided.verdict = resolve.Undecided

	tests := []struct {
		name    string
		d       decision
		voter   int
		now     *int64
		changes bool
		holds   bool
	}{
		{"the winner", row, 0, digest(-5), false, true},
		{"the winner, deleted since", row, 0, nil, false, false},
		{"still missing", row, 1, nil, true, true},
		{"missing, repaired since", row, 1, digest(-5), true, true},
		{"missing, inserted since", row, 1, digest(9), true, false},
		{"still another row", row, 2, digest(1 << 62), true, true},
		{"another row, repaired since", row, 2, digest(-5), true, true},
		{"another row, changed since", row, 2, digest(9), true, false},
		{"to be deleted", absent, 0, digest(-5), true, true},
		{"deleted since", absent, 0, nil, true, true},
		{"to be deleted, changed since", absent, 0, digest(9), true, false},
		{"missing as decided", absent, 1, nil, false, true},
		{"inserted since", absent, 1, digest(-5), false, false},
		{"a composed row has no known digest", composed, 1, digest(0), true, false},
		{"nothing is changed if nothing is decided", undecided, 2, digest(1 << 62), false, true},
	}
	for _, tt := range tests {
		if tt.d.changes(tt.voter) != tt.changes || tt.d.holds(tt.voter, tt.now) != tt.holds {
			t.Errorf("%s: changes %v, holds %v", tt.name, tt.d.changes(tt.voter), tt.d.holds(tt.voter, tt.now))
		}
	}
}

// FuzzReadDecision checks that no stored text makes the reader fail otherwise than by an
// error.
func FuzzReadDecision(f *testing.F) {
	d := exampleDecision()
	f.Add(d.appendPacked(nil), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, line []byte, brief bool) {
		d, err := readDecision(line, 3, brief)
		if err == nil && len(d.seen) != 3 {
			t.Errorf("read %+v", d)
		}
	})
}
