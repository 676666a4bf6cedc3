package tableschema

import (
	"fmt"

	"ace/shared/table"
)

// ModifierDiffers reports whether two columns have one type with different modifiers, such as
// numeric(10,2) and numeric(10,3), or one domain over such types.
func ModifierDiffers(a, b table.Column) bool {
	return (a.Declared != b.Declared || a.Below != b.Below) && a.Type.Schema == b.Type.Schema && sameStored(a.Type, b.Type)
}

// matchModifiers warns of a column of one type with different modifiers, and returns the function
// under which such values are compared. A numeric with more digits behind its point and a char with
// more blanks are the same value; of other types the text does not depend on the modifier, or the
// values are not the same.
func (c *Common) matchModifiers(nodes []*table.Description, name string) (value string) {
	first, _ := nodes[0].Column(name)
	for _, node := range nodes[1:] {
		col, _ := node.Column(name)
		if !ModifierDiffers(first, col) {
			continue
		}
		how := "its values are compared by their text"
		switch {
		case first.Type.Schema != "pg_catalog":
		case first.Type.Name == "numeric":
			value, how = "pg_catalog.trim_scale", "compared without zeros at the end"
		case first.Type.Name == "bpchar":
			value, how = "pg_catalog.text", "compared without blanks at the end"
		}
		c.Warnings = append(c.Warnings, fmt.Sprintf("column %q has another modifier: %s on node %s, %s on node %s: %s",
			name, withModifier(first), nodes[0].Node, withModifier(col), node.Node, how))
	}
	return value
}

// withModifier returns a column's type as it is declared; of a domain with the type below it.
func withModifier(c table.Column) string {
	if c.Below == "" {
		return c.Declared
	}
	return c.Declared + " (" + c.Below + ")"
}

// warnOfExpressions warns of columns that the nodes generate in different ways: no repair can make
// their values equal.
func (c *Common) warnOfExpressions(nodes []*table.Description) {
	for _, column := range c.Columns {
		first, _ := nodes[0].Column(column.Name)
		for _, node := range nodes[1:] {
			col, _ := node.Column(column.Name)
			if first.Expression != col.Expression {
				c.Warnings = append(c.Warnings, fmt.Sprintf("column %q is %s on node %s, %s on node %s: no repair can make its values equal",
					column.Name, generatedAs(first), nodes[0].Node, generatedAs(col), node.Node))
			}
		}
	}
}

func generatedAs(c table.Column) string {
	if !c.Generated {
		return "not generated"
	}
	return "generated as (" + c.Expression + ")"
}

// warnOfLargeObjects warns of columns that name large objects, whose contents are not looked at.
func (c *Common) warnOfLargeObjects(nodes []*table.Description) {
	for _, column := range c.Columns {
		for _, node := range nodes {
			col, _ := node.Column(column.Name)
			isLO := col.Type.Kind == 'd' && col.Type.Name == "lo"
			if isLO || node.LargeObjects && base(col.Type).Schema == "pg_catalog" && base(col.Type).Name == "oid" {
				c.Warnings = append(c.Warnings, fmt.Sprintf("column %q may name large objects: their contents are not compared", column.Name))
				break
			}
		}
	}
}
