package tablediff

import (
	"slices"
	"strings"

	"ace/shared/rowdigest"
	"ace/shared/table"
)

// source writes the SQL fragments by which one node's table is read.
func source(p *Plan, d *table.Description, c *common, node int) table.Source {
	s := table.Source{
		Node:     d.Node,
		Relation: d.Relation(p.Schema, p.Table),
		Alias:    table.Quote(p.Table),
		Filter:   p.Filter,
		Leaves:   d.Leaves,
	}
	if d.LeavesHidden {
		s.Leaves = nil
	}
	addKey(&s, d, c)
	exprs := make([]string, len(c.columns))
	for i, column := range c.columns {
		ref := s.Alias + "." + table.Quote(column.Name)
		s.Columns = append(s.Columns, ref)
		exprs[i] = c.digests[i](node, ref)
	}
	if p.Checksum == ChecksumSHA256 {
		s.Digest = rowdigest.RowSHA256(s.Columns, p.Seeds)
	} else {
		s.Digest = rowdigest.Row(exprs, p.Seeds)
	}
	s.SearchPath = searchPath(p, d)
	return s
}

func addKey(s *table.Source, d *table.Description, c *common) {
	scalar := len(d.Key) == 1
	foreignOps := false
	for i, k := range d.Key {
		column, _ := d.Column(k.Name)
		ref := s.Alias + "." + table.Quote(k.Name)
		s.Key = append(s.Key, ref)
		s.KeyType = append(s.KeyType, keyType(column.Type))
		s.KeyLabel = append(s.KeyLabel, c.byText[i] && base(column.Type).Kind == 'e')
		s.KeyEqual = append(s.KeyEqual, operator(k.OpSchema, k.Equal))
		foreignOps = foreignOps || k.OpSchema != "pg_catalog"
		if c.byText[i] {
			s.Order = append(s.Order, "("+ref+")::text COLLATE \"C\"")
			s.OrderType = append(s.OrderType, "text")
			s.Collate = append(s.Collate, `"C"`)
			continue
		}
		s.Order = append(s.Order, ref)
		s.OrderType = append(s.OrderType, keyType(column.Type))
		s.Collate = append(s.Collate, column.CollName)
		scalar = scalar && column.Type.Kind == 'b' && column.Type.Elem == nil
	}
	s.ScalarOrder = scalar
	addOperators(s, d, slices.Contains(c.byText, true), foreignOps)
}

// keyType is the type that keys travel as: one that holds the keys of every node, where these have different types of
// one family, or domains with different checks. The family's index serves it as well.
func keyType(t rowdigest.Type) string {
	switch keyFamily(t) {
	case "integer":
		return "bigint"
	case "text":
		return "text"
	}
	return base(t).SQL
}

// addOperators chooses the operators between Order and a bound. A row comparison takes one operator name for all its
// columns, so the schema can only be given where it is the same for all; else the search_path decides.
func addOperators(s *table.Source, d *table.Description, byText, foreign bool) {
	first := d.Key[0]
	switch {
	case byText && len(d.Key) == 1, !foreign:
		s.Less, s.AtLeast = operator("pg_catalog", "<"), operator("pg_catalog", ">=")
	case len(d.Key) == 1:
		s.Less, s.AtLeast = operator(first.OpSchema, first.Less), operator(first.OpSchema, first.AtLeast)
	default:
		s.Less, s.AtLeast = "<", ">="
	}
}

func operator(schema, name string) string {
	return "OPERATOR(" + table.Quote(schema) + "." + name + ")"
}

// searchPath lists pg_catalog, the table's schema and the schemas of the key's operators. Only where the user's filter
// stands in the statements does the role's own path follow, so that the filter means what it means in psql.
func searchPath(p *Plan, d *table.Description) string {
	path := []string{"pg_catalog", table.Quote(p.Schema)}
	for _, k := range d.Key {
		if schema := table.Quote(k.OpSchema); k.OpSchema != "pg_catalog" && !slices.Contains(path, schema) {
			path = append(path, schema)
		}
	}
	if p.Filter != "" && d.UserPath != "" {
		path = append(path, d.UserPath)
	}
	return strings.Join(path, ", ")
}
