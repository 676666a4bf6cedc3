package tableschema

import (
	"cmp"
	"slices"
	"strings"

	"ace/shared/difffile"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

// Reading selects a table and how its rows are read and digested.
type Reading struct {
	Schema, Table string
	Filter        string // the table_filter; empty if there is none
	SHA256        bool   // digest rows with SHA-256 over their text instead of PostgreSQL's hash functions
	Seeds         rowdigest.Seeds
	DigestVersion int // a version of rowdigest.RowOf; 0 means rowdigest.RowVersion
	// Stored means that values are read as they are stored. Otherwise they are read as they
	// are compared: if the modifiers of a column differ between the nodes, without the
	// trailing zeros or blanks that the modifier adds.
	Stored bool
}

// Source returns the SQL fragments with which the table of one node is read. node is the
// index of d, the description of the node, in the list with which Tables was called.
func (c *Common) Source(d *table.Description, node int, r Reading) table.Source {
	s := table.Source{
		Node:       d.Node,
		Relation:   d.Relation(r.Schema, r.Table),
		Alias:      table.Quote(r.Table),
		Filter:     r.Filter,
		Partitions: d.Partitions,

		KeyIndex:    table.Name(r.Schema, c.KeyIndex(node)),
		Unversioned: isUnversioned(d, c.KeyIndex(node), r.Filter != ""),
		Unindexed:   len(StaleIndexes(d, c.KeyIndex(node), r.Filter != "")) > 0,
	}

	if d.PartitionsHidden {
		s.Partitions = nil
	}

	key := c.key[node].index.Columns
	c.addKey(&s, d, key)
	exprs := make([]string, len(c.Columns))
	texts := make([]string, len(c.Columns))
	twins := false
	for i, column := range c.Columns {
		ref := s.Alias + "." + table.Quote(column.Name)
		if value := c.values[i]; value != "" && !r.Stored {
			ref = value + "(" + ref + ")"
		}
		s.Columns = append(s.Columns, ref)
		digested := c.digests[i](node, ref)
		exprs[i] = digested.expr
		texts[i] = digested.byText
		twins = twins || digested.twins
	}

	if r.SHA256 {
		s.Digest = rowdigest.RowSHA256(s.Columns, r.Seeds)
	} else {
		version := cmp.Or(r.DigestVersion, rowdigest.RowVersion)
		s.Digest = rowdigest.RowOf(version, exprs, r.Seeds)
		if twins {
			s.TextDigest = rowdigest.RowOf(version, texts, r.Seeds)
		}
		s.KeyDigest = rowdigest.Key(version, keyExprs(c, exprs), r.Seeds)
		if c.keyHash != nil {
			s.KeyHash = c.keyHash(s.Order, r.Seeds.Inner)
		}
	}

	s.SearchPath = c.searchPath(r, d, key)
	s.Lockable = d.Lockable
	s.Files = d.Files
	s.Foreign = r.Filter != "" || c.foreign(d, key)
	return s
}

// foreign reports whether reading the compared columns or the key may run functions that
// are not built in: those of a type of an extension or of a user. Reading an enum runs
// only built-in functions.
func (c *Common) foreign(d *table.Description, key []table.KeyColumn) bool {
	for _, k := range key {
		if k.OpSchema != "pg_catalog" {
			return true
		}
	}
	for _, compared := range c.Columns {
		if column, _ := d.Column(compared.Name); foreignType(column.Type) {
			return true
		}
	}
	return false
}

func foreignType(t rowdigest.Type) bool {
	if t.Elem != nil && foreignType(*t.Elem) {
		return true
	}
	if t.Base != nil { // a domain's checks run only when a value is stored
		return foreignType(*t.Base)
	}
	return !inCatalog(t) && t.Kind != 'e' && t.Elem == nil
}

// keyExprs returns the expressions of the key columns, in the order of the key. exprs has
// one expression for each compared column.
func keyExprs(c *Common, exprs []string) []string {
	of := make([]string, len(c.Key))
	for i, name := range c.Key {
		of[i] = exprs[slices.IndexFunc(c.Columns, func(column difffile.Column) bool { return column.Name == name })]
	}
	return of
}

func (c *Common) addKey(s *table.Source, d *table.Description, key []table.KeyColumn) {
	scalar := len(key) == 1
	for i, k := range key {
		column, _ := d.Column(k.Name)
		ref := keyRef(s.Alias+"."+table.Quote(k.Name), column.Type, k)
		s.Key = append(s.Key, ref)
		s.KeyType = append(s.KeyType, keyType(column.Type))
		s.KeyParse = append(s.KeyParse, ParseOf(column.Type))
		s.KeyEqual = append(s.KeyEqual, operator(k.OpSchema, k.Equal))
		if c.ByText[i] {
			c.addTextOrder(s, textOf(ref, column.Type))
			continue
		}
		s.Order = append(s.Order, ref)
		s.OrderType = append(s.OrderType, keyType(column.Type))
		s.Collate = append(s.Collate, column.CollName)
		scalar = scalar && column.Type.Kind == 'b' && column.Type.Elem == nil
	}

	s.ScalarOrder = scalar
	addOperators(s, c, key)
}

// keyRef returns the expression for a key column in comparisons with the operators of the
// key's index: ref itself, or ref cast to the base type of its domain. The cast is needed
// if the column's type is a domain and the operators belong to an extension. PostgreSQL
// prefers an operator that is declared for the domain itself, and a user may have defined
// one in the same schema. The index can be used for the cast value too.
func keyRef(ref string, t rowdigest.Type, k table.KeyColumn) string {
	if t.Base == nil || k.OpSchema == "pg_catalog" {
		return ref
	}
	return "(" + ref + ")::" + t.Underlying().SQL
}

// addTextOrder appends to Order, OrderType and Collate the elements for a key column that
// is ordered by its text under collation "C". text is the expression for that text. If
// the databases have different encodings, the same text has different bytes in them. Then
// the column is ordered by the bytes of its text in UTF-8, and text itself becomes an
// element of OrderText.
func (c *Common) addTextOrder(s *table.Source, text string) {
	if c.sameEncoding {
		s.Order = append(s.Order, text+" COLLATE "+bytewise)
		s.OrderType = append(s.OrderType, textType)
		s.Collate = append(s.Collate, bytewise)
		return
	}

	s.Order = append(s.Order, "pg_catalog.textsend("+text+")")
	s.OrderType = append(s.OrderType, "pg_catalog.bytea")
	s.Collate = append(s.Collate, "")
	s.OrderText = append(s.OrderText, make([]string, len(s.Order)-len(s.OrderText))...)
	s.OrderText[len(s.Order)-1] = text
}

// textOf returns an expression for the text of a key column. It uses concat, which calls
// the type's output function. A cast to text could call a function that the owner of the
// type has defined instead. For text types the cast is built in and cheaper.
func textOf(ref string, t rowdigest.Type) string {
	if t = t.Underlying(); t.Schema == "pg_catalog" {
		switch t.Name {
		case "text", "varchar", "bpchar", "name":
			return "(" + ref + ")::" + textType
		}
	}
	return "pg_catalog.concat(" + ref + ")"
}

// ParseOf returns how texts are converted to values of a type. Texts of PostgreSQL's own
// types, of enums and of ranges are sent as elements of an array of the type. Texts of
// box are not, because the elements of an array of boxes are not separated by commas.
// They are cast, like the texts of arrays of PostgreSQL's own types and of base types of
// an extension: only a superuser can define a cast from text to these types. Texts of
// other arrays and of composite types are sent in records.
func ParseOf(t rowdigest.Type) table.Parse {
	t = t.Underlying()
	switch {
	case t.Elem != nil && t.Elem.Schema == "pg_catalog":
		return table.ParseCast
	case t.Elem != nil, t.Kind == 'c':
		return table.ParseRecord
	case t.Schema == "pg_catalog" && t.Name != "box", t.Kind == 'e', t.Kind == 'r', t.Kind == 'm':
		return table.ParseArray
	}
	return table.ParseCast
}

// keyType returns the SQL type with which the values of a key column are sent. This type
// can hold the keys of every node, even if the nodes have different types of one family
// or domains with different checks. The key's index can be used to search for values of
// this type too.
func keyType(t rowdigest.Type) string {
	switch keyFamily(t) {
	case "integer":
		return "bigint"
	case "text":
		return textType
	}
	return t.Underlying().SQL
}

// The type and the collation by which a key column is compared if it is ordered by its
// text.
const (
	textType = "pg_catalog.text"
	bytewise = `pg_catalog."C"`
)

// addOperators chooses the operators with which Order is compared with a bound. A row
// comparison has one operator for all of its columns. So if the columns have different
// operators, such as operators in different schemas, they are compared in groups
// (OrderGroups).
func addOperators(s *table.Source, c *Common, key []table.KeyColumn) {
	var groups []table.OrderGroup
	for i, k := range key {
		schema, less, atLeast, equal := k.OpSchema, k.Less, k.AtLeast, k.Equal
		if c.ByText[i] {
			schema, less, atLeast, equal = "pg_catalog", "<", ">=", "="
		}
		g := table.OrderGroup{Columns: 1, Less: operator(schema, less), AtLeast: operator(schema, atLeast), Equal: operator(schema, equal)}
		if last := len(groups) - 1; last >= 0 && groups[last].Less == g.Less && groups[last].AtLeast == g.AtLeast && groups[last].Equal == g.Equal {
			groups[last].Columns++
			continue
		}
		groups = append(groups, g)
	}

	if len(groups) == 1 {
		s.Less, s.AtLeast = groups[0].Less, groups[0].AtLeast
		return
	}

	s.OrderGroups = groups
}

func operator(schema, name string) string {
	return "OPERATOR(" + table.Quote(schema) + "." + name + ")"
}

// safePath is a search_path in which only a superuser can add objects. pg_temp is listed
// last, because a path that does not list pg_temp searches it first.
const safePath = "pg_catalog, pg_temp"

// searchPath returns the search_path of the statements that read the table. Every name in
// these statements is qualified, except in the user's filter. A filter must have the same
// meaning as in psql. So with a filter, the path lists pg_catalog, the table's schema,
// the schemas of the key's operators and the role's own path.
//
// If a compared column may contain names of objects, as a regclass does, the path is
// safePath. The path decides whether the text of such a value includes the schema, and
// the roles of two nodes may have different paths. Then the user must qualify the names
// in a filter.
func (c *Common) searchPath(r Reading, d *table.Description, key []table.KeyColumn) string {
	if r.Filter == "" || c.hasObjectNames(d) {
		return safePath
	}
	return userPath(r.Schema, d, key) + ", pg_temp"
}

// hasObjectNames reports whether the values of a compared column may contain names of
// database objects. It returns true for types such as regclass, and for every composite
// type, because it does not examine the fields.
func (c *Common) hasObjectNames(d *table.Description) bool {
	return slices.ContainsFunc(c.Columns, func(of difffile.Column) bool {
		column, _ := d.Column(of.Name)
		return HasObjectNames(column.Type)
	})
}

// HasObjectNames reports whether the text of a value of the type may contain the name of
// a database object. Whether PostgreSQL writes such a name with its schema depends on the
// search_path.
func HasObjectNames(t rowdigest.Type) bool {
	t = t.Underlying()
	for t.Elem != nil {
		t = t.Elem.Underlying()
	}
	return t.Kind == 'c' || t.Schema == "pg_catalog" && strings.HasPrefix(t.Name, "reg")
}

// WritingPath returns the search_path for user code that runs while a repair writes:
// triggers, defaults and functions of constraints. The statements of the repair itself do
// not depend on the path.
func (c *Common) WritingPath(schema string, d *table.Description, node int) string {
	return userPath(schema, d, c.key[node].index.Columns)
}

func userPath(schema string, d *table.Description, key []table.KeyColumn) string {
	path := []string{"pg_catalog", table.Quote(schema)}
	for _, k := range key {
		if schema := table.Quote(k.OpSchema); k.OpSchema != "pg_catalog" && !slices.Contains(path, schema) {
			path = append(path, schema)
		}
	}

	if d.UserPath != "" {
		path = append(path, d.UserPath)
	}
	return strings.Join(path, ", ")
}
