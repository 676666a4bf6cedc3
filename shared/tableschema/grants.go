package tableschema

import (
	"slices"
	"strings"

	"ace/shared/difffile"
	"ace/shared/table"
)

// Missing returns the privileges that the role of a node lacks for reading the compared
// columns of the table schema.name. node is the index of the description d in the list
// with which Tables was called.
func (c *Common) Missing(d *table.Description, node int, schema, name string) table.Grants {
	missing := table.Grants{Role: d.Role, Table: table.Name(schema, name)}
	for _, closed := range d.Closed {
		if c.keyNames(d, node, closed) {
			missing.Schemas = append(missing.Schemas, closed)
		}
	}

	var columns []string
	for _, unreadable := range d.Unreadable {
		if slices.ContainsFunc(c.Columns, func(column difffile.Column) bool { return column.Name == unreadable }) {
			columns = append(columns, unreadable)
		}
	}
	missing.Need("SELECT", columns, true)
	return missing
}

// keyNames reports whether the statements that read rows by their key contain the name of
// an object in the schema: the type, the operators or the collation of a key column. If
// so, the role needs USAGE on the schema.
func (c *Common) keyNames(d *table.Description, node int, schema string) bool {
	has := func(name string) bool {
		return strings.HasPrefix(name, table.Quote(schema)+".") || strings.HasPrefix(name, schema+".")
	}
	for i, k := range c.key[node].index.Columns {
		column, _ := d.Column(k.Name)
		if has(keyType(column.Type)) || !c.ByText[i] && has(column.CollName) || k.OpSchema == schema {
			return true
		}
	}
	return false
}
