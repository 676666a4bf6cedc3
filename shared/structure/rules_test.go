package structure_test

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/finding"
	"ace/shared/structure"
	"ace/shared/structure/catalog"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type properties = map[catalog.Property]string

// of returns a catalog of PostgreSQL 18 with these objects.
func of(objects ...catalog.Object) catalog.Catalog {
	return catalog.Catalog{Version: 180000, Objects: objects}
}

func object(kind catalog.Kind, schema, relation, name string, p properties) catalog.Object {
	return catalog.Object{ID: catalog.ID{Kind: kind, Schema: schema, Relation: relation, Name: name}, Properties: p}
}

func users() catalog.Object { return object(catalog.Table, "public", "", "users", properties{}) }

func column(p properties) catalog.Object {
	return object(catalog.Column, "public", "users", "name", p)
}

func value(v int64) *int64 { return &v }

// The golden file shows the document as people read it. It has three nodes, of which two
// agree, a value that differs between all of them, a missing object and a sequence.
func TestCompare_ThreeNodes(t *testing.T) {
	const golden = "testdata/three-nodes.json"
	index := object(catalog.Index, "public", "users", "users_name", properties{catalog.Definition: "USING btree (name)", catalog.Unique: "true"})
	sequence := object(catalog.Sequence, "public", "", "users_id_seq", properties{catalog.Increment: "1", catalog.OwnedBy: `["public","users","id"]`})
	id := object(catalog.Column, "public", "users", "id", properties{catalog.Type: "bigint"})
	state := func(last, furthest int64) []catalog.SequenceState {
		return []catalog.SequenceState{{
			Schema: "public", Name: "users_id_seq", LastValue: value(last), IsCalled: true,
			Columns: []catalog.ServedColumn{{Schema: "public", Table: "users", Name: "id", Furthest: value(furthest)}},
		}}
	}
	n1 := of(users(), id, index, sequence, column(properties{catalog.Type: "text", catalog.Default: "'a'::text", catalog.Grants: `{"":["SELECT"],"Bob":["INSERT*"]}`}))
	n2 := of(users(), id, index, sequence, column(properties{catalog.Type: "text", catalog.Default: "'b'::text", catalog.Grants: `{}`}))
	n3 := of(users(), id, sequence, column(properties{catalog.Type: "character varying(10)", catalog.Default: "'c'::text", catalog.Grants: `{}`}))
	n1.Sequences, n2.Sequences, n3.Sequences = state(4711, 4711), state(1, 4711), state(5000, 4711)

	found := structure.Compare(map[string]catalog.Catalog{"n1": n1, "n2": n2, "n3": n3}, structure.Options{Nodes: []string{"n2", "n1", "n3"}})
	got, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-golden +got):\n%s", diff)
	}
}

// compareTwo returns the findings about two catalogs in short.
func compareTwo(a, b catalog.Catalog, ignore ...string) []string {
	var lines []string
	for _, f := range structure.Compare(map[string]catalog.Catalog{"n1": a, "n2": b}, structure.Options{Ignore: ignore}) {
		what, _, _ := strings.Cut(f.Detail, ":")
		lines = append(lines, string(f.Rank)+" "+f.Kind+": "+what)
	}
	return lines
}

