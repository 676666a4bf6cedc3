package api

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWithoutWhere(t *testing.T) {
	for filter, want := range map[string]string{
		"":                                      "",
		"id = 1":                                "id = 1",
		" id = 1 ":                              " id = 1 ",
		"WHERE id = 1":                          "id = 1",
		"where id = 1":                          "id = 1",
		"wHeRe\tid = 1 ":                        "id = 1 ",
		" \r\n\f\v\twhere\r\n id = 1":           "id = 1",
		"where(id = 1)":                         "(id = 1)",
		`where"id" = 1`:                         `"id" = 1`,
		"where'a' = v":                          "'a' = v",
		"where-- x\nid = 1":                     "-- x\nid = 1",
		"-- all\nWHERE id = 1":                  "id = 1",
		"-- all\r-- of\r\nWHERE id = 1":         "id = 1",
		"/* a /* b */ where */ WHERE id = 1":    "id = 1",
		"/**/where/**/id = 1":                   "/**/id = 1",
		"where where = 1":                       "where = 1",
		"where":                                 "",
		"where \n":                              "",
		"wherever = 1":                          "wherever = 1",
		"where_ = 1":                            "where_ = 1",
		"where1 = 1":                            "where1 = 1",
		"where$ = 1":                            "where$ = 1",
		"whereé = 1":                            "whereé = 1",
		`"where" = 1`:                           `"where" = 1`,
		"id = 1 -- where\n":                     "id = 1 -- where\n",
		"-- where id = 1":                       "-- where id = 1",
		"/* where id = 1":                       "/* where id = 1",
		"/* a /* b */ where id = 1":             "/* a /* b */ where id = 1",
		"/*/ where id = 1 */ where id = 2":      "id = 2",
		"/":                                     "/",
		"\u00a0where id = 1":                    "\u00a0where id = 1", // not white space in SQL
		"-- only the first\nid > 0 -- is it so": "-- only the first\nid > 0 -- is it so",
	} {
		if got := withoutWhere(filter); got != want {
			t.Errorf("%q becomes %q, want %q", filter, got, want)
		}
	}
}

func TestWithoutWhere_KeepsAFilterThatDoesNotBeginWithWhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		filter := rapid.StringMatching(`[-/*a-w \n'"]{0,12}`).Draw(t, "filter")
		got := withoutWhere(filter)
		if got != filter && !strings.Contains(filter, "where") {
			t.Fatalf("%q becomes %q", filter, got)
		}
		if again := withoutWhere("WHERE " + filter); strings.TrimLeft(again, sqlSpace) != strings.TrimLeft(filter, sqlSpace) {
			t.Fatalf("WHERE %q becomes %q", filter, again)
		}
	})
}
