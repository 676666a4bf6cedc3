//go:build !unit

package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// ruleDocument is a random rules document, with its meaning as docs/RULES.md states it.
type ruleDocument struct {
	text      string // JSON
	sum       string // its SHA-256, once it is stored
	rules     []drawnRule
	otherwise func(o ruleOracle, nodes []heldRow) ruling
}

// drawnRule is the meaning of one rule.
type drawnRule struct {
	label     string // its name in the counts of a result
	selectors []func(nodes []heldRow) bool
	take      func(o ruleOracle, nodes []heldRow) ruling
}

// ruleDrawer draws a document for the nodes of a round. A position is an index of these.
type ruleDrawer struct {
	r     *rand.Rand
	c     *pgtest.Cluster
	round *ruleRound
}

const otherwiseLabel = "otherwise" // the name of otherwise in the counts of a result

// compared are the columns of readColumns, in this order.
var compared = []string{"v", "n", "f", "c", "j"}

// valueOf returns the value of a column of compared.
func valueOf(row []string, column int) string { return row[len(row)-len(compared)+column] }

// decide returns the ruling of the first rule that matches, and its label.
func (d *ruleDocument) decide(o ruleOracle, nodes []heldRow) (ruling, string) {
	if allSame(nodes) {
		return ruling{kind: equalKey}, ""
	}
	for _, rule := range d.rules {
		if !slices.ContainsFunc(rule.selectors, func(matches func([]heldRow) bool) bool { return !matches(nodes) }) {
			return rule.take(o, nodes), rule.label
		}
	}
	return d.otherwise(o, nodes), otherwiseLabel
}

func (d ruleDrawer) document() *ruleDocument {
	document := &ruleDocument{otherwise: func(ruleOracle, []heldRow) ruling { return ruling{kind: undecidedKey} }}
	rules := []any{}
	for number := range 1 + d.r.IntN(4) {
		member, rule := d.rule(number + 1)
		rules = append(rules, member)
		document.rules = append(document.rules, rule)
	}
	members := map[string]any{"version": 1, "rules": rules}
	if d.r.IntN(3) > 0 {
		members["otherwise"], document.otherwise = d.action()
	}
	text, err := json.Marshal(members)
	if err != nil {
		panic(err) // maps, lists and texts can always be encoded
	}
	document.text = string(text)
	return document
}

func (d ruleDrawer) rule(number int) (map[string]any, drawnRule) {
	rule := drawnRule{label: strconv.Itoa(number)}
	member := map[string]any{}
	if d.r.IntN(2) == 0 {
		member["name"] = fmt.Sprintf("rule no. %d", number)
		rule.label += fmt.Sprintf(" rule no. %d", number)
	}

	when := map[string]any{}
	scope := d.someNodes(len(d.round.nodes))
	if len(d.round.nodes) > 2 && d.r.IntN(3) == 0 {
		scope = d.someNodes(2 + d.r.IntN(len(d.round.nodes)-1))
		when["nodes"] = d.names(scope)
		rule.selectors = append(rule.selectors, func(nodes []heldRow) bool { return !allSame(nodesAt(nodes, scope)) })
	}
	for _, draw := range []func(map[string]any, []int) func([]heldRow) bool{d.kind, d.columns, d.written, d.where} {
		if d.r.IntN(4) == 0 {
			rule.selectors = append(rule.selectors, draw(when, scope))
		}
	}
	if len(when) == 0 || d.r.IntN(8) == 0 {
		rule.selectors = append(rule.selectors, d.keys(when))
	}
	member["when"] = when
	member["take"], rule.take = d.action()
	return member, rule
}

// someNodes returns distinct positions.
func (d ruleDrawer) someNodes(count int) []int { return d.r.Perm(len(d.round.nodes))[:count] }

func (d ruleDrawer) names(positions []int) (names []string) {
	for _, position := range positions {
		names = append(names, d.name(position))
	}
	return names
}

