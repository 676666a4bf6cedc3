package ruleoracle

import (
	"slices"

	"ace/shared/api"
)

// Choice is how the value of a column is chosen. How is "node", "newest", "non_null",
// "min" or "max".
type Choice struct {
	How  string
	Node int // with node
}

// compose returns the row that is put together column by column, from the nodes that have
// the row.
func (o Oracle) compose(a Action, t Table, nodes []Version) Ruling {
	if ruling, ok := o.absence(nodes); ok {
		return ruling
	}
	have := having(nodes)
	winner := slices.Clone(have[0].Row)
	for column := range winner {
		if agree(have, column) {
			continue
		}
		choice := a.Default
		if chosen, ok := a.Columns[t.Columns[column]]; ok {
			choice = &chosen
		}
		if choice == nil {
			return Ruling{Kind: Undecided}
		}
		value, ok := o.choose(*choice, t, nodes, column)
		if !ok {
			return Ruling{Kind: Undecided}
		}
		winner[column] = value
	}
	return decided(winner)
}

// choose returns the value of a column that a choice finds, if it finds one.
func (o Oracle) choose(c Choice, t Table, nodes []Version, column int) (value string, ok bool) {
	switch c.How {
	case "node":
		row := nodes[c.Node].Row
		if row == nil {
			return "", false
		}
		return row[column], true
	case "newest":
		o.Missing = api.MissingInsert
		found := o.newest(nodes)
		if found.Kind != Decided {
			return "", false
		}
		return found.Winner[column], true
	case "non_null":
		return nonNull(having(nodes), column)
	}
	return extreme(t, nodes, column, c.How == "max"), true
}

func nonNull(have []Version, column int) (value string, ok bool) {
	value = Null
	for _, v := range have {
		switch is := v.Row[column]; {
		case is == Null || is == value:
		case value == Null:
			value = is
		default:
			return "", false
		}
	}
	return value, true
}

// extreme returns the least or greatest value that is not NULL. Of equal values, that of
// the first node in the order of the cluster definition counts.
func extreme(t Table, nodes []Version, column int, greatest bool) string {
	chosen := Null
	for _, v := range having(at(nodes, t.Order)) {
		value := v.Row[column]
		if value == Null {
			continue
		}
		if chosen == Null {
			chosen = value
			continue
		}
		order := t.Compare(t.Columns[column], value, chosen)
		if greatest && order > 0 || !greatest && order < 0 {
			chosen = value
		}
	}
	return chosen
}
