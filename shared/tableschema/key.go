package tableschema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// commonKey is a list of columns that some index of each node makes a key.
type commonKey struct {
	columns []string // in the order of the ranges
	nodes   []nodeKey
}

// nodeKey is what one node has on the columns of a key.
type nodeKey struct {
	index    table.Index // its columns stand in the key's order, whatever their order in the index is
	primary  bool        // the columns are those of the primary key
	identity bool        // the columns are those of the replica identity
	ordered  bool        // the index has the columns in the key's order
}

// ChooseKey returns the columns of the key by which rows can be matched on all nodes:
// those of the primary key where it is the same everywhere, else those of the best unique
// index that all nodes have. The order of the nodes does not matter.
func ChooseKey(nodes []*table.Description) ([]string, error) {
	keys := commonKeys(nodes)
	if len(keys) == 0 {
		return nil, noKey(nodes, nil)
	}
	return slices.MinFunc(keys, compareKeys).columns, nil
}

// KeyOrder returns the columns of a key in an order in which every node has them in an
// index. It prefers the given order, and returns that if there is no such index.
func KeyOrder(nodes []*table.Description, columns []string) []string {
	best := columns
	found := false
	for _, key := range commonKeys(nodes) {
		if !key.ordered() || !sameColumns(key.columns, columns) {
			continue
		}
		if slices.Equal(key.columns, columns) {
			return columns
		}
		if !found || slices.Compare(key.columns, best) < 0 {
			best, found = key.columns, true
		}
	}
	return best
}