func TestCompare_VersionsOfServers(t *testing.T) {
	older := func(c catalog.Catalog) catalog.Catalog {
		c.Version = 150000
		return c
	}
	view := func(definition string) catalog.Catalog {
		return of(object(catalog.View, "public", "", "v", properties{catalog.Definition: definition}))
	}
	granted := func(grants string) catalog.Catalog {
		return of(object(catalog.Table, "public", "", "t", properties{catalog.Grants: grants}))
	}
	extension := func(version string) catalog.Catalog {
		return of(object(catalog.Extension, "", "", "x", properties{catalog.Version: version}))
	}
	enforced := of(users(), object(catalog.Check, "public", "users", "c", properties{catalog.Enforced: "true"}))
	unaware := of(users(), object(catalog.Check, "public", "users", "c", properties{}))
	for name, c := range map[string]struct {
		a, b catalog.Catalog
		want []string
	}{
		"a view with needless qualifiers": {older(view("SELECT t.a FROM s.t WHERE t.b = 't.x'")), view("SELECT a FROM s.t WHERE b = 't.x'"), nil},
		"another view":                    {older(view("SELECT t.a FROM s.t")), view("SELECT b FROM s.t"), []string{"differs view: definition differs"}},
		"a view of another schema":        {older(view("SELECT t.a FROM s.t")), view("SELECT a FROM t"), []string{"differs view: definition differs"}},
		"a view with a missing end":       {older(view("SELECT t.a FROM s.t")), view("SELECT a FROM s.t LIMIT 1"), []string{"differs view: definition differs"}},
		"qualifiers on equal versions":    {view("SELECT t.a FROM s.t"), view("SELECT a FROM s.t"), []string{"differs view: definition differs"}},
		"MAINTAIN":                        {older(granted(`{"x":["SELECT"]}`)), granted(`{"x":["MAINTAIN","SELECT"],"y":["MAINTAIN*"]}`), nil},
		"MAINTAIN on equal versions":      {granted(`{}`), granted(`{"x":["MAINTAIN"]}`), []string{"differs grants: grants of the table differs"}},
		"an extension":                    {extension("1.9"), extension("1.10"), []string{"drifts extension: version differs"}},
		"an extension on other versions":  {older(extension("1.9")), extension("1.10"), []string{"differs extension: version differs"}},
		"a property that is too new":      {older(unaware), enforced, nil},
		"a property that was not read":    {unaware, enforced, []string{"blocks check: enforced differs"}},
	} {
		if diff := cmp.Diff(c.want, compareTwo(c.a, c.b)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCompare_DatabasesAndForeignTables(t *testing.T) {
	a := of(object(catalog.Database, "", "", "", properties{catalog.Encoding: "UTF8", catalog.CollationName: "C / C", catalog.Provider: "c", catalog.Locale: ""}),
		object(catalog.ForeignTable, "public", "", "f", properties{catalog.Server: "a"}))
	b := of(object(catalog.Database, "", "", "", properties{catalog.Encoding: "LATIN1", catalog.CollationName: "en / en", catalog.Provider: "i", catalog.Locale: "en"}),
		object(catalog.ForeignTable, "public", "", "f", properties{catalog.Server: "b"}))
	want := []string{"blocks database: encoding differs", "drifts database: collation differs", "drifts database: locale differs", "drifts database: provider differs", "differs foreign table: server differs"}
	if diff := cmp.Diff(want, compareTwo(a, b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[4:], compareTwo(a, b, "databases")); diff != "" {
		t.Errorf("without databases (-want +got):\n%s", diff)
	}
}

func TestCompare_AnUnreadSequenceIsNotEqual(t *testing.T) {
	a, b := of(object(catalog.Sequence, "public", "", "s", properties{catalog.Increment: "1"})), of(object(catalog.Sequence, "public", "", "s", properties{catalog.Increment: "1"}))
	a.Sequences = []catalog.SequenceState{{Schema: "public", Name: "s", LastValue: value(7), IsCalled: true}}
	b.Sequences = []catalog.SequenceState{{Schema: "public", Name: "s", Unknown: "the role lacks SELECT on the sequence"}}
	if got, want := compareTwo(a, b), []string{"differs sequence: value unknown on n2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// If the role may not read a column, the column may have values that the sequence has yet
// to return, so there is a finding. There is none if the column is not read for another
// reason, such as a missing index.
func TestCompare_AnUnreadColumnIsNotEqual(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		increment string
		columns   []catalog.ServedColumn // the column on n2, if any
		last      int64                  // the last value on n2; on n1 it is 7
		want, n2  string
		detailHas string
	}{
		"no privilege": {
			increment: "1", last: 7, columns: []catalog.ServedColumn{{Unknown: "the role lacks SELECT on the column", Denied: true}},
			want: "differs sequence: value unknown on n2", n2: "last value 7, largest public.t.k unknown: the role lacks SELECT on the column", detailHas: "SELECT on the sequence and on the columns",
		},
		"row security, descending": {
			increment: "-1", last: 7, columns: []catalog.ServedColumn{{Unknown: "row security hides rows from the role", Denied: true}},
			want: "differs sequence: value unknown on n2", n2: "last value 7, smallest public.t.k unknown: row security hides rows from the role", detailHas: "BYPASSRLS",
		},
		"the sequence lags": {
			increment: "1", last: 5, columns: []catalog.ServedColumn{{Unknown: "the role lacks SELECT on the column", Denied: true}},
			want: "drifts sequence: the value is behind", n2: "last value 5, largest public.t.k unknown: the role lacks SELECT on the column", detailHas: "7 was returned",
		},
		"interleaved": {increment: "2", last: 8, columns: []catalog.ServedColumn{{Unknown: "the role lacks SELECT on the column", Denied: true}}},
		"not indexed": {increment: "1", last: 7, columns: []catalog.ServedColumn{{Unknown: "no index begins with the column"}}},
		"empty":       {increment: "1", last: 7, columns: []catalog.ServedColumn{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := func(last int64, columns []catalog.ServedColumn) catalog.Catalog {
				for i := range columns {
					columns[i].Schema, columns[i].Table, columns[i].Name = "public", "t", "k"
				}
				c := of(object(catalog.Sequence, "public", "", "s", properties{catalog.Increment: test.increment}))
				c.Sequences = []catalog.SequenceState{{Schema: "public", Name: "s", LastValue: value(last), IsCalled: true, Columns: columns}}
				return c
			}
			found := structure.Compare(map[string]catalog.Catalog{"n1": node(7, nil), "n2": node(test.last, test.columns)}, structure.Options{})
			if test.want == "" {
				if len(found) > 0 {
					t.Fatalf("findings: %+v", found)
				}
				return
			}
			if len(found) != 1 || !strings.HasPrefix(string(found[0].Rank)+" "+found[0].Kind+": "+found[0].Detail, test.want) {
				t.Fatalf("findings: %+v", found)
			}
			if f := found[0]; f.Nodes["n2"] != test.n2 || !strings.Contains(f.Detail, test.detailHas) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A sequence at its last value does not overflow, and the column of one node suffices to
// find that its sequence is behind.
func TestCompare_TheStateOfOneNode(t *testing.T) {
	c := of(object(catalog.Sequence, "public", "", "s", properties{catalog.Increment: "1"}))
	state := func(last, furthest int64) map[string]catalog.Catalog {
		c.Sequences = []catalog.SequenceState{{
			Schema: "public", Name: "s", LastValue: value(last), IsCalled: true, Columns: []catalog.ServedColumn{{Schema: "public", Table: "t", Name: "k", Furthest: value(furthest)}},
		}}
		return map[string]catalog.Catalog{"n1": c}
	}
	const largest = 1<<63 - 1
	if got := structure.Compare(state(largest, largest), structure.Options{}); len(got) > 0 {
		t.Errorf("at the end: %v", got)
	}
	if got := structure.Compare(state(5, 6), structure.Options{}); len(got) != 1 || got[0].Fix["n1"] != `SELECT pg_catalog.setval('"public"."s"', GREATEST(6, last_value), true) FROM "public"."s";` {
		t.Errorf("before the column: %v", got)
	}
	if got := structure.Compare(state(6, 6), structure.Options{}); len(got) > 0 {
		t.Errorf("at the column: %v", got)
	}
}

func TestIgnore_TakesKindsAndTheirPlurals(t *testing.T) {
	for _, name := range append(structure.Kinds(), "owners", "grants", "indexes", "primary_keys", "policies", "foreign-keys", " Comments ", "statistics") {
		if err := structure.CheckIgnore([]string{name}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := structure.CheckIgnore([]string{"owners", "indices"}); err == nil || !strings.Contains(err.Error(), `"indices"`) {
		t.Errorf("an unknown kind: %v", err)
	}

	a := of(users(), column(properties{catalog.Owner: "a", catalog.Comment: "a", catalog.Default: "1"}))
	b := of(users(), column(properties{catalog.Owner: "b", catalog.Comment: "b", catalog.Default: "2"}))
	if got, want := compareTwo(a, b, "owners", "comments"), []string{"drifts column: default differs"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every kind has a reason for each rank, and each rank is one of the three.
func TestCompare_EveryRuleHasAReason(t *testing.T) {
	for _, kind := range structure.Kinds() {
		a, b := of(users()), of(users())
		if slices.Contains([]string{"owner", "grants", "comment"}, kind) {
			continue // not a kind of object
		}
		a.Objects = append(a.Objects, object(catalog.Kind(kind), "", "", "x", properties{}))
		for _, f := range structure.Compare(map[string]catalog.Catalog{"n1": a, "n2": b}, structure.Options{}) {
			if _, reason, _ := strings.Cut(f.Detail, ": "); reason == "" {
				t.Errorf("%s: %q has no reason", kind, f.Detail)
			}
			if !slices.Contains([]finding.Rank{finding.Blocks, finding.Drifts, finding.Differs}, f.Rank) {
				t.Errorf("%s: rank %q", kind, f.Rank)
			}
		}
	}
}
