package inventory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"ace/shared/cluster"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/rawtext"
	"ace/shared/table"
	"ace/shared/tableschema"
)

// Page is a page of the list of tables.
type Page struct {
	Tables []Table
	Unread []Unread // the nodes whose catalogs could not be read, in the order of the definition
	More   bool     // further tables follow after this page
}

// Unread is a node whose catalog could not be read.
type Unread struct {
	Node string
	Err  error
}

// Table is a table that at least one node has.
type Table struct {
	Schema, Name string
	RowEstimate  *int64   // the largest estimate of the nodes; nil if there is none
	Key          []string // the key of a comparison of the nodes that have the table; empty if there is none
	NoKey        string   // the reason why there is no key
	MissingOn    []string // the nodes that lack the table; nodes whose catalogs were not read are not among them
}

// Tables returns the selected tables of the targets, in the order of the bytes of schema
// and name. It returns an error only if ctx ends.
func Tables(ctx context.Context, connections Connections, targets []cluster.Target, of table.Selection) (Page, error) {
	limit := of.Limit
	of.Limit++ // the additional table shows whether further tables follow
	lists, err := fanout.Map(ctx, nodesAtOnce, targets, func(ctx context.Context, target cluster.Target) (nodeTables, error) {
		return listNode(ctx, connections, target, of), nil
	})
	if err != nil {
		return Page{}, err
	}

	var page Page
	var read []nodeTables
	for _, list := range lists {
		if list.err != nil {
			page.Unread = append(page.Unread, Unread{list.node, list.err})
			continue
		}
		read = append(read, list)
	}

	names := namesOf(read)
	if page.More = len(names) > limit; page.More {
		names = names[:limit]
	}
	for _, name := range names {
		page.Tables = append(page.Tables, merge(name, read))
	}
	return page, nil
}

// nodeTables has the tables of one node.
type nodeTables struct {
	node   string
	tables map[name]table.Listing
	err    error // why the tables could not be listed
}

func listNode(ctx context.Context, connections Connections, target cluster.Target, of table.Selection) nodeTables {
	list := nodeTables{node: target.Node, tables: map[name]table.Listing{}}
	node, err := connections.Node(target)
	if err != nil {
		list.err = err
		return list
	}

	found, err := node.ListTables(ctx, of)
	for _, one := range found {
		list.tables[name{one.Schema, one.Name}] = one
	}
	list.err = err
	return list
}

// name is the name of a table.
type name struct{ schema, name string }

// compare compares two names by the bytes that the nodes store.
func (n name) compare(o name) int {
	return cmp.Or(
		strings.Compare(rawtext.Bytes(n.schema), rawtext.Bytes(o.schema)),
		strings.Compare(rawtext.Bytes(n.name), rawtext.Bytes(o.name)),
	)
}

// namesOf returns the sorted names of the tables of all nodes.
func namesOf(lists []nodeTables) []name {
	var names []name
	for _, list := range lists {
		for name := range list.tables {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, name.compare)
	return slices.Compact(names)
}

// merge combines what the nodes report about one table: the nodes that lack it, the
// largest estimate of its rows, and the key by which a comparison would match rows.
func merge(of name, lists []nodeTables) Table {
	merged := Table{Schema: of.schema, Name: of.name}
	var described []*table.Description
	for _, list := range lists {
		on, has := list.tables[of]
		if !has {
			merged.MissingOn = append(merged.MissingOn, list.node)
			continue
		}
		described = append(described, on.Keys)
		if on.RowEstimate != nil && (merged.RowEstimate == nil || *on.RowEstimate > *merged.RowEstimate) {
			merged.RowEstimate = on.RowEstimate
		}
	}

	var err error
	if merged.Key, err = tableschema.ChooseKey(described); err != nil {
		merged.NoKey = fault.PublicMessage(err)
	}
	return merged
}
