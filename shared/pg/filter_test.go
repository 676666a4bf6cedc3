package pg

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestOffset_CountsCharactersOrBytes(t *testing.T) {
	const sql = "aé€😀b"
	for _, tt := range []struct {
		position int
		inBytes  bool
		want     int
	}{
		{0, false, -1}, {0, true, -1}, {1, false, 0}, {2, false, 1}, {3, false, 3}, {4, false, 6}, {5, false, 10}, {6, false, 11}, {99, false, 11},
		{1, true, 0}, {4, true, 3}, {11, true, 10}, {12, true, 11}, {99, true, 11},
	} {
		if got := offset(sql, tt.position, tt.inBytes); got != tt.want {
			t.Errorf("position %d, in bytes %v: %d, want %d", tt.position, tt.inBytes, got, tt.want)
		}
	}
}

func TestExcerpt_ShowsThePlaceOnOneLine(t *testing.T) {
	long := strings.Repeat("a", 100)
	for _, tt := range []struct {
		filter string
		at     int
		want   string
	}{
		{"id = = 3", 5, "id = -->= 3"},
		{"idd = 3", 0, "-->idd = 3"},
		{"id =", 4, "id =-->"},
		{"id =", 6, "id =-->"},
		{"é = = 3", 5, "é = -->= 3"},
		{"é", 1, "-->é"},
		{"id >\n\t= 3", 6, "id >  -->= 3"},
		{long + "!" + long, 100, "..." + long[:60] + "-->!" + long[:59] + "..."},
	} {
		if got := excerpt(tt.filter, tt.at); got != tt.want {
			t.Errorf("%q at %d: %q, want %q", tt.filter, tt.at, got, tt.want)
		}
	}
}

func TestExcerpt_CutsNoCharacter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		filter := rapid.StringOfN(rapid.SampledFrom([]rune("aé€😀 ")), 0, 90, -1).Draw(t, "filter")
		got := excerpt(filter, rapid.IntRange(0, len(filter)+3).Draw(t, "at"))
		if !utf8.ValidString(got) || strings.ContainsRune(got, utf8.RuneError) || strings.Count(got, "-->") != 1 || len(got) > 2*excerptLength+12 {
			t.Fatalf("%q", got)
		}
	})
}