func (d ruleDrawer) name(position int) string { return d.c.Nodes[d.round.nodes[position]].Name }

func nodesAt(nodes []heldRow, positions []int) (picked []heldRow) {
	for _, position := range positions {
		picked = append(picked, nodes[position])
	}
	return picked
}

func allSame(nodes []heldRow) bool {
	return !slices.ContainsFunc(nodes, func(n heldRow) bool { return !sameVersion(n.row, nodes[0].row) })
}

func isMissing(n heldRow) bool { return n.row == nil }

// having returns the nodes that have the row.
func having(nodes []heldRow) []heldRow { return slices.DeleteFunc(slices.Clone(nodes), isMissing) }

func (d ruleDrawer) kind(when map[string]any, scope []int) func([]heldRow) bool {
	if d.r.IntN(2) == 0 {
		when["kind"] = "different"
		return func(nodes []heldRow) bool {
			in := nodesAt(nodes, scope)
			return !slices.ContainsFunc(in, isMissing) && !allSame(in)
		}
	}
	when["kind"] = "missing"
	var on []int
	if d.r.IntN(2) == 0 {
		on = scope[:1+d.r.IntN(len(scope)-1)]
		when["on"] = d.names(on)
	}
	return func(nodes []heldRow) bool {
		in := nodesAt(nodes, scope)
		return slices.ContainsFunc(in, isMissing) && len(having(in)) > 0 && len(having(nodesAt(nodes, on))) == 0
	}
}

func (d ruleDrawer) columns(when map[string]any, scope []int) func([]heldRow) bool {
	chosen := d.r.Perm(len(compared))[:1+d.r.IntN(2)]
	var names []string
	for _, column := range chosen {
		names = append(names, compared[column])
	}
	when["columns"] = names
	return func(nodes []heldRow) bool {
		in := having(nodesAt(nodes, scope))
		return slices.ContainsFunc(chosen, func(column int) bool { return len(in) > 0 && !agree(in, column) })
	}
}

// agree reports whether all rows have the same text in a column.
func agree(nodes []heldRow, column int) bool {
	return !slices.ContainsFunc(nodes, func(n heldRow) bool { return valueOf(n.row, column) != valueOf(nodes[0].row, column) })
}

func (d ruleDrawer) written(when map[string]any, _ []int) func([]heldRow) bool {
	on := d.someNodes(len(d.round.nodes))
	member := map[string]any{}
	if d.r.IntN(2) == 0 {
		on = on[:1+d.r.IntN(len(on))]
		member["on"] = d.names(on)
	}
	limit := time.Date(2026, 1, 2, 3, 4, d.r.IntN(6), 0, time.UTC)
	which := d.r.IntN(4)
	if which == 0 || which == 3 {
		member["before"] = limit.Format(time.RFC3339)
	}
	if which == 1 {
		member["after"] = limit.Format(time.RFC3339)
	}
	if which == 2 || which == 3 {
		member["origin"] = "test"
	}
	when["written"] = member
	return func(nodes []heldRow) bool {
		return slices.ContainsFunc(nodesAt(nodes, on), func(n heldRow) bool {
			if n.row == nil || !n.timed {
				return false
			}
			planted := n.micros < time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC).UnixMicro() // no other row has the origin
			switch which {
			case 0:
				return n.micros < limit.UnixMicro()
			case 1:
				return n.micros > limit.UnixMicro()
			case 2:
				return planted
			default:
				return planted && n.micros < limit.UnixMicro()
			}
		})
	}
}

