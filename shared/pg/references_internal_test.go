package pg

import (
	"slices"
	"strings"
	"testing"

	"ace/shared/table"
)

func TestReferences_OnlyCertainlyUnusedColumnsAreLeftOut(t *testing.T) {
	t.Parallel()
	const every = "n1: id v Odd\"x city n10: id v Odd\"x city"
	for where, want := range map[string]string{
		`n1.id > 0`:                               "n1: id n10:",
		`n1.id > 0 AND n10.city <> n1.v`:          "n1: id v n10: city",
		`N1.ID = "n10"."city"`:                    "n1: id n10: city",
		`"n1".city = n10."Odd""x"`:                "n1: city n10: Odd\"x",
		`coalesce(n1.id, n10.id) BETWEEN 1 AND 9`: "n1: id n10: id",
		`true`: "n1: n10:",
		`EXISTS (SELECT 1 FROM t WHERE id = n10.id)`: "n1: n10: id",
		`n1.city = 'n10'`:            "n1: city n10: id v Odd\"x city",
		`n10 IS NULL AND n1.v = 'a'`: "n1: v n10: id v Odd\"x city",
		`n1 IS NULL AND n10.v = 'a'`: "n1: id v Odd\"x city n10: v",
		`to_jsonb(n1)->>'v' = 'a'`:   "n1: id v Odd\"x city n10:",
		`n1.to_jsonb IS NULL`:        "n1: id v Odd\"x city n10:",
		`v(n1) = 'a'`:                "n1: id v Odd\"x city n10:",
		`ROW(n1.*) IS NULL`:          "n1: id v Odd\"x city n10:",
		`(n1).city = 'a'`:            "n1: id v Odd\"x city n10:",
		`n1 . city = 'a'`:            "n1: id v Odd\"x city n10:",
		`n1./**/city = 'a'`:          "n1: id v Odd\"x city n10:",
		`n1.Odd = 'a'`:               "n1: id v Odd\"x city n10:",
		`n1."Odd""x`:                 "n1: id v Odd\"x city n10:",
		`n1.` + "\u00c9" + ` = 1`:    "n1: id v Odd\"x city n10:",
		`U&"n\0031".city = 'a'`:      every,
		`n1.u&"\0063ity" = 'a'`:      every,
		`n1`:                         "n1: id v Odd\"x city n10:",
		`n1.`:                        "n1: id v Odd\"x city n10:",
		`(SELECT max(x.id) FROM (SELECT n1.id) x) = 1`: "n1: id n10:",
	} {
		e := table.Evaluation{Nodes: []string{"n1", "n10"}}
		names := []string{"id", "v", `Odd"x`, "city"}
		for _, name := range names {
			e.Columns = append(e.Columns, table.Comparison{Conversion: table.Conversion{Name: quote(name)}})
		}
		got := ""
		for node, marked := range references(e, where) {
			if node > 0 {
				got += " "
			}
			got += e.Nodes[node] + ":"
			for i, name := range names {
				if marked[i] {
					got += " " + name
				}
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", where, got, want)
		}
	}

	one := table.Evaluation{Nodes: []string{"n1"}, Columns: make([]table.Comparison, 2)}
	if got := references(one, "id > 0"); slices.Contains(got[0], false) {
		t.Error("with one node, a column needs no name of a node")
	}
	long := table.Evaluation{Nodes: []string{strings.Repeat("n", 64), "b"}, Columns: make([]table.Comparison, 2)}
	if got := references(long, strings.Repeat("n", 63)+".x = 1"); slices.Contains(got[0], false) {
		t.Error("the server truncates a long name of a node")
	}
	accented := table.Evaluation{Nodes: []string{"n\u00e9", "b"}, Columns: make([]table.Comparison, 2)}
	if got := references(accented, "b.x = 1"); slices.Contains(got[0], false) {
		t.Error("the server may fold the name of a node that is not ASCII")
	}
}
