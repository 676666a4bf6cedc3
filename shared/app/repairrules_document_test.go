//go:build !unit

package app_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/ruleoracle"
)

// ruleDocument is a random rules document.
type ruleDocument struct {
	ruleoracle.Document
	table ruleoracle.Table
	sum   string // its SHA-256, once it is stored
}

// ruleDrawer draws the parts of a document that depend on the rows of a round. A position
// is an index of the nodes of the round.
type ruleDrawer struct {
	r     *rand.Rand
	c     *pgtest.Cluster
	round *ruleRound
}

func (d ruleDrawer) document() *ruleDocument {
	table := d.table()
	drawer := ruleoracle.Drawer{
		R: d.r, Table: table, Ordered: []string{"n", "f", "c", "j"},
		Keys: d.keys, Written: d.written, Where: d.where,
	}
	return &ruleDocument{Document: drawer.Document(), table: table}
}

// compared are the columns of readColumns, in this order.
var compared = []string{"v", "n", "f", "c", "j"}

// valueOf returns the value of a column of compared, which is NULL in a missing row.
func valueOf(v ruleoracle.Version, column int) string {
	if v.Row == nil {
		return pgtest.Null
	}
	return v.Row[len(v.Row)-len(compared)+column]
}

func (d ruleDrawer) table() ruleoracle.Table {
	t := ruleoracle.Table{
		Nodes: names(d.c, d.round.nodes), Key: len(d.round.shape.keyColumns), Columns: slices.Concat(d.round.shape.keyColumns, compared),
		Compare: func(_, a, b string) int { return cmp.Compare(rankOf(a), rankOf(b)) },
	}
	for position := range d.round.nodes {
		t.Order = append(t.Order, position)
	}
	slices.SortFunc(t.Order, func(a, b int) int { return d.round.nodes[a] - d.round.nodes[b] })
	return t
}

// rankOf returns the place of a value of ruleValues in the order of its type, by which
// some values are equal. NULL has 0.
func rankOf(value string) int {
	return map[string]int{
		"1": 1, "1.0": 1, "NaN": 2, // n numeric
		"0": 1, "-0": 1, "1.5": 2, // f float8
		"a": 1, "A": 1, "b": 2, // c text, 'a' = 'A'
		`{"a": 1}`: 2, `{"a": 1.0}`: 2, // j jsonb, 0 comes first
	}[value]
}

func (d ruleDrawer) written() ruleoracle.Written {
	limit := time.Date(2026, 1, 2, 3, 4, d.r.IntN(6), 0, time.UTC)
	origin := oneOf(d.r, testOrigin, "")
	return oneOf(d.r,
		ruleoracle.Written{Before: limit}, ruleoracle.Written{After: limit},
		ruleoracle.Written{Origin: &origin}, ruleoracle.Written{Origin: &origin, Before: limit})
}

func (d ruleDrawer) where() ruleoracle.Where {
	a, b := d.r.IntN(len(d.round.nodes)), d.r.IntN(len(d.round.nodes))
	nameA, nameB := d.c.Nodes[d.round.nodes[a]].Name, d.c.Nodes[d.round.nodes[b]].Name
	type versions = []ruleoracle.Version
	return oneOf(d.r, []ruleoracle.Where{
		{SQL: nameA + "." + d.round.shape.keyColumns[0] + " IS NULL", IsTrue: func(v versions) bool { return v[a].Row == nil }},
		{SQL: nameA + ".v IS NOT NULL OR false", IsTrue: func(v versions) bool { return valueOf(v[a], 0) != pgtest.Null }},
		{SQL: nameA + ".n >= " + nameB + ".n", IsTrue: func(v versions) bool {
			left, right := rankOf(valueOf(v[a], 1)), rankOf(valueOf(v[b], 1))
			return left > 0 && right > 0 && left >= right
		}},
		{SQL: nameA + ".c = " + nameB + ".c", IsTrue: func(v versions) bool {
			left, right := rankOf(valueOf(v[a], 3)), rankOf(valueOf(v[b], 3))
			return left > 0 && left == right
		}},
		{SQL: "coalesce(" + nameA + ".f, 0) < 1", IsTrue: func(v versions) bool { return rankOf(valueOf(v[a], 2)) <= 1 }},
	}...)
}

// keys draws keys of the key texts of the round. A node has at most 41 of them.
func (d ruleDrawer) keys() ruleoracle.Keys {
	var keys ruleoracle.Keys
	var wanted []string
	for range 1 + d.r.IntN(10) {
		id := d.r.IntN(30)
		wanted = append(wanted, strconv.Itoa(id))
		switch {
		case d.round.shape.other != "":
			keys.Members = append(keys.Members, fmt.Sprintf("%d.0", id))
		case len(d.round.shape.keyColumns) == 1:
			keys.Members = append(keys.Members, fmt.Sprintf("0%d", id))
		default:
			keys.Members = append(keys.Members, []string{strconv.Itoa(id), "it's"})
		}
	}
	keys.Has = func(key []string) bool { return slices.Contains(wanted, d.round.sameKey(key[:1])) }
	return keys
}
