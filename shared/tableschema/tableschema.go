package tableschema

import (
	"fmt"
	"slices"
	"strings"

	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

// Common holds what the descriptions of one table on several nodes have in common: what
// can be compared, and how.
type Common struct {
	Columns []difffile.Column // compared columns, in the order of the first node
	Key     []string          // names of the key columns, in the order of the key's index
	ByText  []bool            // for each column of Key: it is ordered by its text, because the nodes may order its type differently
	// Unordered means that at least one node has no index with the key columns in the order
	// of Key. On such a node, no index can be used to read key ranges.
	Unordered bool
	Warnings  []string
	key       []nodeKey                           // for each node, the index that serves as the key
	digests   []func(node int, ref string) digest // for each column, a function that returns its expressions on a node; ref is an SQL reference to the column
	// sameEncoding means that all nodes have the same server encoding.
	sameEncoding bool
	// keyHash returns the expression for Source.KeyHash. It is nil if there is none.
	keyHash func(refs []string, seed int64) string
	// values has, for each column, the SQL function that removes the trailing zeros or
	// blanks that the column's modifier adds to the text of a value. An empty string means
	// that the text is compared unchanged.
	values []string
}

// Tables returns what the tables that nodes describe have in common. It matches columns
// by name and leaves out the columns named in ignored. It matches rows by the key on the
// columns named in key, in that order. If key is empty, it uses the key that ChooseKey
// returns. It returns an error if the tables cannot be compared.
func Tables(nodes []*table.Description, ignored, key []string) (*Common, error) {
	c := &Common{sameEncoding: sameEncoding(nodes)}
	if err := c.matchColumns(nodes, ignored); err != nil {
		return nil, err
	}
	if err := c.matchKey(nodes, ignored, key); err != nil {
		return nil, err
	}

	c.chooseDigests(nodes)
	c.compareOrders(nodes)
	c.distrustIndexes(nodes)
	c.findKeyHash(nodes)
	c.warn(nodes)
	return c, nil
}

// KeyIndex returns the name of the index that serves as the key on a node. node is the
// index of the node's description in the list with which Tables was called.
func (c *Common) KeyIndex(node int) string { return c.key[node].index.Name }

func (c *Common) matchColumns(nodes []*table.Description, ignored []string) error {
	if err := checkIgnored(nodes, ignored); err != nil {
		return err
	}

	first := nodes[0]
	for _, other := range nodes[1:] {
		missing, extra := nameDifference(first, other, ignored), nameDifference(other, first, ignored)
		if len(missing)+len(extra) > 0 {
			return fault.New(fault.Invalid, "the table's columns differ: %s",
				strings.Join(slices.Concat(onlyOn(first.Node, other.Node, missing), onlyOn(other.Node, first.Node, extra)), "; "))
		}
	}

	for _, column := range first.Columns {
		if !slices.Contains(ignored, column.Name) {
			c.Columns = append(c.Columns, difffile.Column{Name: column.Name, Type: column.Declared})
		}
	}

	return nil
}

// checkIgnored returns an error if one of the ignored columns does not exist on any node.
func checkIgnored(nodes []*table.Description, ignored []string) error {
	for _, name := range ignored {
		known := false
		for _, d := range nodes {
			_, has := d.Column(name)
			known = known || has
		}
		if !known {
			return fault.New(fault.Invalid, "ignore_columns names %q, but the table's columns are %s", name, columnNames(nodes[0]))
		}
	}
	return nil
}

// nameDifference returns the names of the columns of a that b lacks, quoted. It leaves
// out the ignored columns.
func nameDifference(a, b *table.Description, ignored []string) []string {
	var names []string
	for _, column := range a.Columns {
		if _, ok := b.Column(column.Name); !ok && !slices.Contains(ignored, column.Name) {
			names = append(names, fmt.Sprintf("%q", column.Name))
		}
	}
	return names
}

func onlyOn(with, without string, names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("node %q has %s, node %q does not", with, strings.Join(names, ", "), without)}
}

func columnNames(d *table.Description) string {
	names := make([]string, len(d.Columns))
	for i, column := range d.Columns {
		names[i] = fmt.Sprintf("%q", column.Name)
	}
	return strings.Join(names, ", ")
}

