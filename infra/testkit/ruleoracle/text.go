package ruleoracle

import (
	"encoding/json"
	"time"
)

type object = map[string]any

// Text returns a document as JSON.
func (t Table) Text(d Document) string {
	rules := []object{}
	for _, rule := range d.Rules {
		member := object{"when": t.selectors(rule.When), "take": t.action(rule.Take)}
		if rule.Name != "" {
			member["name"] = rule.Name
		}
		rules = append(rules, member)
	}
	members := object{"version": 1, "rules": rules}
	if d.Otherwise != nil {
		members["otherwise"] = t.action(*d.Otherwise)
	}
	text, err := json.Marshal(members)
	if err != nil {
		panic(err) // maps, lists and texts can always be encoded
	}
	return string(text)
}

func (t Table) selectors(w When) object {
	when := object{}
	if w.Nodes != nil {
		when["nodes"] = t.names(w.Nodes)
	}
	if w.Kind != "" {
		when["kind"] = w.Kind
	}
	if w.On != nil {
		when["on"] = t.names(w.On)
	}
	if w.Columns != nil {
		when["columns"] = w.Columns
	}
	if w.Keys != nil {
		when["keys"] = w.Keys.Members
	}
	if w.Written != nil {
		when["written"] = t.written(*w.Written)
	}
	if w.Where != nil {
		when["where"] = w.Where.SQL
	}
	return when
}

func (t Table) written(w Written) object {
	member := object{}
	if !w.Before.IsZero() {
		member["before"] = w.Before.Format(time.RFC3339)
	}
	if !w.After.IsZero() {
		member["after"] = w.After.Format(time.RFC3339)
	}
	if w.Origin != nil {
		member["origin"] = *w.Origin
	}
	if w.On != nil {
		member["on"] = t.names(w.On)
	}
	return member
}

func (t Table) action(a Action) any {
	switch a.How {
	case "node":
		return object{"node": t.Nodes[a.Node]}
	case "columns":
		member := object{}
		if len(a.Columns) > 0 {
			columns := object{}
			for column, choice := range a.Columns {
				columns[column] = t.choice(choice)
			}
			member["columns"] = columns
		}
		if a.Default != nil {
			member["default"] = t.choice(*a.Default)
		}
		return member
	}
	return a.How
}

func (t Table) choice(c Choice) any {
	if c.How == "node" {
		return object{"node": t.Nodes[c.Node]}
	}
	return c.How
}

func (t Table) names(positions []int) (names []string) {
	for _, position := range positions {
		names = append(names, t.Nodes[position])
	}
	return names
}
