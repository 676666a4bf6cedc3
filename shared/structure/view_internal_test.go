package structure

import (
	"strings"
	"testing"
)

// tokens loses only white space outside of literals, and every query is the same view as
// itself.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{`SELECT t."a b", 'it''s' FROM s.t WHERE x <> 1.5`, `'`, `"`, `''''`, "é.ü\n\t;", `E'\''`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		list := tokens(sql)
		rest := sql
		for _, token := range list {
			before, after, found := strings.Cut(rest, token)
			if token == "" || !found || strings.Trim(before, " \t\r\n") != "" {
				t.Fatalf("token %q of %q is not at the start of %q", token, sql, rest)
			}
			rest = after
		}
		if strings.Trim(rest, " \t\r\n") != "" {
			t.Fatalf("%q is left of %q", rest, sql)
		}
		if !sameView(sql, sql) {
			t.Fatalf("%q is not the same view as itself", sql)
		}
	})
}
