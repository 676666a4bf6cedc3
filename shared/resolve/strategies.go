package resolve

import (
	"fmt"

	"ace/shared/table"
)

// Majority returns the strategy by which the version that more than half of all nodes
// have is right. Absence is a version like any other.
func Majority(nodes []string) Strategy {
	return Strategy{one: func(c Case) Decision {
		found := groups(c)
		if len(found) < 2 {
			return leave(allEqual)
		}
		most := 0
		for _, g := range found {
			if len(g.nodes)*2 <= len(nodes) {
				most = max(most, len(g.nodes))
				continue
			}
			if !g.present {
				return g.wins(fmt.Sprintf("%d of %d nodes lack the row", len(g.nodes), len(nodes)))
			}
			return g.wins(fmt.Sprintf("%d of %d nodes have this version", len(g.nodes), len(nodes)))
		}
		return undecided(fmt.Sprintf("no version has a majority: at most %d of %d nodes agree", most, len(nodes)))
	}}
}

// Union returns the strategy that inserts a row where it is missing, if all nodes that
// have the row agree. It updates and deletes nothing.
func Union(nodes []string) Strategy {
	names := nodeNames(nodes)
	return Strategy{one: func(c Case) Decision {
		found := groups(c)
		if len(found) < 2 {
			return leave(allEqual)
		}
		rows, missing := presentOf(found)
		if len(rows) > 1 {
			return undecided(fmt.Sprintf("the rows of %s and %s differ, and union updates no row", names[rows[0].nodes[0]], names[rows[1].nodes[0]]))
		}
		return rows[0].wins(fmt.Sprintf("missing on %s; all nodes that have the row agree", names.of(missing)))
	}}
}

// FillNulls returns the strategy that replaces a NULL by the value that other nodes have,
// if these nodes agree. columns are the names of the columns of a row. A key is undecided
// as a whole if a node lacks the row, or if two nodes have different values in a column:
// then filling only the other columns would leave the row different on the nodes.
func FillNulls(nodes, columns []string) Strategy {
	names := nodeNames(nodes)
	return Strategy{needs: Needs{Texts: true}, one: func(c Case) Decision {
		found := groups(c)
		if len(found) < 2 {
			return leave(allEqual)
		}
		rows, missing := presentOf(found)
		if missing != nil {
			return undecided(fmt.Sprintf("missing on %s, and fill_nulls inserts no row", names.of(missing)))
		}

		filled, column := fill(c, rows)
		if filled == nil {
			return undecided(fmt.Sprintf("column %q has different values", columns[column]))
		}
		for _, g := range rows {
			if c.Versions[g.nodes[0]].Row.Equal(filled) {
				return g.wins(fmt.Sprintf("%s has a value wherever another node has one", names.of(g.nodes)))
			}
		}
		return Decision{Verdict: Row, Node: Composed, Row: filled, Reason: "put together from the values that are not NULL"}
	}}
}

// fill returns a row that has in each column the value that is not NULL. If two versions
// have different values in a column, it returns nil and the index of that column.
func fill(c Case, rows []group) (table.Row, int) {
	filled := make(table.Row, len(c.Versions[0].Row))
	for _, g := range rows {
		for i, value := range c.Versions[g.nodes[0]].Row {
			switch {
			case value == nil:
			case filled[i] == nil:
				filled[i] = value
			case *filled[i] != *value:
				return nil, i
			}
		}
	}
	return filled, 0
}
