package tableschema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// commonKey is a list of columns on which every node has a unique index, with the columns
// in any order.
type commonKey struct {
	columns []string // in the order in which key ranges compare them
	nodes   []nodeKey
}

// nodeKey is the index of one node on the columns of a key.
type nodeKey struct {
	index    table.Index // its columns are in the key's order, whatever their order in the index
	primary  bool        // the columns are those of the primary key
	identity bool        // the columns are those of the replica identity
	ordered  bool        // the index has the columns in the key's order
}

// ChooseKey returns the columns of the key by which rows are matched on all nodes: those
// of the primary key if it is the same everywhere, else those of the best unique index
// that all nodes have. The order of the nodes does not matter.
func ChooseKey(nodes []*table.Description) ([]string, error) {
	keys := commonKeys(nodes)
	if len(keys) == 0 {
		return nil, noKey(nodes, nil)
	}
	return slices.MinFunc(keys, compareKeys).columns, nil
}

// KeyOrder sorts columns, the columns of a key, in such an order that every node has an
// index with the columns in this order. Key ranges can then be read by these indexes. If
// columns already has such an order, or if there is none, KeyOrder returns columns
// unchanged.
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

// commonKeys returns the keys that all nodes have. If indexes have the same columns in
// different orders, it returns one key for each of these orders.
func commonKeys(nodes []*table.Description) []commonKey {
	var keys []commonKey
	for _, d := range nodes {
		for _, index := range d.Indexes {
			columns := columnsOf(index)
			known := slices.ContainsFunc(keys, func(k commonKey) bool { return slices.Equal(k.columns, columns) })
			if known || len(index.Against) > 0 {
				continue
			}
			if key, ok := keyOf(nodes, columns); ok {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// keyOf returns the key on these columns, with the best index of each node. It returns
// false if a node has no index on the columns that can serve as the key, or if the values
// of a column cannot be matched because two nodes have different types for it.
func keyOf(nodes []*table.Description, columns []string) (commonKey, bool) {
	key := commonKey{columns: columns}
	for _, d := range nodes {
		on, ok := nodeKeyOf(d, columns)
		if !ok {
			return key, false
		}
		key.nodes = append(key.nodes, on)
	}
	return key, typeMismatch(nodes, columns) == ""
}

// nodeKeyOf returns the best index of a node on these columns: an index that has the
// columns in this order, or else one that has them in another order. It returns false if
// no index on these columns can serve as the key.
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
		key.index.Columns = sortColumns(key.index.Columns, columns)
	}
	return key, found
}

// sortColumns returns the columns of an index in the order in which names lists them.
func sortColumns(of []table.KeyColumn, names []string) []table.KeyColumn {
	columns := make([]table.KeyColumn, len(names))
	for i, name := range names {
		columns[i] = of[slices.IndexFunc(of, func(k table.KeyColumn) bool { return k.Name == name })]
	}
	return columns
}

// ordered reports whether the index of every node has the columns in the key's order.
// Only such an index can be used to read key ranges.
func (k commonKey) ordered() bool {
	return !slices.ContainsFunc(k.nodes, func(n nodeKey) bool { return !n.ordered })
}

// compareKeys returns a negative number if key a is better than key b for matching rows,
// and a positive number if it is worse. The last two criteria only ensure that the choice
// does not depend on the order of the nodes.
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

// first orders true before false.
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

// marked returns the number of nodes on which the columns are the primary key or the
// replica identity.
func (k commonKey) marked() (count int) {
	for _, n := range k.nodes {
		if n.primary || n.identity {
			count++
		}
	}
	return count
}

// name returns the name of the key's index on one of the nodes: the name that is first in
// alphabetical order.
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

// sameColumns reports whether two lists have the same names in any order.
func sameColumns(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// typeMismatch describes the first key column whose values cannot be matched because two
// nodes have different types for it. It returns "" if there is no such column.
func typeMismatch(nodes []*table.Description, columns []string) string {
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

// listedIndexes is the maximum number of indexes of a node that an error names.
const listedIndexes = 8

// noKey returns the error for nodes that have no key in common. wanted are the columns of
// the required key, or nil if every key is acceptable. For each node the error names the
// indexes and why each cannot serve as the key.
func noKey(nodes []*table.Description, wanted []string) error {
	var reasons, seen []string
	for _, d := range nodes {
		if slices.Contains(seen, d.Node) {
			continue
		}
		seen = append(seen, d.Node)
		reasons = append(reasons, fmt.Sprintf("node %q %s", d.Node, againstIndexes(nodes, d)))
	}

	what := "no primary key or unique index can serve as the key on every node"
	if wanted != nil {
		what = fmt.Sprintf("no primary key or unique index on (%s), by which rows were matched so far, can serve as the key on every node", strings.Join(wanted, ", "))
	}
	return fault.New(fault.Invalid, "rows cannot be matched, because %s: %s", what, strings.Join(reasons, "; "))
}

// againstIndexes returns a text that lists the indexes of a node, each with the reason
// why it cannot serve as the key.
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

// againstIndex returns the reason why one index cannot serve as the key. If there is no
// such reason, it returns only the columns of the index: the index is not used because
// the required key has other columns.
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

	if why := typeMismatch(nodes, columns); why != "" {
		return fmt.Sprintf("%s (%s)", on, why)
	}

	return on
}
