package rules

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"ace/shared/table"
)

const (
	selectorFields = "nodes, kind, on, columns, keys, written, where"
	writtenFields  = "before, after, origin, on"
	allowedKind    = "different or missing"
	allowedKeys    = "a list of keys, such as [7, 9], or [[7, a], [9, b]] if the key has two columns"
	allowedMoment  = "a time with its offset from UTC, such as 2026-11-29T02:00:00Z"
)

func (p *parser) selectors(node *yaml.Node) Selectors {
	fields := p.fields(node, "when", selectorFields)
	if node.Kind == yaml.MappingNode && len(node.Content) == 0 {
		p.note(node.Line, "when is empty: a rule needs a selector, one of %s; write what happens to all other rows as otherwise", selectorFields)
	}

	var s Selectors
	if nodes := fields["nodes"]; nodes != nil {
		s.Nodes = p.texts(nodes, "when.nodes", 2)
	}
	if kind := fields["kind"]; kind != nil {
		s.Kind = Kind(p.text(kind, "when.kind"))
		if s.Kind != Different && s.Kind != Missing {
			p.note(kind.Line, "when.kind is %.60q; it must be %s", s.Kind, allowedKind)
		}
	}
	if on := fields["on"]; on != nil {
		s.On = p.on(on, s)
	}
	if columns := fields["columns"]; columns != nil {
		s.Columns = p.texts(columns, "when.columns", 1)
	}
	if keys := fields["keys"]; keys != nil {
		s.Keys = p.parseKeys(keys)
	}
	if written := fields["written"]; written != nil {
		s.Written = p.written(written)
	}
	if where := fields["where"]; where != nil {
		s.Where = p.where(where)
	}
	return s
}

// on returns the value of when.on. s has the selectors kind and nodes of the rule.
func (p *parser) on(node *yaml.Node, s Selectors) []string {
	list := p.texts(node, "when.on", 1)
	if s.Kind != Missing {
		p.note(node.Line, "when.on needs kind: missing, because it names the nodes that lack the row")
	}
	for _, name := range list {
		if s.Nodes != nil && !slices.Contains(s.Nodes, name) {
			p.note(node.Line, "when.on names %.100q; it must be one of when.nodes: %s", name, strings.Join(s.Nodes, ", "))
		}
	}
	return list
}

func (p *parser) parseKeys(node *yaml.Node) []table.Key {
	if node.Kind != yaml.SequenceNode || len(node.Content) == 0 {
		p.note(node.Line, "when.keys must be %s", allowedKeys)
		return nil
	}
	if p.keys += len(node.Content); p.keys > maxKeys {
		p.note(node.Line, "the document has more than %d keys", maxKeys)
		return nil
	}

	keys := make([]table.Key, 0, len(node.Content))
	for _, item := range node.Content {
		columns := []*yaml.Node{item}
		if item.Kind == yaml.SequenceNode {
			columns = item.Content
		}
		var key table.Key
		for _, column := range columns {
			if column.Kind != yaml.ScalarNode {
				p.note(column.Line, "when.keys must be %s", allowedKeys)
				return nil
			}
			key = append(key, column.Value) // may be empty: '' is a valid key
		}
		if len(key) == 0 || len(keys) > 0 && len(key) != len(keys[0]) {
			p.note(item.Line, "when.keys has a key of %d values; all keys must have the same number of values, at least one", len(key))
			return nil
		}
		keys = append(keys, key)
	}
	return keys
}

func (p *parser) written(node *yaml.Node) *Written {
	fields := p.fields(node, "when.written", writtenFields)
	w := &Written{}
	if before := fields["before"]; before != nil {
		w.Before = p.moment(before, "when.written.before")
	}
	if after := fields["after"]; after != nil {
		w.After = p.moment(after, "when.written.after")
	}
	if !w.Before.IsZero() && !w.After.IsZero() && !w.After.Before(w.Before) {
		p.note(node.Line, "when.written.before is not later than after, so no row can match")
	}
	if origin := fields["origin"]; origin != nil {
		if origin.Kind != yaml.ScalarNode {
			p.note(origin.Line, `when.written.origin must be the name of a replication origin, or "" for the node itself`)
		}
		w.Origin = &origin.Value
	}
	if on := fields["on"]; on != nil {
		w.On = p.texts(on, "when.written.on", 1)
	}
	if node.Kind == yaml.MappingNode && fields["before"] == nil && fields["after"] == nil && fields["origin"] == nil {
		p.note(node.Line, "when.written needs before, after or origin")
	}
	return w
}

func (p *parser) moment(node *yaml.Node, what string) time.Time {
	text := p.text(node, what)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.IsZero() {
		p.note(node.Line, "%s is %.60q; it must be %s", what, text, allowedMoment)
	}
	return t
}

func (p *parser) where(node *yaml.Node) string {
	text := p.text(node, "when.where")
	switch {
	case node.Style == 0 && node.LineComment != "":
		p.note(node.Line, "when.where ends before %.60q, which is a comment in YAML; write the expression below where: |, or the comment on a line of its own", node.LineComment)
	case node.Style&yaml.LiteralStyle == 0 && strings.Contains(text, "--"):
		p.note(node.Line, "when.where contains --, which in SQL begins a comment up to the end of the line, but YAML joins lines; write the expression below where: |")
	case len(text) > maxWhere:
		p.note(node.Line, "when.where has %d bytes; the maximum is %d", len(text), maxWhere)
	case text != "" && strings.Trim(text, " \t\n\r\f\v") == "":
		p.note(node.Line, "when.where is blank; it must be one boolean SQL expression, such as n1.status = 'closed'")
	}
	return text
}
