package service

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/api"
	"ace/shared/replication"
	"ace/shared/structure/catalog"
)

// partitioned returns the catalog of a node with the partitioned table s.top, its
// partitions in of, and other tables.
func partitioned(of []string, tables ...string) catalog.Catalog {
	object := func(name string, properties map[catalog.Property]string) catalog.Object {
		return catalog.Object{ID: catalog.ID{Kind: catalog.Table, Schema: "s", Name: name}, Properties: properties}
	}
	c := catalog.Catalog{Objects: []catalog.Object{object("top", map[catalog.Property]string{catalog.PartitionKey: "RANGE (id)"})}}
	for _, name := range of {
		c.Objects = append(c.Objects, object(name, map[catalog.Property]string{catalog.Parents: `[["s","top"]]`, catalog.Bounds: "DEFAULT"}))
	}
	for _, name := range tables {
		c.Objects = append(c.Objects, object(name, nil))
	}
	return c
}

func TestMerge_LosesNoReplicatedRow(t *testing.T) {
	t.Parallel()
	two := partitioned([]string{"a", "b"})
	for _, tt := range []struct {
		name          string
		first, second catalog.Catalog
		members       []replication.Member
		want          map[string]string // the row filter by the table
	}{
		{"all partitions", two, two, []replication.Member{{Table: "s.a"}, {Table: "s.b"}}, map[string]string{"s.top": ""}},
		{"some partitions", two, two, []replication.Member{{Table: "s.a"}}, map[string]string{"s.a": ""}},
		{"a partition on one node only", two, partitioned([]string{"a"}), []replication.Member{{Table: "s.a"}, {Table: "s.b"}}, map[string]string{"s.a": "", "s.b": ""}},
		{"a filter of a partition", two, two, []replication.Member{{Table: "s.a", RowFilters: []string{"x"}}, {Table: "s.b"}}, map[string]string{"s.a": "x", "s.b": ""}},
		{"a partition and its table", two, two, []replication.Member{{Table: "s.top", RowFilters: []string{"x"}}, {Table: "s.a"}}, map[string]string{"s.top": ""}},
		{
			"a partition and its table, both with a filter", two, two,
			[]replication.Member{{Table: "s.top", RowFilters: []string{"x"}}, {Table: "s.a", RowFilters: []string{"y"}}}, map[string]string{"s.top": "(x) OR (y)"},
		},
		{
			"a partition that is detached on a node", two, partitioned([]string{"b"}, "a"),
			[]replication.Member{{Table: "s.top"}, {Table: "s.a"}, {Table: "s.b"}}, map[string]string{"s.top": "", "s.a": ""},
		},
		{
			"tables without their partitioned table", two, partitioned(nil, "a", "b"),
			[]replication.Member{{Table: "s.a"}, {Table: "s.b"}}, map[string]string{"s.a": "", "s.b": ""},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var all members
			for _, m := range tt.members {
				name, err := api.ParseTableName(m.Table)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, member{name, m})
			}
			got := map[string]string{}
			for _, m := range all.merge(map[string]catalog.Catalog{"n1": tt.first, "n2": tt.second}) {
				got[m.name.String()] = m.RowFilter()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
