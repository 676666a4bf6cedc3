package ruleoracle

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"ace/shared/api"
)

// Drawer draws random rules documents for a table. The functions draw the selectors that
// depend on its rows; a selector whose function is nil is not used.
type Drawer struct {
	R       *rand.Rand
	Table   Table
	Ordered []string // columns that may have min or max; not those of the key
	Untimed bool     // newest is not used, because commit times change
	Keys    func() Keys
	Written func() Written // without nodes
	Where   func() Where
}

// Document draws a document.
func (d Drawer) Document() Document {
	var document Document
	for number := range 1 + d.R.IntN(4) {
		document.Rules = append(document.Rules, d.rule(number+1))
	}
	if d.R.IntN(3) > 0 {
		otherwise := d.action()
		document.Otherwise = &otherwise
	}
	return document
}

func (d Drawer) rule(number int) Rule {
	rule := Rule{Take: d.action()}
	if d.R.IntN(2) == 0 {
		rule.Name = fmt.Sprintf("rule no. %d", number)
	}
	when := &rule.When
	scope := d.R.Perm(len(d.Table.Nodes))
	if len(scope) > 2 && d.R.IntN(3) == 0 {
		scope = scope[:2+d.R.IntN(len(scope)-1)]
		when.Nodes = scope
	}
	selectors := 0
	for _, draw := range []func(*When, []int) bool{d.kind, d.columns, d.written, d.where} {
		if d.R.IntN(4) == 0 && draw(when, scope) {
			selectors++
		}
	}
	if d.R.IntN(8) == 0 && d.keys(when) {
		selectors++
	}
	if selectors == 0 && when.Nodes == nil && !d.keys(when) {
		d.kind(when, scope)
	}
	return rule
}

func (d Drawer) kind(when *When, scope []int) bool {
	when.Kind = "different"
	if d.R.IntN(2) == 0 {
		when.Kind = "missing"
		if d.R.IntN(2) == 0 {
			when.On = scope[:1+d.R.IntN(len(scope)-1)]
		}
	}
	return true
}

func (d Drawer) columns(when *When, _ []int) bool {
	values := d.values()
	for _, column := range d.R.Perm(len(values))[:1+d.R.IntN(2)] {
		when.Columns = append(when.Columns, values[column])
	}
	return true
}

// values returns the columns that are not in the key.
func (d Drawer) values() []string { return d.Table.Columns[d.Table.Key:] }

func (d Drawer) written(when *When, _ []int) bool {
	if d.Written == nil {
		return false
	}
	w := d.Written()
	if d.R.IntN(2) == 0 {
		nodes := len(d.Table.Nodes)
		w.On = d.R.Perm(nodes)[:1+d.R.IntN(nodes)]
	}
	when.Written = &w
	return true
}

func (d Drawer) where(when *When, _ []int) bool {
	if d.Where == nil {
		return false
	}
	where := d.Where()
	when.Where = &where
	return true
}

func (d Drawer) keys(when *When) bool {
	if d.Keys == nil {
		return false
	}
	keys := d.Keys()
	when.Keys = &keys
	return true
}

func (d Drawer) action() Action {
	hows := []string{
		api.ResolveNewest, api.ResolveMajority, api.ResolveUnion, api.ResolveFillNulls,
		"node", "node", "delete", "skip", "undecided", "columns", "columns", "columns",
	}
	a := Action{How: d.oneOf(hows), Node: d.R.IntN(len(d.Table.Nodes))}
	if a.How != "columns" {
		return a
	}
	a.Columns = map[string]Choice{}
	values := d.values()
	for _, column := range d.R.Perm(len(values))[:d.R.IntN(len(values)+1)] {
		a.Columns[values[column]] = d.choice(values[column])
	}
	if len(a.Columns) == 0 || d.R.IntN(2) == 0 {
		choice := d.choice("") // for columns of any type
		a.Default = &choice
	}
	return a
}

// choice draws the choice of a column.
func (d Drawer) choice(column string) Choice {
	hows := []string{"node", "newest", "non_null"}
	if slices.Contains(d.Ordered, column) {
		hows = append(hows, "min", "max")
	}
	return Choice{How: d.oneOf(hows), Node: d.R.IntN(len(d.Table.Nodes))}
}

// oneOf draws one of the names.
func (d Drawer) oneOf(names []string) string {
	if d.Untimed {
		names = slices.DeleteFunc(names, func(name string) bool { return name == api.ResolveNewest })
	}
	return names[d.R.IntN(len(names))]
}
