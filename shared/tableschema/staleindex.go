package tableschema

import (
	"fmt"
	"slices"
	"strings"

	"ace/shared/table"
)

// StaleIndexes returns the stale indexes: those that may be out of order because a
// collation has another version than the server has recorded. key is the name of the
// key's index. If filtered is false, only this index is checked. If filtered is true, all
// indexes of the table are checked, because the server may use any of them to find the
// rows that a filter selects.
func StaleIndexes(d *table.Description, key string, filtered bool) []table.IndexOrder {
	var stale []table.IndexOrder
	for _, o := range d.IndexOrders {
		if o.Changed() && (filtered || o.Index == key) {
			stale = append(stale, o)
		}
	}
	return stale
}

// isUnversioned reports whether the order of the key's index depends on a collation whose
// version is unknown. key is the name of that index. If filtered is set, it reports
// whether this is true of at least one index of the table, because the server may use any
// index to find the rows that a filter selects.
func isUnversioned(d *table.Description, key string, filtered bool) bool {
	return slices.ContainsFunc(d.IndexOrders, func(o table.IndexOrder) bool {
		return o.Unversioned() && (filtered || o.Index == key)
	})
}

// DescribeStale describes what is wrong with a stale index.
func DescribeStale(node string, o table.IndexOrder) string {
	collation := "collation " + o.CollName
	if o.CollName == "" {
		collation = "the default collation of database " + o.Database
	}
	return fmt.Sprintf("node %q: index %s may be out of order: %s was version %s when it was built and is version %s now",
		node, o.Qualified, collation, o.Recorded, o.Collation.Version)
}

// StaleRemedy returns the statements that repair a stale index.
func StaleRemedy(o table.IndexOrder) string {
	refresh := "ALTER COLLATION " + o.CollName + " REFRESH VERSION"
	if o.CollName == "" {
		refresh = "ALTER DATABASE " + o.Database + " REFRESH COLLATION VERSION"
	}
	return fmt.Sprintf("run REINDEX INDEX %s and, once all indexes of that collation are rebuilt, %s", o.Qualified, refresh)
}

// distrustIndexes finds the key columns whose collations make the key's index stale on
// some node (see StaleIndexes). It sets ByText for such a column, so that all nodes order
// the column by its text.
func (c *Common) distrustIndexes(nodes []*table.Description) {
	for node, d := range nodes {
		for _, o := range StaleIndexes(d, c.KeyIndex(node), false) {
			for i, name := range c.Key {
				c.ByText[i] = c.ByText[i] || name == o.Column
			}
		}
	}
}

// StaleWarnings returns a warning for each index that StaleIndexes returns. The warning
// states that the table is read without the index, and how to repair the index.
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
