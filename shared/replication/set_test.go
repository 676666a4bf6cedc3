package replication_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/fault"
	"ace/shared/finding"
	"ace/shared/replication"
)

// publishing returns a node that publishes tables in publication p.
func publishing(name string, tables ...replication.PublishedTable) replication.Node {
	return replication.Node{Name: name, State: &replication.State{
		Publications: []replication.Publication{{System: replication.Native, Name: "p", Operations: "insert, update, delete", Tables: tables}},
	}}
}

// A row or column is replicated if one node replicates it.
func TestMembers_HaveWhatOneOfTheNodesReplicates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                 string
		first, second, third replication.PublishedTable
		filter               string
		columns              []string
	}{
		{"equal filters", of("(id > 1)"), of("(id > 1)"), of("(id > 1)"), "(id > 1)", nil},
		{"different filters", of("(b)"), of("(a)"), of("(b)"), "((a)) OR ((b))", nil},
		{"a filter without parentheses", of("a AND b"), of("NOT c"), of("a AND b"), "(NOT c) OR (a AND b)", nil},
		{"one node without a filter", of("(a)"), of(""), of("(b)"), "", nil},
		{"the last node without a filter", of("(a)"), of("(b)"), of(""), "", nil},
		{"equal columns in another order", of("", "id", "v"), of("", "v", "id"), of("", "id", "v"), "", []string{"id", "v"}},
		{"different columns", of("", "id", "v"), of("", "id", "w"), of("", "id"), "", []string{"id", "v", "w"}},
		{"one node without a column list", of("", "id", "v"), of("", "id"), of(""), "", nil},
		{"a filter on one node and columns on another", of("(a)"), of("", "id"), of("(a)", "id"), "", nil},
		{"a filter and columns on all nodes", of("(a)", "id"), of("(b)", "id", "v"), of("(a)", "id"), "((a)) OR ((b))", []string{"id", "v"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			nodes := []replication.Node{publishing("n1", tt.first), publishing("n2", tt.second), publishing("n3", tt.third)}
			set, err := replication.FindSet(nodes, "", "p")
			if err != nil {
				t.Fatal(err)
			}
			members := set.Members()
			if len(members) != 1 || members[0].RowFilter() != tt.filter || members[0].IsWhole() != (tt.filter == "" && tt.columns == nil) {
				t.Fatalf("the members are %+v, want the filter %q", members, tt.filter)
			}
			if diff := cmp.Diff(tt.columns, members[0].Columns); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
		})
	}
}

// of returns the table public.t with a row filter and a column list.
func of(filter string, columns ...string) replication.PublishedTable {
	return replication.PublishedTable{Table: "public.t", RowFilter: filter, Columns: columns}
}

// A table is a member if one node has it in the set, and a node without the set does not
// matter.
func TestMembers_AreThoseOfAllNodes(t *testing.T) {
	t.Parallel()
	filtered := replication.PublishedTable{Table: "public.b", RowFilter: "(a)"}
	nodes := []replication.Node{publishing("n1", filtered), {Name: "n2", State: &replication.State{}}, publishing("n3", of(""))}
	set, err := replication.FindSet(nodes, replication.Native, "p")
	want := []replication.Member{{Table: "public.b", RowFilters: []string{"(a)"}}, {Table: "public.t"}}
	if diff := cmp.Diff(want, set.Members()); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := replication.FindSet(nodes, replication.Spock, "p"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a set of another system: %v", err)
	}
}

// Servers of different versions print a name with and without quotes.
func TestFindSet_JoinsATableWithTwoTexts(t *testing.T) {
	t.Parallel()
	of := func(tables ...replication.PublishedTable) *replication.State {
		return &replication.State{Publications: []replication.Publication{{System: replication.Native, Name: "p", Tables: tables}}}
	}
	nodes := []replication.Node{
		{Name: "n1", State: of(replication.PublishedTable{Table: "public.a"}, replication.PublishedTable{Table: "public.json", RowFilter: "(id > 1)"})},
		{Name: "n2", State: of(replication.PublishedTable{Table: `public."json"`}, replication.PublishedTable{Table: "public.a"})},
	}
	set, err := replication.FindSet(nodes, "", "p")
	want := []replication.Member{{Table: `public."json"`}, {Table: "public.a"}}
	if diff := cmp.Diff(want, set.Members()); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, f := range set.Compare(func(string, string) bool { return true }) {
		if f.Kind == replication.KindSetTable && len(f.Fix) > 0 {
			t.Errorf("a table is not found in the set: %+v", f)
		}
	}
}

// Before PostgreSQL 18, no node sends generated columns.
func TestCompare_FindsSettingsThatDiffer(t *testing.T) {
	t.Parallel()
	old, without, with := publishing("n1", of("")), publishing("n2", of("")), publishing("n3", of(""))
	without.Publications[0].GeneratedColumns, with.Publications[0].GeneratedColumns = "n", "s"
	for _, tt := range []struct {
		nodes []replication.Node
		found int
	}{{[]replication.Node{old, without}, 0}, {[]replication.Node{without, with}, 1}, {[]replication.Node{old, with}, 1}} {
		set, err := replication.FindSet(tt.nodes, "", "p")
		if err != nil {
			t.Fatal(err)
		}
		found := set.Compare(func(string, string) bool { return true })
		if len(found) != tt.found || tt.found == 1 && (found[0].Rank != finding.Drifts || found[0].Nodes["n3"] != "stored") {
			t.Errorf("%s and %s: %+v", tt.nodes[0].Name, tt.nodes[1].Name, found)
		}
	}
}
