package table

import "testing"

func TestFreshness_IsUnchangedOnlyWithEvidence(t *testing.T) {
	now := Freshness{Rows: 10, Youngest: 99, Horizon: 150, Next: 200}
	for _, tt := range []struct {
		name          string
		now           Freshness
		rows, horizon int64
		want          bool
	}{
		{"no row from the horizon on", now, 10, 100, true},
		{"a row of the horizon itself", now, 10, 99, false},
		{"a row has gone", now, 11, 100, false},
		{"a row has come", now, 9, 100, false},
		{"no horizon", now, 10, 0, false},
		{"the node has not reached the horizon", now, 10, 201, false},
		{"empty as it was", Freshness{Youngest: 1 << 40, Horizon: 150, Next: 200}, 0, 100, true},
		{"emptied", Freshness{Horizon: 150, Next: 200}, 10, 100, false},
		{"just near enough", Freshness{Rows: 1, Youngest: 5, Next: 100 + horizonLimit - 1}, 1, 100, true},
		{"2^31 transactions later", Freshness{Rows: 1, Youngest: 5, Next: 100 + horizonLimit}, 1, 100, false},
		{"beyond 32 bits", Freshness{Rows: 1, Youngest: 1<<33 + 5, Next: 1<<33 + 20}, 1, 1<<33 + 6, true},
		{"beyond 32 bits, younger", Freshness{Rows: 1, Youngest: 1<<33 + 6, Next: 1<<33 + 20}, 1, 1<<33 + 6, false},
	} {
		if got := tt.now.Unchanged(tt.rows, tt.horizon); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}
