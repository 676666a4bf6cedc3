// Package rowcases lists pairs of values of every kind that PostgreSQL can store, and
// whether the two are the same stored value. Tests of the digest and of the whole
// comparison use it.
//
// The literals mean the same under any session settings. All cases can be set up in one
// database, in any order.
package rowcases

import (
	"fmt"
	"slices"
	"strings"
)

// Case is a pair of values of one column, A on the first node and B on the second.
type Case struct {
	Name   string
	Setup  []string // SQL to run on a node before the column's table is created; it may be run repeatedly
	Column string   // the column's type
	A, B   string   // SQL expressions to insert
	Equal  bool     // A and B are the same stored value: they have the same text

	second *differing
}

// differing replaces Setup and Column on the second node.
type differing struct {
	setup  []string
	column string
}

// OnNode returns the SQL to run before the column's table is created, and the column's
// type, on the first (0) or the second node (1).
func (c Case) OnNode(node int) (setup []string, column string) {
	if node == 1 && c.second != nil {
		return c.second.setup, c.second.column
	}
	return c.Setup, c.Column
}

// OtherType reports whether the nodes have different types for the column.
func (c Case) OtherType() bool { return c.second != nil && c.second.column != c.Column }

// All returns every case. Names are unique.
func All() []Case {
	return slices.Concat(
		nulls(), numbers(), texts(), collated(), times(), bytesAndBits(), networkAndIdentifiers(), geometry(), documents(),
		textSearch(), ranges(), arrays(), enums(), domains(), composites(), catalogue(), extensions(), otherTypes(),
	)
}

// kind creates the cases of one type.
type kind struct {
	column string
	setup  []string
}

func of(column string, setup ...string) kind { return kind{column: column, setup: setup} }

func (k kind) same(name, a, b string) Case { return k.pair(name, a, b, true) }
func (k kind) differ(name, a, b string) Case {
	return k.pair(name, a, b, false)
}

func (k kind) pair(name, a, b string, equal bool) Case {
	return Case{Name: fmt.Sprintf("%s: %s", k.column, name), Setup: k.setup, Column: k.column, A: a, B: b, Equal: equal}
}

// values returns a case of equal values for each value, and a case of different values
// for each two adjacent values.
func (k kind) values(values ...string) []Case {
	var cases []Case
	for i, v := range values {
		cases = append(cases, k.same(short(v)+" on both", v, v))
		if i > 0 {
			cases = append(cases, k.differ(short(values[i-1])+" and "+short(v), values[i-1], v))
		}
	}
	return cases
}

// short shortens a value for use in a name.
func short(v string) string {
	const longest = 60
	if len(v) > longest {
		return strings.ToValidUTF8(v[:longest], "") + "..."
	}
	return v
}

// create returns SQL that runs "CREATE what" and may be run repeatedly, because it does
// nothing if the object exists.
func create(what string) string {
	return "DO $setup$ BEGIN CREATE " + what + "; EXCEPTION WHEN duplicate_object OR duplicate_table THEN NULL; END $setup$"
}