// matchKey finds the key on every node: the key on the wanted columns or, if wanted is
// empty, the key that ChooseKey returns.
func (c *Common) matchKey(nodes []*table.Description, ignored, wanted []string) error {
	columns := wanted
	if len(columns) == 0 {
		var err error
		if columns, err = ChooseKey(nodes); err != nil {
			return err
		}
	}

	key, ok := keyOf(nodes, columns)
	if !ok {
		return noKey(nodes, columns)
	}

	for _, name := range ignored {
		if slices.Contains(columns, name) {
			return fault.New(fault.Invalid, "ignore_columns names %q, which is part of the key and cannot be ignored", name)
		}
	}

	c.Key = columns
	c.key = key.nodes
	c.Unordered = !key.ordered()
	return nil
}

// keyFamily returns the name of the family to which a type belongs. Types of one family
// write equal values as equal texts and have the same order, so keys of these types can
// be matched.
func keyFamily(t rowdigest.Type) string {
	t = t.Underlying()
	if !inCatalog(t) {
		return typeName(t)
	}

	switch t.Name {
	case "int2", "int4", "int8":
		return "integer"
	case "text", "varchar":
		return "text"
	}
	return t.Name
}

// inCatalog reports whether a type comes with PostgreSQL. An extension may have been
// installed into pg_catalog, so the schema alone does not decide.
func inCatalog(t rowdigest.Type) bool { return t.Schema == "pg_catalog" && t.Extension == "" }

// typeName returns a name by which the types of two nodes are matched. A type of
// PostgreSQL or of an extension is named without its schema. So is an enum, a composite
// type, a range or a multirange, because only the texts of its values are compared. A
// domain has the name of its base type. Any other type is named with its schema.
func typeName(t rowdigest.Type) string {
	t = t.Underlying()
	switch {
	case inCatalog(t):
		return t.Name
	case t.Elem != nil:
		return "array of " + typeName(*t.Elem)
	case t.Extension != "":
		return "extension " + t.Extension + " type " + t.Name
	case strings.IndexByte("ecrm", t.Kind) >= 0:
		return string(t.Kind) + " " + t.Name
	}
	return t.Schema + "." + t.Name
}

// chooseDigests decides how each column is digested. A column is digested by its text if
// the nodes have different types for it, or if its values are compared without the
// trailing zeros or blanks that a modifier adds. Otherwise the type decides.
func (c *Common) chooseDigests(nodes []*table.Description) {
	for i, column := range c.Columns {
		first, _ := nodes[0].Column(column.Name)
		deterministic, sameType := true, true
		for _, node := range nodes {
			col, _ := node.Column(column.Name)
			deterministic = deterministic && (col.Collation == nil || col.Collation.Deterministic)
			if !sameStored(first.Type, col.Type) {
				sameType = false
				c.Warnings = append(c.Warnings, fmt.Sprintf("column %q is %s on node %s but %s on node %s: compared as text",
					column.Name, first.Declared, nodes[0].Node, col.Declared, node.Node))
			}
		}
		if !sameType {
			c.Columns[i].Type = writtenAs(nodes, column.Name)
		}
		value := c.matchModifiers(nodes, column.Name)
		options := rowdigest.Options{SameEncoding: c.sameEncoding, ForceText: !sameType || value != ""}
		c.values = append(c.values, value)
		c.digests = append(c.digests, func(node int, ref string) digest {
			col, _ := nodes[node].Column(column.Name)
			digested := rowdigest.Column{Type: col.Type, Deterministic: deterministic}
			byText, twins := rowdigest.TextExpr(ref, digested, options)
			return digest{expr: rowdigest.Expr(ref, digested, options), byText: byText, twins: twins}
		})
	}
}

// digest has the expressions that Expr and TextExpr of package rowdigest return for a
// column: expr for the row digest, and byText for the text digest.
type digest struct {
	expr, byText string
	twins        bool // the two expressions differ
}

func sameEncoding(nodes []*table.Description) bool {
	return !slices.ContainsFunc(nodes, func(d *table.Description) bool { return d.Encoding != nodes[0].Encoding })
}

// writtenAs returns the type that a document states for a column whose types differ
// between the nodes. This type can hold the values of every node.
func writtenAs(nodes []*table.Description, name string) string {
	for _, node := range nodes {
		if col, _ := node.Column(name); col.Type.Base != nil || keyFamily(col.Type) != "integer" {
			return "text"
		}
	}
	return "bigint"
}

