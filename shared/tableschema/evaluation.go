package tableschema

import (
	"slices"

	"ace/shared/difffile"
	"ace/shared/table"
)

// Evaluation returns how one node evaluates expressions over versions of rows. node is
// the index of d, the description of the node, in the list with which Tables was called.
// nodes are the names of the nodes whose versions an expression refers to.
func (c *Common) Evaluation(schema string, d *table.Description, node int, nodes []string) table.Evaluation {
	key := c.key[node].index.Columns
	e := table.Evaluation{Path: userPath(schema, d, key), Nodes: nodes}
	for _, compared := range c.Columns {
		column, _ := d.Column(compared.Name)
		e.Columns = append(e.Columns, table.Comparison{
			Conversion: table.Conversion{Name: table.Quote(column.Name), Type: column.Type.Underlying().SQL, Parse: ParseOf(column.Type)},
			Collation:  column.CollName,
		})
	}
	for _, k := range key {
		e.Key = append(e.Key, slices.IndexFunc(c.Columns, func(column difffile.Column) bool { return column.Name == k.Name }))
		e.KeyEqual = append(e.KeyEqual, operator(k.OpSchema, k.Equal))
	}
	return e
}
