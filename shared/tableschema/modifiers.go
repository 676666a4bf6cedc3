package tableschema

import (
	"fmt"

	"ace/shared/table"
)

// ModifierDiffers reports whether two columns have the same type with different
// modifiers, such as numeric(10,2) and numeric(10,3), or the same domain over such types.
func ModifierDiffers(a, b table.Column) bool {
	return (a.Declared != b.Declared || a.Below != b.Below) && a.Type.Schema == b.Type.Schema && sameStored(a.Type, b.Type)
}

// matchModifiers adds a warning if a column has the same type with different modifiers on
// two nodes. It returns the SQL function that must be applied to the column's values
// before they are compared, or "" if none is needed. Only numeric and char need a
// function: their modifiers add trailing zeros or blanks to the text, which do not change
// the value. For other types, either the text does not depend on the modifier, or
// different texts are different values.
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
			value, how = "pg_catalog.trim_scale", "compared without trailing zeros"
		case first.Type.Name == "bpchar":
			value, how = "pg_catalog.text", "compared without trailing blanks"
		}
		c.Warnings = append(c.Warnings, fmt.Sprintf("column %q has different modifiers: %s on node %s, %s on node %s: %s",
			name, withModifier(first), nodes[0].Node, withModifier(col), node.Node, how))
	}
	return value
}

// Padded reports whether a column has the type numeric or char. Such a type pads values
// to the column's modifier with trailing zeros or blanks, which a comparison of columns
// with different modifiers ignores.
func Padded(c table.Column) bool {
	return c.Type.Schema == "pg_catalog" && (c.Type.Name == "numeric" || c.Type.Name == "bpchar")
}

// withModifier returns a column's declared type, and for a domain also its base type.
func withModifier(c table.Column) string {
	if c.Below == "" {
		return c.Declared
	}
	return c.Declared + " (" + c.Below + ")"
}

// warnOfExpressions adds a warning for each column that two nodes generate by different
// expressions, or that only one of them generates. No repair can make the values of such
// a column equal.
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

// warnOfLargeObjects adds a warning for each column that may refer to large objects,
// because a comparison compares only the OIDs of large objects, not their contents.
func (c *Common) warnOfLargeObjects(nodes []*table.Description) {
	for _, column := range c.Columns {
		for _, node := range nodes {
			col, _ := node.Column(column.Name)
			isLO := col.Type.Kind == 'd' && col.Type.Name == "lo"
			if isLO || node.LargeObjects && col.Type.Underlying().Schema == "pg_catalog" && col.Type.Underlying().Name == "oid" {
				c.Warnings = append(c.Warnings, fmt.Sprintf("column %q may refer to large objects: their contents are not compared", column.Name))
				break
			}
		}
	}
}
