package service

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/replication"
	"ace/shared/structure/catalog"
)

// member is a table of a publication or of a replication set.
type member struct {
	name api.TableName
	replication.Member
}

// replicates reports whether a column is replicated.
func (m member) replicates(column string) bool {
	return len(m.Columns) == 0 || slices.Contains(m.Columns, column)
}

// members are the tables of a set, in the order of their names.
type members []member

func membersOf(set replication.Set) (members, error) {
	var all members
	for _, m := range set.Members() {
		name, err := api.ParseTableName(m.Table)
		if err != nil {
			return nil, fault.New(fault.Invalid, "the table %s of %s cannot be compared: %v", m.Table, set, err)
		}
		all = append(all, member{name, m})
	}
	return all, nil
}

// schemas returns the schemas of the members, sorted.
func (m members) schemas() []string {
	schemas := map[string]bool{}
	for _, one := range m {
		schemas[one.name.Schema] = true
	}
	return slices.Sorted(maps.Keys(schemas))
}

// merge replaces partitions by their topmost partitioned table where this does not change
// the compared rows. If the partitioned table is a member, merge joins its partitions to
// it. Otherwise the partitions are replaced if they are all members, the same on all
// nodes, and replicated as a whole. A table that is not a partition of the same table on
// every node stays, because the partitioned table lacks some of its rows.
func (m members) merge(catalogs map[string]catalog.Catalog) members {
	parts, leaves := partitionsAlike(catalogs), leavesOf(catalogs)
	merged := map[api.TableName]member{}
	groups := map[api.TableName]members{} // the members that are partitions, by the partitioned table
	for _, one := range m {
		if top := parts.root(one.name); top != one.name {
			groups[top] = append(groups[top], one)
			continue
		}
		merged[one.name] = one
	}

	for top, group := range groups {
		root, isMember := merged[top]
		switch {
		case isMember:
			for _, one := range group {
				root.Member = root.Join(one.Member)
			}
			merged[top] = root
		case group.isComplete(leaves[top]):
			merged[top] = member{top, replication.Member{Table: top.String()}}
		default:
			for _, one := range group {
				merged[one.name] = one
			}
		}
	}

	names := slices.SortedFunc(maps.Keys(merged), func(a, b api.TableName) int {
		return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Name, b.Name))
	})
	all := make(members, len(names))
	for i, name := range names {
		all[i] = merged[name]
	}
	return all
}

// havePartitions reports whether a member is a partition or a partitioned table on any
// node.
func (m members) havePartitions(catalogs map[string]catalog.Catalog) bool {
	of := map[api.TableName]bool{}
	for name := range partitionsOf(catalogs) {
		of[name] = true
	}
	for _, read := range catalogs {
		for _, o := range read.Objects {
			if o.Kind == catalog.Table && o.Get(catalog.PartitionKey) != "" {
				of[api.TableName{Schema: o.Schema, Name: o.Name}] = true
			}
		}
	}
	return slices.ContainsFunc(m, func(one member) bool { return of[one.name] })
}

// isComplete reports whether the members are replicated as a whole and are exactly the
// partitions on every node. Each element of leaves has the partitions of one node.
func (m members) isComplete(leaves []map[api.TableName]bool) bool {
	names := map[api.TableName]bool{}
	for _, one := range m {
		if !one.IsWhole() {
			return false
		}
		names[one.name] = true
	}
	return len(leaves) > 0 && !slices.ContainsFunc(leaves, func(of map[api.TableName]bool) bool { return !maps.Equal(names, of) })
}

// partitionsAlike returns the partitions that are partitions of the same table on every
// node that has them.
func partitionsAlike(catalogs map[string]catalog.Catalog) partitions {
	alike := partitionsOf(catalogs)
	for node, read := range catalogs {
		parts := partitionsOf(map[string]catalog.Catalog{node: read})
		for _, o := range read.Objects {
			name := api.TableName{Schema: o.Schema, Name: o.Name}
			if o.Kind == catalog.Table && parts[name] != alike[name] {
				delete(alike, name)
			}
		}
	}
	return alike
}

// leavesOf returns, for each partitioned table and each node, the partitions that have no
// partitions of their own. A node without the partitioned table has none.
func leavesOf(catalogs map[string]catalog.Catalog) map[api.TableName][]map[api.TableName]bool {
	leaves := map[api.TableName][]map[api.TableName]bool{}
	for i, node := range slices.Sorted(maps.Keys(catalogs)) {
		parts := partitionsOf(map[string]catalog.Catalog{node: catalogs[node]})
		for _, o := range catalogs[node].Objects {
			name := api.TableName{Schema: o.Schema, Name: o.Name}
			root := parts.root(name)
			if o.Kind != catalog.Table || o.Get(catalog.PartitionKey) != "" || name == root {
				continue
			}
			if leaves[root] == nil {
				leaves[root] = make([]map[api.TableName]bool, len(catalogs))
			}
			if leaves[root][i] == nil {
				leaves[root][i] = map[api.TableName]bool{}
			}
			leaves[root][i][name] = true
		}
	}
	return leaves
}

// comparable returns a function that reports whether the membership of a table can be
// compared on a node. The node must have the table. If the nodes publish partitions under
// different names, the function returns false for partitions and partitioned tables.
func (m members) comparable(set replication.Set, catalogs map[string]catalog.Catalog) func(node, name string) bool {
	parts := partitionsOf(catalogs)
	exists := map[string]map[api.TableName]bool{}
	for node, read := range catalogs {
		exists[node] = map[api.TableName]bool{}
		for _, o := range read.Objects {
			name := api.TableName{Schema: o.Schema, Name: o.Name}
			partitioned := o.Get(catalog.PartitionKey) != "" || parts.root(name) != name
			if o.Kind == catalog.Table {
				exists[node][name] = !partitioned || !set.HasMixedRoots()
			}
		}
	}

	names := map[string]api.TableName{}
	for _, one := range m {
		names[one.Table] = one.name
	}
	return func(node, name string) bool { return exists[node][names[name]] }
}
