package pg

import (
	"strings"

	"ace/shared/table"
)

// within returns the SQL condition that a row's key is >= lo and < hi in key order. lo
// and hi have one SQL reference per key column, such as r.lo1; nil means no bound. If
// both are nil, the condition is empty. The server can evaluate the condition by the
// key's index.
func within(s table.Source, lo, hi []string) string {
	if lo == nil && hi == nil {
		return ""
	}
	if len(s.OrderGroups) > 0 {
		return "(" + strings.Join(arms(s.OrderGroups, s.Order, lo, hi), " OR ") + ")"
	}

	var terms []string
	if lo != nil {
		terms = append(terms, compare(s.Order, s.AtLeast, lo))
	}
	if hi != nil {
		terms = append(terms, compare(s.Order, s.Less, hi))
	}
	return strings.Join(terms, " AND ")
}

// arms returns the conditions (arms) that within joins with OR. At most one of them is
// true; one is true if and only if the row is within the bounds. For two groups with the
// columns a and b and the bound lo, the arms are lo1 < a and a = lo1 AND b >= lo2.
//
// A row comparison takes the operators of all its columns from one schema, so each group
// of columns has its own comparison. Each arm bounds one group, and requires that the
// groups before it are equal to the bound. So an index scan can evaluate an arm, and the
// server can combine the index scans of all arms in a bitmap.
func arms(groups []table.OrderGroup, order, lo, hi []string) []string {
	g, rest := groups[0], groups[1:]
	n := g.Columns
	head := order[:n]
	var fromLo, toHi, aboveLo, belowHi string
	if lo != nil {
		fromLo = compare(head, g.Equal, lo[:n])
		aboveLo = compare(lo[:n], g.Less, head)
	}
	if hi != nil {
		toHi = compare(head, g.Equal, hi[:n])
		belowHi = compare(head, g.Less, hi[:n])
	}
	if len(rest) == 0 {
		if lo != nil {
			aboveLo = compare(head, g.AtLeast, lo[:n])
		}
		return []string{conjunction(aboveLo, belowHi)}
	}

	below := func(lo, hi []string, fixed, also string) []string {
		out := arms(rest, order[n:], tail(lo, n), tail(hi, n))
		for i, arm := range out {
			out[i] = conjunction(fixed, also, arm)
		}
		return out
	}

	found := []string{conjunction(aboveLo, belowHi)}
	switch {
	case lo != nil && hi != nil:
		found = append(found, below(lo, nil, fromLo, belowHi)...)
		found = append(found, below(nil, hi, toHi, aboveLo)...)
		found = append(found, below(lo, hi, fromLo, toHi)...)
	case lo != nil:
		found = append(found, below(lo, nil, fromLo, "")...)
	default:
		found = append(found, below(nil, hi, toHi, "")...)
	}

	return found
}

func tail(refs []string, n int) []string {
	if refs == nil {
		return nil
	}
	return refs[n:]
}

func conjunction(terms ...string) string {
	var present []string
	for _, term := range terms {
		if term != "" {
			present = append(present, term)
		}
	}
	return strings.Join(present, " AND ")
}
