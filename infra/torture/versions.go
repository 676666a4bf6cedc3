package main

import "slices"

// null is the text that stands for NULL in a row.
const null = "<NULL>"

// ruling is what a strategy of docs/RULES.md says about a key whose versions differ. A
// decided ruling without a winner means that no node keeps the row.
type ruling struct {
	decided bool
	winner  []string
}

// same reports whether two rows have the same texts, or are both missing.
func same(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// decide returns the ruling of majority, union or fill_nulls. It shares no code with the
// service.
func decide(strategy string, nodes []held) ruling {
	switch strategy {
	case "majority":
		return majorityOf(nodes)
	case "union":
		return unionOf(nodes)
	default:
		return filled(nodes)
	}
}

func majorityOf(nodes []held) ruling {
	for _, n := range nodes {
		votes := 0
		for _, other := range nodes {
			if same(n.Row, other.Row) {
				votes++
			}
		}
		if 2*votes > len(nodes) {
			return ruling{true, n.Row}
		}
	}
	return ruling{}
}

func unionOf(nodes []held) ruling {
	var only []string
	for _, n := range nodes {
		if n.Row != nil && only != nil && !slices.Equal(n.Row, only) {
			return ruling{}
		}
		if n.Row != nil {
			only = n.Row
		}
	}
	return ruling{true, only}
}

func filled(nodes []held) ruling {
	if slices.ContainsFunc(nodes, func(n held) bool { return n.Row == nil }) {
		return ruling{}
	}
	winner := slices.Clone(nodes[0].Row)
	for _, n := range nodes {
		for i, value := range n.Row {
			switch {
			case value == null || value == winner[i]:
			case winner[i] == null:
				winner[i] = value
			default:
				return ruling{}
			}
		}
	}
	return ruling{true, winner}
}
