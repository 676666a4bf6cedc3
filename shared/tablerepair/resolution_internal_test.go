package tablerepair

import (
	"strings"
	"testing"
	"time"
)

func TestRaiseSkew(t *testing.T) {
	for _, tt := range []struct {
		name    string
		allowed time.Duration
		clocks  []clock
		want    time.Duration
		warning string // a part of it, or "" for none
	}{
		{"within the allowed difference", time.Second, []clock{{"n1", 0, time.Millisecond}, {"n2", 400 * time.Millisecond, time.Millisecond}}, time.Second, ""},
		{"only the accuracy exceeds it", time.Second, []clock{{"n1", 0, time.Millisecond}, {"n2", 999 * time.Millisecond, time.Millisecond}}, 1001 * time.Millisecond, "node n2 may be 1.001s ahead of that of node n1, which is more than max_clock_skew (1s)"},
		{"the outermost of three", time.Second, []clock{{"n1", -2 * time.Second, 0}, {"n2", 0, 0}, {"n3", time.Second, 0}}, 3 * time.Second, "node n3 may be 3s ahead of that of node n1"},
		{"an inaccurate clock is not compared with itself", 0, []clock{{"n1", 0, time.Second}, {"n2", 0, time.Millisecond}}, 1001 * time.Millisecond, "node n1 may be 1.001s ahead of that of node n2"},
		{"rounded up to microseconds", 0, []clock{{"n1", 0, 1}, {"n2", 0, 1}}, time.Microsecond, "1µs"},
		{"one node", 0, []clock{{"n1", 0, time.Second}}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Resolution{Skew: tt.allowed}
			warning := r.raiseSkew(tt.clocks)
			if r.Skew != tt.want || (warning == "") != (tt.warning == "") || !strings.Contains(warning, tt.warning) {
				t.Errorf("%s, %q; want %s, %q", r.Skew, warning, tt.want, tt.warning)
			}
		})
	}
}