// commonKeys returns the keys of all nodes, in every order that an index of some node
// has.
func commonKeys(nodes []*table.Description) []commonKey {
	var keys []commonKey
	for _, d := range nodes {
		for _, index := range d.Indexes {
			columns := columnsOf(index)
			met := slices.ContainsFunc(keys, func(k commonKey) bool { return slices.Equal(k.columns, columns) })
			if met || len(index.Against) > 0 {
				continue
			}
			if key, ok := keyOf(nodes, columns); ok {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// keyOf finds what every node has on these columns; false if one lacks a key on them, or
// has them of types that cannot be matched.
func keyOf(nodes []*table.Description, columns []string) (commonKey, bool) {
	key := commonKey{columns: columns}
	for _, d := range nodes {
		on, ok := nodeKeyOf(d, columns)
		if !ok {
			return key, false
		}
		key.nodes = append(key.nodes, on)
	}
	return key, unmatched(nodes, columns) == ""
}

// nodeKeyOf finds the best index of a node on these columns: one that has them in this
// order, if there is one.
func nodeKeyOf(d *table.Description, columns []string) (key nodeKey, found bool) {
	for _, index := range d.Indexes {
		if len(index.Against) > 0 || !sameColumns(columnsOf(index), columns) {
			continue
		}
		key.primary = key.primary || index.Primary
		key.identity = key.identity || index.Identity
		ordered := slices.Equal(columnsOf(index), columns)
		if !found || ordered && !key.ordered {
			key.index, key.ordered, found = index, ordered, true
		}
	}
	if found && !key.ordered {
		key.index.Columns = arranged(key.index.Columns, columns)
	}
	return key, found
}

// arranged returns the columns of an index in the order of these names.
func arranged(of []table.KeyColumn, names []string) []table.KeyColumn {
	columns := make([]table.KeyColumn, len(names))
	for i, name := range names {
		columns[i] = of[slices.IndexFunc(of, func(k table.KeyColumn) bool { return k.Name == name })]
	}
	return columns
}

// ordered reports whether ranges of the key are ranges of an index on every node.
func (k commonKey) ordered() bool {
	return !slices.ContainsFunc(k.nodes, func(n nodeKey) bool { return !n.ordered })
}

// compareKeys puts the better key first.
func compareKeys(a, b commonKey) int {
	return cmp.Or(
		first(a.primaryEverywhere(), b.primaryEverywhere()),
		cmp.Compare(b.marked(), a.marked()),
		cmp.Compare(len(a.columns), len(b.columns)),
		first(a.ordered(), b.ordered()),
		cmp.Compare(a.name(), b.name()),
		slices.Compare(a.columns, b.columns),
	)
}

// first orders what is so before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func (k commonKey) primaryEverywhere() bool {
	return !slices.ContainsFunc(k.nodes, func(n nodeKey) bool { return !n.primary })
}

// marked counts the nodes that name the columns as what identifies a row, by a primary
// key or a replica identity.
func (k commonKey) marked() (count int) {
	for _, n := range k.nodes {
		if n.primary || n.identity {
			count++
		}
	}
	return count
}

// name is the least of the indexes' names.
func (k commonKey) name() string {
	names := make([]string, len(k.nodes))
	for i, n := range k.nodes {
		names[i] = n.index.Name
	}
	return slices.Min(names)
}

func columnsOf(index table.Index) []string {
	names := make([]string, len(index.Columns))
	for i, k := range index.Columns {
		names[i] = k.Name
	}
	return names
}

// sameColumns reports whether two lists have the same names in whatever order.
func sameColumns(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// unmatched returns the columns of a key whose types have no common keys, for people;
// empty if there are none.
func unmatched(nodes []*table.Description, columns []string) string {
	first := nodes[0]
	for _, name := range columns {
		a, has := first.Column(name)
		for _, other := range nodes[1:] {
			b, too := other.Column(name)
			if has && too && keyFamily(a.Type) != keyFamily(b.Type) {
				return fmt.Sprintf("key column %q is %s on node %q but %s on node %q: keys of these types cannot be matched",
					name, a.Declared, first.Node, b.Declared, other.Node)
			}
		}
	}
	return ""
}

// listedIndexes bounds how many indexes of a node an error names.
const listedIndexes = 8

// noKey is the error of nodes that have no key in common, or not the one that is wanted.
// It names for each node the indexes and what is wrong with each.
func noKey(nodes []*table.Description, wanted []string) error {
	var reasons, met []string
	for _, d := range nodes {
		if slices.Contains(met, d.Node) {
			continue
		}
		met = append(met, d.Node)
		reasons = append(reasons, fmt.Sprintf("node %q %s", d.Node, againstIndexes(nodes, d)))
	}
	what := "no primary key or unique index can serve as the key on every node"
	if wanted != nil {
		what = fmt.Sprintf("no primary key or unique index on (%s), by which rows were matched so far, can serve as the key on every node", strings.Join(wanted, ", "))
	}
	return fault.New(fault.Invalid, "rows cannot be matched, because %s: %s", what, strings.Join(reasons, "; "))
}

// againstIndexes returns what keeps the indexes of a node from being the key.
func againstIndexes(nodes []*table.Description, d *table.Description) string {
	if len(d.Indexes) == 0 {
		return "has no primary key and no unique index"
	}
	var list []string
	for i, index := range d.Indexes {
		if i == listedIndexes {
			list = append(list, fmt.Sprintf("and %d more", len(d.Indexes)-i))
			break
		}
		list = append(list, fmt.Sprintf("%q %s", index.Name, againstIndex(nodes, index)))
	}
	return "has " + strings.Join(list, ", ")
}

// againstIndex returns what keeps one index from being the key.
func againstIndex(nodes []*table.Description, index table.Index) string {
	if len(index.Against) > 0 {
		return "(" + strings.Join(index.Against, " and ") + ")"
	}
	columns := columnsOf(index)
	on := "on (" + strings.Join(columns, ", ") + ")"
	for _, other := range nodes {
		if _, ok := nodeKeyOf(other, columns); !ok {
			return fmt.Sprintf("%s (node %q has no key on these columns)", on, other.Node)
		}
	}
	if why := unmatched(nodes, columns); why != "" {
		return fmt.Sprintf("%s (%s)", on, why)
	}
	return on
}
