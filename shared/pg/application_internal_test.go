package pg

import (
	"strings"
	"testing"
)

func TestApplicationName_KeepsTheIDOfTheTask(t *testing.T) {
	long := strings.Repeat("x", 80)
	for _, tt := range []struct{ session, id, want string }{
		{"ace", "", "ace"},
		{"ace", "td_20261130_051247", "ace td_20261130_051247"},
		{"it's", "td_20261130_051247", "it's td_20261130_051247"},
		{long, "td_20261130_051247", long[:44] + " td_20261130_051247"},
		{"\u65e5\x00\xff\n", "", "??????"},
		{"z\u00e4", "td_20261130_051247", "z?? td_20261130_051247"},
		{"ace", strings.Repeat("z", 63), " " + strings.Repeat("z", 63)},
	} {
		if got := applicationName(tt.session, tt.id); got != tt.want {
			t.Errorf("%q and %q: %q, want %q", tt.session, tt.id, got, tt.want)
		}
	}
	if got := escapeLiteral(`it's \ odd`); got != `it''s ? odd` {
		t.Errorf("the literal is %s", got)
	}
}