// sameStored reports whether two types are the same for the digest. A domain is not the
// same as its base type, because the document states declared types, and its reader
// should see the difference. A type of an extension is the same in every schema.
func sameStored(a, b rowdigest.Type) bool {
	switch {
	case a.Kind != b.Kind || (a.Elem == nil) != (b.Elem == nil) || (a.Base == nil) != (b.Base == nil):
		return false
	case a.Elem != nil && !sameStored(*a.Elem, *b.Elem):
		return false
	case ofExtension(a.Elem): // the element types were compared above; older servers do not record that the array type belongs to the extension
	case a.Extension != b.Extension || a.Name != b.Name || a.Extension == "" && a.Schema != b.Schema:
		return false
	}
	return a.Base == nil || sameStored(*a.Base, *b.Base)
}

// ofExtension reports whether an array's element type belongs to an extension. elem is
// nil if the type is not an array.
func ofExtension(elem *rowdigest.Type) bool { return elem != nil && elem.Extension != "" }

// compareOrders finds the key columns that two nodes may sort differently: text with
// different collations or encodings, enums with different labels, or a type whose order
// is not known to be the same. Such columns are ordered by their texts (ByText).
func (c *Common) compareOrders(nodes []*table.Description) {
	for _, name := range c.Key {
		first, _ := nodes[0].Column(name)
		differs := !portableOrder(first.Type) || !c.sameEncoding && first.Collation != nil
		for _, node := range nodes[1:] {
			col, _ := node.Column(name)
			differs = differs || !sameOrder(first, col)
		}
		if differs {
			c.Warnings = append(c.Warnings, fmt.Sprintf("key column %q is ordered by its text: the nodes order its type differently, or it is not known whether their orders are the same", name))
		}
		c.ByText = append(c.ByText, differs)
	}
}

// sameOrder reports whether two nodes sort a column alike. The type of the column must be
// portable (portableOrder). A type of an extension may fold case by the database's
// default collation, as citext does, whatever the column's collation is. So the default
// collations of both databases must be the same too. They are known only if the column
// uses the default collation.
func sameOrder(a, b table.Column) bool {
	switch {
	case !a.Collation.SameOrder(b.Collation) || !slices.Equal(a.Labels, b.Labels):
		return false
	case inServer(a.Type) || a.Collation == nil:
		return true
	}
	return a.CollName == "" && b.CollName == "" && *a.Collation == *b.Collation
}

// inServer reports whether a type, or the element type of an array, comes with
// PostgreSQL.
func inServer(t rowdigest.Type) bool {
	t = t.Underlying()
	if t.Elem != nil {
		return inServer(*t.Elem)
	}
	return inCatalog(t)
}

// portableOrder reports whether the values of a type have the same order on two nodes
// that have the same collation and labels for the type. It returns false for composite
// types, ranges and multiranges that users define, because they are ordered by fields of
// any type. It returns false for jsonb, which is ordered by the database's collation
// although the type has no collation, and for reg* types, which are ordered by OIDs.
func portableOrder(t rowdigest.Type) bool {
	t = t.Underlying()
	switch {
	case t.Elem != nil: // if the elements are of a domain, a node may refuse an element of another node's bound
		return t.Elem.Base == nil && portableOrder(*t.Elem)
	case t.Schema == "pg_catalog":
		return t.Name != "jsonb" && !strings.HasPrefix(t.Name, "reg")
	}
	return t.Kind != 'c' && t.Kind != 'r' && t.Kind != 'm'
}

func (c *Common) warn(nodes []*table.Description) {
	for _, d := range nodes {
		if d.Only {
			c.Warnings = append(c.Warnings, fmt.Sprintf("the table has inheritance children on node %s: only its own rows are compared", d.Node))
		}
	}

	for i, d := range nodes {
		c.warnOfKey(d, c.key[i])
	}

	c.warnOfExpressions(nodes)
	c.warnOfLargeObjects(nodes)
}

// warnOfKey adds a warning if the key is not the primary key.
func (c *Common) warnOfKey(d *table.Description, key nodeKey) {
	other := slices.IndexFunc(d.Indexes, func(i table.Index) bool { return i.Primary })
	switch {
	case !key.primary && other < 0:
		c.Warnings = append(c.Warnings, fmt.Sprintf("the table has no primary key on node %s: unique index %q serves as the key", d.Node, key.index.Name))
	case !key.primary:
		c.Warnings = append(c.Warnings, fmt.Sprintf("primary key %q of node %s cannot serve on every node: unique index %q serves as the key",
			d.Indexes[other].Name, d.Node, key.index.Name))
	}
}
