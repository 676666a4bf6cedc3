//go:build !unit

package pg

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"ace/infra/testkit/pgtest"
	"ace/shared/rawtext"
	"ace/shared/table"
)

// echo sends keys to the server as all statements do, and reads them back.
func echo(t testing.TB, tx *Tx, keys []table.Key, width int) []table.Key {
	t.Helper()
	var p params
	for _, name := range list("k", width) {
		p = append(p, param{name, "text", table.ParseArray})
	}
	var back []table.Key
	err := tx.run(t.Context(), "echoing keys", query{
		sql:  "SELECT " + strings.Join(qualify("l", p.names()), ", ") + " FROM " + p.list(1) + " l ORDER BY l.ord",
		args: p.ofKeys(keys),
		row:  func(v [][]byte) error { back = append(back, readKey(v)); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func sameKeys(a, b []table.Key) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if strings.Join(a[i], "\x00") != strings.Join(b[i], "\x00") {
			return false
		}
	}
	return true
}

func newEcho(t testing.TB) *Tx {
	return begin(t, nodeOf(t, pgtest.NewCluster(t, pgtest.Nodes(1)), 0), table.Source{SearchPath: "pg_catalog"})
}

func TestKeyParams_PreserveEveryCharacter(t *testing.T) {
	const perKey = 512
	var keys []table.Key
	var b strings.Builder
	for r := rune(1); r <= utf8.MaxRune; r++ {
		if utf8.ValidRune(r) {
			b.WriteRune(r)
		}
		if r%perKey == 0 || r == utf8.MaxRune {
			keys = append(keys, key(b.String()))
			b.Reset()
		}
	}
	back := echo(t, newEcho(t), keys, 1)
	for i, k := range keys {
		if want := rawtext.Text([]byte(k[0])); back[i][0] != want {
			t.Errorf("some character of %q came back as another", k)
		}
	}
}

func TestKeyParams_PreserveArraySyntax(t *testing.T) {
	special := []string{
		"", " ", "  leading and trailing  ", "NULL", "null", `"`, `""`, `\`, `\\`, `\"`, `{`, `}`, `{}`, `{"a","b"}`, ",", "'", "''",
		`\x41`, "\n", "\r\n", "\t", "$1", "%", "--", "/*", ";", "\u0001", "\u200b", "e\u0301", "é", strings.Repeat(`\"`, 1000),
	}
	var keys []table.Key
	for _, a := range special {
		for _, b := range special {
			keys = append(keys, key(a, b))
		}
	}
	if !sameKeys(echo(t, newEcho(t), keys, 2), keys) {
		t.Error("some text came back as another")
	}
	if back := echo(t, newEcho(t), nil, 2); len(back) != 0 {
		t.Errorf("no keys came back as %v", back)
	}
}

func TestKeyParams_PreserveAnyText(t *testing.T) {
	tx := newEcho(t)
	rapid.Check(t, func(rt *rapid.T) {
		width := rapid.IntRange(1, 3).Draw(rt, "width")
		text := rapid.OneOf(rapid.StringMatching(`["\\{},' A-Zé日]*`), rapid.String()).Filter(storable)
		var keys []table.Key
		for range rapid.IntRange(1, 8).Draw(rt, "keys") {
			keys = append(keys, rapid.SliceOfN(text, width, width).Draw(rt, "key"))
		}
		if back := echo(t, tx, keys, width); !sameKeys(back, keys) {
			rt.Fatalf("%q came back as %q", keys, back)
		}
	})
}

// storable reports whether PostgreSQL can store a text.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

func FuzzColumnsOf(f *testing.F) {
	for _, seed := range []string{"", `\`, `"`, `a"b\c`, "NULL", "{a,b}", "日本 \n"} {
		f.Add(seed, "x")
	}
	tx := newEcho(f)
	f.Fuzz(func(t *testing.T, a, b string) {
		if !storable(a) || !storable(b) {
			return
		}
		keys := []table.Key{key(a, b), key(b, a)}
		if back := echo(t, tx, keys, 2); !sameKeys(back, keys) {
			t.Errorf("%q came back as %q", keys, back)
		}
	})
}

func TestCompare_WritesARowOnlyForSeveralColumns(t *testing.T) {
	if got := compare([]string{"a"}, ">=", []string{"r.lo1"}); got != "a >= r.lo1" {
		t.Errorf("one column: %s", got)
	}
	if got := compare([]string{"a", "b"}, "<", []string{"x", "y"}); got != "ROW(a, b) < ROW(x, y)" {
		t.Errorf("two columns: %s", got)
	}
}

// Case T-F11, see docs/RELIABILITY.md.
func TestUniqueName_OccursInNeitherTableNameNorFilter(t *testing.T) {
	for _, tt := range []struct{ alias, filter, want string }{
		{`"users"`, "", "ace_list"},
		{`"ace_list"`, "", "ace1_list"},
		{`"Ace_List"`, "", "ace1_list"},
		{`"ace_` + strings.Repeat("x", 59) + `"`, "", "ace1_list"},
		{`"ace1_ace_"`, "ACE2_ORD = 1", "ace3_list"},
		{`"t"`, "space_id > 0", "ace1_list"},
	} {
		if got := uniqueName(table.Source{Alias: tt.alias, Filter: tt.filter}, "list"); got != tt.want {
			t.Errorf("with the table %s and the filter %q the list is called %s, want %s", tt.alias, tt.filter, got, tt.want)
		}
	}
}
