package main

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"ace/infra/testkit/ruleoracle"
)

// ruleDrawer draws rules documents for the rows that a table has.
type ruleDrawer struct {
	r      *rand.Rand
	table  table
	names  []string // of the nodes
	before state
}

// ruled returns what the oracle must know of the table.
func (d ruleDrawer) ruled() ruleoracle.Table {
	return ruleoracle.Table{Nodes: d.names, Order: []int{0, 1, 2}, Columns: d.table.allColumns(), Key: len(d.table.key), Compare: compareValues}
}

// draw draws a document. isTimed states that commit times may decide.
func (d ruleDrawer) draw(isTimed bool) ruleoracle.Document {
	drawer := ruleoracle.Drawer{R: d.r, Table: d.ruled(), Ordered: []string{"v", "n", "f", "at"}, Untimed: !isTimed, Where: d.where}
	if len(d.differing()) > 0 {
		drawer.Keys = d.keys
	}
	if isTimed {
		drawer.Written = d.written
	}
	return drawer.Document()
}

// compareValues compares two values of a column. The texts of all types but numeric have
// the order of the type.
func compareValues(column, a, b string) int {
	if column != "n" {
		return strings.Compare(a, b)
	}
	left, _ := new(big.Rat).SetString(a)
	right, _ := new(big.Rat).SetString(b)
	return left.Cmp(right)
}

// differing returns the keys that differ.
func (d ruleDrawer) differing() (keys []string) {
	for key := range (comparison{table: d.table, nodes: []int{0, 1, 2}}).allKeys(d.before) {
		if ruleoracle.Differ(versions(d.before, key)) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// keys draws some of the keys that differ, of which there must be one.
func (d ruleDrawer) keys() ruleoracle.Keys {
	differing := d.differing()
	d.r.Shuffle(len(differing), func(i, k int) { differing[i], differing[k] = differing[k], differing[i] })
	wanted := differing[:min(len(differing), 1+d.r.IntN(20))]
	keys := ruleoracle.Keys{Has: func(key []string) bool { return slices.Contains(wanted, keyText(key)) }}
	for _, key := range wanted {
		if len(d.table.key) == 1 {
			keys.Members = append(keys.Members, "0"+key) // the same integer
		} else {
			keys.Members = append(keys.Members, strings.Split(key, "|"))
		}
	}
	return keys
}

func (d ruleDrawer) written() ruleoracle.Written {
	limit := firstDrift().Add(time.Duration(d.r.IntN(90)) * time.Second)
	origin := []string{"", d.table.origin()}[d.r.IntN(2)]
	return []ruleoracle.Written{{Before: limit}, {After: limit}, {Origin: &origin}, {Origin: &origin, After: limit}}[d.r.IntN(4)]
}

// where draws an expression. A comparison with a NULL or a missing row is not true.
func (d ruleDrawer) where() ruleoracle.Where {
	a, b := d.r.IntN(nodeCount), d.r.IntN(nodeCount)
	nameA, nameB := d.names[a], d.names[b]
	column := func(v ruleoracle.Version, name string) string {
		if v.Row == nil {
			return null
		}
		return v.Row[slices.Index(d.table.allColumns(), name)]
	}
	both := func(name string, holds func(left, right string) bool) func([]ruleoracle.Version) bool {
		return func(v []ruleoracle.Version) bool {
			left, right := column(v[a], name), column(v[b], name)
			return left != null && right != null && holds(left, right)
		}
	}
	all := []ruleoracle.Where{
		{SQL: fmt.Sprintf("%s.%s IS NULL", nameA, d.table.key[0]), IsTrue: func(v []ruleoracle.Version) bool { return v[a].Row == nil }},
		{SQL: nameA + ".f", IsTrue: func(v []ruleoracle.Version) bool { return column(v[a], "f") == "true" }},
		{SQL: nameA + ".n > " + nameB + ".n", IsTrue: both("n", func(left, right string) bool { return compareValues("n", left, right) > 0 })},
		{SQL: nameA + ".v = " + nameB + ".v", IsTrue: both("v", func(left, right string) bool { return left == right })},
		{SQL: nameA + ".at <= " + nameB + ".at", IsTrue: both("at", func(left, right string) bool { return left <= right })},
		{SQL: nameA + ".j -> 'changed' IS NOT NULL", IsTrue: func(v []ruleoracle.Version) bool {
			return strings.Contains(column(v[a], "j"), `"changed"`)
		}},
	}
	return all[d.r.IntN(len(all))]
}

// checkSum returns an error if a service has stored rules without a name for them.
func checkSum(err error, sum string) error {
	if err == nil && sum == "" {
		return errors.New("POST /ace/rules: no SHA-256 in the answer")
	}
	return err
}
