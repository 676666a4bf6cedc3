package tableschema

import (
	"fmt"
	"slices"
	"strings"

	"ace/shared/table"
)

// StaleIndexes returns the indexes of one node's table that may be out of order, since a
// collation that they depend on has another version than when they were built: the index
// of the key and, if filtered, all others, by which the server may look for the rows that
// a filter selects.
func StaleIndexes(d *table.Description, key string, filtered bool) []table.IndexOrder {
	var stale []table.IndexOrder
	for _, o := range d.IndexOrders {
		if o.Changed() && (filtered || o.Index == key) {
			stale = append(stale, o)
		}
	}
	return stale
}

// isUnversioned reports whether nothing is known of whether the key's index may be out of order.
func isUnversioned(d *table.Description, key string) bool {
	return slices.ContainsFunc(d.IndexOrders, func(o table.IndexOrder) bool { return o.Index == key && o.Unversioned() })
}

// DescribeStale says what is wrong with a stale index.
func DescribeStale(node string, o table.IndexOrder) string {
	collation := "collation " + o.CollName
	if o.CollName == "" {
		collation = "the default collation of database " + o.Database
	}
	return fmt.Sprintf("node %q: index %s may be out of order: %s was version %s when it was built and is version %s now",
		node, o.Qualified, collation, o.Recorded, o.Collation.Version)
}

// StaleRemedy returns the statements that make a stale index right.
func StaleRemedy(o table.IndexOrder) string {
	refresh := "ALTER COLLATION " + o.CollName + " REFRESH VERSION"
	if o.CollName == "" {
		refresh = "ALTER DATABASE " + o.Database + " REFRESH COLLATION VERSION"
	}
	return fmt.Sprintf("run REINDEX INDEX %s and, once all indexes of that collation are rebuilt, %s", o.Qualified, refresh)
}

// distrustIndexes has the columns of a stale key index ordered by their text on all nodes, and says
// why.
func (c *Common) distrustIndexes(nodes []*table.Description) {
	for node, d := range nodes {
		for _, o := range StaleIndexes(d, c.KeyIndex(node), false) {
			for i, name := range c.Key {
				c.ByText[i] = c.ByText[i] || name == o.Column
			}
		}
	}
}

// StaleWarnings returns a warning for each index of a node that a comparison must not use.
func StaleWarnings(d *table.Description, key string, filtered bool) []string {
	var warnings []string
	seen := map[string]bool{}
	for _, o := range StaleIndexes(d, key, filtered) {
		what := DescribeStale(d.Node, o)
		if seen[what] {
			continue
		}
		seen[what] = true
		warnings = append(warnings, strings.Join([]string{what, "the table is read without it", StaleRemedy(o)}, "; "))
	}
	return warnings
}
