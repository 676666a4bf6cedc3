package main

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
)

// ruleDoc is a rules document, with as much of docs/RULES.md as the oracle knows.
type ruleDoc struct {
	table     table
	rules     []rule
	otherwise action
}

type rule struct {
	kind    string // different, missing or ""
	on      []int  // with missing: nodes that all lack the row
	nodes   []int  // the nodes whose versions count, nil for all
	columns []string
	take    action
}

// action is how the winner is chosen. If how is "node" or "column", node is its node.
type action struct {
	how  string
	node int
}

func drawRules(r *rand.Rand, t table) ruleDoc {
	d := ruleDoc{table: t, otherwise: drawAction(r)}
	for range 1 + r.IntN(3) {
		next := rule{take: drawAction(r)}
		switch r.IntN(4) {
		case 0:
			next.kind = "different"
		case 1:
			next.kind = "missing"
			if r.IntN(2) == 0 {
				next.on = []int{r.IntN(nodeCount)}
			}
		case 2:
			next.nodes = r.Perm(nodeCount)[:2]
			slices.Sort(next.nodes)
		default:
			next.columns = []string{valueColumns()[r.IntN(len(valueColumns()))]}
		}
		d.rules = append(d.rules, next)
	}
	return d
}

func drawAction(r *rand.Rand) action {
	hows := []string{"majority", "union", "fill_nulls", "node", "delete", "skip", "undecided", "column", "non_null"}
	return action{how: hows[r.IntN(len(hows))], node: r.IntN(nodeCount)}
}

// text returns the document as JSON.
func (d ruleDoc) text(names []string) string {
	type object = map[string]any
	list := []object{}
	for _, rule := range d.rules {
		when := object{}
		if rule.kind != "" {
			when["kind"] = rule.kind
		}
		if rule.on != nil {
			when["on"] = named(names, rule.on)
		}
		if rule.nodes != nil {
			when["nodes"] = named(names, rule.nodes)
		}
		if rule.columns != nil {
			when["columns"] = rule.columns
		}
		list = append(list, object{"when": when, "take": rule.take.value(names)})
	}
	text, _ := json.Marshal(object{"version": 1, "rules": list, "otherwise": d.otherwise.value(names)})
	return string(text)
}

func named(names []string, nodes []int) (list []string) {
	for _, node := range nodes {
		list = append(list, names[node])
	}
	return list
}

func (a action) value(names []string) any {
	switch a.how {
	case "node":
		return map[string]any{"node": names[a.node]}
	case "column":
		return map[string]any{"default": map[string]any{"node": names[a.node]}}
	case "non_null":
		return map[string]any{"default": "non_null"}
	}
	return a.how
}

// winner returns the row that a node has after a repair by the rules.
func (d ruleDoc) winner(versions []held, node int) []string {
	old := versions[node].Row
	if !differ(versions, nil) {
		return old
	}
	take := d.otherwise
	for _, rule := range d.rules {
		if d.matches(rule, versions) {
			take = rule.take
			break
		}
	}
	if winner, decided := take.decide(versions); decided {
		return winner
	}
	return old
}

// differ reports whether two of the nodes have different versions; nil means all nodes.
func differ(versions []held, nodes []int) bool {
	chosen := among(versions, nodes)
	return slices.ContainsFunc(chosen, func(v held) bool { return !same(v.Row, chosen[0].Row) })
}

func among(versions []held, nodes []int) (chosen []held) {
	for i, version := range versions {
		if nodes == nil || slices.Contains(nodes, i) {
			chosen = append(chosen, version)
		}
	}
	return chosen
}

func (d ruleDoc) matches(r rule, versions []held) bool {
	chosen := among(versions, r.nodes)
	lacking := slices.ContainsFunc(chosen, isMissing)
	having := slices.ContainsFunc(chosen, func(v held) bool { return v.Row != nil })
	switch {
	case r.nodes != nil && !differ(versions, r.nodes):
		return false
	case r.kind == "different" && (lacking || !differ(versions, r.nodes)):
		return false
	case r.kind == "missing" && (!lacking || !having):
		return false
	case slices.ContainsFunc(among(versions, orNone(r.on)), func(v held) bool { return v.Row != nil }):
		return false
	}
	return r.columns == nil || slices.ContainsFunc(r.columns, func(column string) bool { return d.columnDiffers(column, chosen) })
}

func isMissing(v held) bool { return v.Row == nil }

// orNone returns nodes, or no nodes instead of nil, which means all.
func orNone(nodes []int) []int { return append([]int{}, nodes...) }

func (d ruleDoc) columnDiffers(column string, chosen []held) bool {
	at := slices.Index(d.table.allColumns(), column)
	having := slices.DeleteFunc(slices.Clone(chosen), isMissing)
	return len(having) > 1 && slices.ContainsFunc(having, func(v held) bool { return v.Row[at] != having[0].Row[at] })
}

// decide returns the winner of an action, and whether it has one. Rows are inserted where
// they are missing (missing=insert).
func (a action) decide(versions []held) (winner []string, decided bool) {
	switch a.how {
	case "delete":
		return nil, true
	case "skip", "undecided":
		return nil, false
	case "node":
		return versions[a.node].Row, versions[a.node].Row != nil
	case "column", "non_null":
		return a.merged(versions)
	}
	ruled := decide(a.how, versions)
	return ruled.winner, ruled.decided
}

// merged puts a row together column by column, from the nodes that have the row.
func (a action) merged(versions []held) (winner []string, decided bool) {
	having := slices.DeleteFunc(slices.Clone(versions), isMissing)
	winner = slices.Clone(having[0].Row)
	for column := range winner {
		values := map[string]bool{}
		for _, v := range having {
			values[v.Row[column]] = true
		}
		if len(values) == 1 {
			continue
		}
		if a.how == "column" {
			if versions[a.node].Row == nil {
				return nil, false
			}
			winner[column] = versions[a.node].Row[column]
			continue
		}
		delete(values, null)
		if len(values) != 1 {
			return nil, false
		}
		for value := range values {
			winner[column] = value
		}
	}
	return winner, true
}

// checkSum returns an error if a service has stored rules without a name for them.
func checkSum(err error, sum string) error {
	if err == nil && sum == "" {
		return errors.New("POST /ace/rules: no SHA-256 in the answer")
	}
	return err
}