func (d ruleDrawer) where(when map[string]any, _ []int) func([]heldRow) bool {
	a, b := d.r.IntN(len(d.round.nodes)), d.r.IntN(len(d.round.nodes))
	value := func(nodes []heldRow, position, column int) string {
		if nodes[position].row == nil {
			return pgtest.Null
		}
		return valueOf(nodes[position].row, column)
	}
	key := "id"
	if d.round.shape.same != `id::text` && d.round.shape.other == "" {
		key = "b"
	}
	conditions := []struct {
		sql     string
		matches func(nodes []heldRow) bool
	}{
		{d.name(a) + "." + key + " IS NULL", func(nodes []heldRow) bool { return nodes[a].row == nil }},
		{d.name(a) + ".v IS NOT NULL OR false", func(nodes []heldRow) bool { return value(nodes, a, 0) != pgtest.Null }},
		{d.name(a) + ".n >= " + d.name(b) + ".n", func(nodes []heldRow) bool {
			left, right := rankOf(value(nodes, a, 1)), rankOf(value(nodes, b, 1))
			return left > 0 && right > 0 && left >= right
		}},
		{d.name(a) + ".c = " + d.name(b) + ".c", func(nodes []heldRow) bool {
			left, right := rankOf(value(nodes, a, 3)), rankOf(value(nodes, b, 3))
			return left > 0 && left == right
		}},
		{"coalesce(" + d.name(a) + ".f, 0) < 1", func(nodes []heldRow) bool {
			return rankOf(value(nodes, a, 2)) <= 1
		}},
	}
	chosen := conditions[d.r.IntN(len(conditions))]
	when["where"] = chosen.sql
	return chosen.matches
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

// keys draws keys of the key texts of the round. A node has at most 41 of them.
func (d ruleDrawer) keys(when map[string]any) func([]heldRow) bool {
	var members []any
	var wanted []string
	for range 1 + d.r.IntN(10) {
		id := d.r.IntN(30)
		wanted = append(wanted, strconv.Itoa(id))
		switch {
		case d.round.shape.other != "":
			members = append(members, fmt.Sprintf("%d.0", id))
		case d.round.shape.same == `id::text`:
			members = append(members, fmt.Sprintf("0%d", id))
		default:
			members = append(members, []string{strconv.Itoa(id), "it's"})
		}
	}
	when["keys"] = members
	return func(nodes []heldRow) bool {
		return slices.Contains(wanted, d.round.sameKey(having(nodes)[0].row[:1]))
	}
}

// action draws an action.
func (d ruleDrawer) action() (any, func(ruleOracle, []heldRow) ruling) {
	position := d.r.IntN(len(d.round.nodes))
	switch name := oneOf(d.r, api.ResolveNewest, api.ResolveMajority, api.ResolveUnion, api.ResolveFillNulls, "node", "node", "delete", "skip", "undecided", "columns", "columns", "columns"); name {
	case "node":
		return map[string]any{"node": d.name(position)}, func(o ruleOracle, nodes []heldRow) ruling { return o.node(nodes, position) }
	case "delete":
		return name, func(ruleOracle, []heldRow) ruling { return ruling{kind: decidedKey} }
	case "skip":
		return name, func(ruleOracle, []heldRow) ruling { return ruling{kind: skippedKey} }
	case "undecided":
		return name, func(ruleOracle, []heldRow) ruling { return ruling{kind: undecidedKey} }
	case "columns":
		return d.composition()
	default:
		return name, func(o ruleOracle, nodes []heldRow) ruling { o.resolve = name; return o.decide(nodes) }
	}
}

// node returns the ruling of the action {node: ...}.
func (o ruleOracle) node(nodes []heldRow, position int) ruling {
	switch {
	case o.missing == api.MissingSkip && slices.ContainsFunc(nodes, isMissing):
		return ruling{kind: skippedKey}
	case nodes[position].row != nil:
		return ruling{decidedKey, nodes[position].row}
	case o.missing == api.MissingDelete:
		return ruling{kind: decidedKey}
	default:
		return ruling{kind: undecidedKey}
	}
}

// columnChoice is how the value of a column is chosen from the nodes. It is not ok if
// there is none.
type columnChoice func(o ruleOracle, nodes []heldRow, value func(row []string) string) (chosen string, ok bool)

// composition draws the action {columns: ..., default: ...}.
func (d ruleDrawer) composition() (any, func(ruleOracle, []heldRow) ruling) {
	members, choices := map[string]any{}, map[int]columnChoice{}
	for _, column := range d.r.Perm(len(compared))[:d.r.IntN(len(compared)+1)] {
		members[compared[column]], choices[column] = d.choice(compared[column] != "v")
	}
	action := map[string]any{}
	if len(members) > 0 {
		action["columns"] = members
	}
	var otherwise columnChoice
	if len(members) == 0 || d.r.IntN(2) == 0 {
		action["default"], otherwise = d.choice(false)
	}
	return action, func(o ruleOracle, nodes []heldRow) ruling {
		if slices.ContainsFunc(nodes, isMissing) {
			switch o.missing {
			case api.MissingDelete:
				return ruling{kind: decidedKey}
			case api.MissingSkip:
				return ruling{kind: skippedKey}
			}
		}
		return compose(o, nodes, choices, otherwise)
	}
}

// compose returns the row that the choices put together.
func compose(o ruleOracle, nodes []heldRow, choices map[int]columnChoice, otherwise columnChoice) ruling {
	have := having(nodes)
	winner := slices.Clone(have[0].row)
	keys := len(winner) - len(compared)
	for i := range winner {
		value := func(row []string) string { return row[i] }
		if !slices.ContainsFunc(have, func(n heldRow) bool { return value(n.row) != winner[i] }) {
			continue
		}
		choose := choices[i-keys]
		if i < keys || choose == nil {
			choose = otherwise
		}
		if choose == nil {
			return ruling{kind: undecidedKey}
		}
		chosen, ok := choose(o, nodes, value)
		if !ok {
			return ruling{kind: undecidedKey}
		}
		winner[i] = chosen
	}
	return ruling{decidedKey, winner}
}

// choice draws the choice of a column. Only columns with ranks have min and max.
func (d ruleDrawer) choice(ranked bool) (any, columnChoice) {
	position := d.r.IntN(len(d.round.nodes))
	names := []string{"node", "newest", "non_null"}
	if ranked {
		names = append(names, "min", "max")
	}
	switch name := oneOf(d.r, names...); name {
	case "node":
		return map[string]any{"node": d.name(position)}, func(_ ruleOracle, nodes []heldRow, value func([]string) string) (string, bool) {
			if nodes[position].row == nil {
				return "", false
			}
			return value(nodes[position].row), true
		}
	case "newest":
		return name, func(o ruleOracle, nodes []heldRow, value func([]string) string) (string, bool) {
			o.missing = api.MissingInsert
			found := o.newest(nodes)
			if found.kind != decidedKey {
				return "", false
			}
			return value(found.winner), true
		}
	case "non_null":
		return name, nonNull
	default:
		return name, d.extreme(name == "max")
	}
}

func nonNull(_ ruleOracle, nodes []heldRow, value func([]string) string) (string, bool) {
	chosen := pgtest.Null
	for _, n := range having(nodes) {
		switch v := value(n.row); {
		case v == pgtest.Null || v == chosen:
		case chosen == pgtest.Null:
			chosen = v
		default:
			return "", false
		}
	}
	return chosen, true
}

// extreme returns the choice min or max. Of equal values, that of the first node in the
// order of the cluster definition counts.
func (d ruleDrawer) extreme(greatest bool) columnChoice {
	return func(_ ruleOracle, nodes []heldRow, value func([]string) string) (string, bool) {
		order := make([]int, len(nodes))
		for position := range order {
			order[position] = position
		}
		slices.SortFunc(order, func(a, b int) int { return d.round.nodes[a] - d.round.nodes[b] })
		chosen, rank := pgtest.Null, 0
		for _, position := range order {
			if nodes[position].row == nil {
				continue
			}
			v := value(nodes[position].row)
			r := rankOf(v)
			if r > 0 && (rank == 0 || greatest && r > rank || !greatest && r < rank) {
				chosen, rank = v, r
			}
		}
		return chosen, true
	}
}
