package render

import (
	"slices"

	"ace/shared/rowpairs"
)

// keyFirst returns the indexes of a row's columns in the order in which they are shown:
// first the key columns, then all others.
func keyFirst(doc *rowpairs.Document) []int {
	order := slices.Clone(doc.Key())
	for at := range doc.Summary().Columns {
		if !slices.Contains(doc.Key(), at) {
			order = append(order, at)
		}
	}
	return order
}
