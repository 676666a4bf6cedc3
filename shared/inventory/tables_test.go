package inventory_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/inventory"
	"ace/shared/rawtext"
	"ace/shared/table"
)

// nodes has the names of the tables of each node, as the node stores them. A node without
// a list cannot be reached.
type nodes map[string][]string

func (n nodes) Node(target cluster.Target) (inventory.Node, error) {
	return node{name: target.Node, tables: n[target.Node]}, nil
}

func (n nodes) Close() {}

// node answers as a server does.
type node struct {
	inventory.Node
	name   string
	tables []string
}

func (n node) ListTables(_ context.Context, of table.Selection) ([]table.Listing, error) {
	if n.tables == nil {
		return nil, fault.New(fault.Unavailable, "node %q is unreachable", n.name)
	}
	var found []table.Listing
	for _, name := range slices.Sorted(slices.Values(n.tables)) {
		if name > rawtext.Bytes(of.AfterName) && len(found) < of.Limit {
			found = append(found, table.Listing{Schema: "s", Name: rawtext.Text([]byte(name)), Keys: &table.Description{Node: n.name}})
		}
	}
	return found, nil
}

// Pages of any length list every table of every node once, in order.
func TestTables_PagesHoldEveryTableOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "\xe9", "\xf0\x9f", "é", "z", "\ufdd0", "日"}), rapid.ID[string])
		on := nodes{"n1": names.Draw(t, "n1"), "n2": names.Draw(t, "n2"), "n3": nil}
		var want []string
		for _, name := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(on["n1"], on["n2"])))) {
			var missing []string
			for _, node := range []string{"n1", "n2"} {
				if !slices.Contains(on[node], name) {
					missing = append(missing, node)
				}
			}
			want = append(want, fmt.Sprint(rawtext.Text([]byte(name)), missing))
		}

		var got []string
		selection := table.Selection{Limit: rapid.IntRange(1, 9).Draw(t, "limit")}
		for {
			page, err := inventory.Tables(context.Background(), on, []cluster.Target{{Node: "n1"}, {Node: "n2"}, {Node: "n3"}}, selection)
			if err != nil || len(page.Unread) != 1 || page.Unread[0].Node != "n3" || len(page.Tables) > selection.Limit {
				t.Fatalf("%+v, %v", page, err)
			}
			for _, one := range page.Tables {
				got = append(got, fmt.Sprint(one.Name, one.MissingOn))
				selection.AfterSchema, selection.AfterName = one.Schema, one.Name
			}
			if !page.More {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
