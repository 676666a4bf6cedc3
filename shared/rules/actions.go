package rules

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

const (
	allowedAction = "newest, majority, union, fill_nulls, delete, skip, undecided, {node: n1}, or columns with their choices, such as {columns: {stock: min}, default: newest}"
	allowedChoice = "newest, non_null, min, max or {node: n1}"
)

// action returns the action that node describes. node is the value of the member what.
func (p *parser) action(node *yaml.Node, what string) Action {
	if node.Kind == yaml.ScalarNode {
		kind := ActionKind(node.Value)
		if !slices.Contains([]ActionKind{Newest, Majority, Union, FillNulls, Delete, Skip, Undecided}, kind) {
			p.note(node.Line, "%s is %.60q; it must be %s", what, node.Value, allowedAction)
		}
		return Action{Kind: kind}
	}
	if node.Kind != yaml.MappingNode || len(node.Content) == 0 {
		p.note(node.Line, "%s must be %s", what, allowedAction)
		return Action{}
	}

	fields := p.fields(node, what, "node, columns, default")
	if of := fields["node"]; of != nil {
		if len(fields) > 1 {
			p.note(node.Line, "%s has node and %d other members; write node alone, or columns and default", what, len(fields)-1)
		}
		return Action{Kind: OfNode, Node: p.text(of, what+".node")}
	}

	a := Action{Kind: ByColumn}
	if columns := fields["columns"]; columns != nil {
		a.Columns = p.columns(columns, what+".columns")
	}
	if choice := fields["default"]; choice != nil {
		c := p.choice(choice, what+".default")
		a.Default = &c
	}
	return a
}

func (p *parser) columns(node *yaml.Node, what string) []Column {
	const allowed = "that are columns, each with its choice"
	members := p.members(node, what, allowed)
	if node.Kind == yaml.MappingNode && len(node.Content) == 0 {
		p.note(node.Line, "%s is empty; list columns, each with its choice, or write default alone", what)
	}

	var columns []Column
	for _, m := range members {
		if m.name == "" {
			p.note(m.line, "%s has a column without a name", what)
		}
		columns = append(columns, Column{m.name, p.choice(m.value, what+"."+m.name)})
	}
	return columns
}

func (p *parser) choice(node *yaml.Node, what string) Choice {
	if node.Kind == yaml.ScalarNode {
		kind := ChoiceKind(node.Value)
		if !slices.Contains([]ChoiceKind{NewestValue, NonNull, Min, Max}, kind) {
			p.note(node.Line, "%.100s is %.60q; it must be %s", what, node.Value, allowedChoice)
		}
		return Choice{Kind: kind}
	}

	c := Choice{Kind: ValueOfNode}
	of := p.fields(node, what, "node")["node"]
	if of == nil {
		p.note(node.Line, "%.100s must be %s", what, allowedChoice)
		return c
	}
	c.Node = p.text(of, what+".node")
	return c
}
