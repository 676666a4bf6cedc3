package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"ace/shared/fault"
)

const (
	allowedName = "at most 64 letters, digits, spaces, dots, underscores and hyphens, the first a letter or digit, once in the document"
	topFields   = "version, rules, otherwise"
	ruleFields  = "name, when, take"
)

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$`)

// Parse parses and checks a rules document in YAML or JSON. The error is one fault with
// code Invalid whose message has a line for each problem: the line of the document, the
// rule, the value and what is allowed.
func Parse(data []byte) (*Document, error) {
	p := &parser{names: map[string]bool{}}
	document := p.parse(data)
	if len(p.problems) > 0 {
		return nil, fault.New(fault.Invalid, "%s", strings.Join(p.problems, "\n"))
	}
	return document, nil
}

type parser struct {
	problems []string
	rule     string          // the rule that is being read, such as "rule 2"; "" outside of rules
	names    map[string]bool // the names of the rules read so far
	keys     int             // the number of keys read so far
}

// note records a problem. line is 0 if the problem has no line.
func (p *parser) note(line int, format string, args ...any) {
	at := "rules"
	if line > 0 {
		at += ", line " + strconv.Itoa(line)
	}
	if p.rule != "" {
		at += ", " + p.rule
	}
	p.problems = append(p.problems, at+": "+fmt.Sprintf(format, args...))
}

func (p *parser) parse(data []byte) *Document {
	if len(data) > MaxSize {
		p.note(0, "the document has %d bytes; the maximum is %d", len(data), MaxSize)
		return nil
	}
	if !utf8.Valid(data) {
		p.note(0, "the document is not valid UTF-8")
		return nil
	}

	tree, err := readTree(data)
	if err != nil {
		p.note(0, "%v", err)
		return nil
	}
	if p.refuse(tree); len(p.problems) > 0 {
		return nil
	}
	return p.document(tree)
}

// refuse records a problem for each part of a tree that no document may have.
func (p *parser) refuse(node *yaml.Node) {
	switch {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		p.note(node.Line, "anchors and aliases are not supported; write the value out")
		return
	case node.Style&yaml.TaggedStyle != 0:
		p.note(node.Line, "the tag %.60q is not supported; write the value without it", node.Tag)
	case node.Tag == "!!null":
		p.note(node.Line, "a value is missing or null; write a value, or leave the member out")
	case strings.Contains(node.Value, "\x00"):
		p.note(node.Line, "a text contains the character NUL, which PostgreSQL cannot store")
	}
	for _, child := range node.Content {
		p.refuse(child)
	}
}

func (p *parser) document(tree *yaml.Node) *Document {
	top := p.fields(tree, "the document", topFields)
	if len(p.problems) > 0 {
		return nil
	}

	switch version := top["version"]; {
	case version == nil:
		p.note(0, "version is missing; write version: 1")
	case version.Kind != yaml.ScalarNode || version.Value != "1":
		p.note(version.Line, "version is %.20q; it must be 1", version.Value)
	}

	d := &Document{Otherwise: Rule{Take: Action{Kind: Undecided}}}
	if otherwise := top["otherwise"]; otherwise != nil {
		p.rule = "otherwise"
		d.Otherwise.Line = otherwise.Line
		d.Otherwise.Take = p.action(otherwise, "otherwise")
		p.rule = ""
	}

	list := top["rules"]
	switch {
	case list == nil:
		p.note(0, "rules is missing; write rules: [...]")
	case list.Kind != yaml.SequenceNode:
		p.note(list.Line, "rules must be a list of rules")
	case len(list.Content) == 0 && top["otherwise"] == nil:
		p.note(list.Line, "rules is empty and otherwise is missing, so nothing would be decided; write a rule or otherwise")
	case len(list.Content) > maxRules:
		p.note(list.Line, "the document has %d rules; the maximum is %d", len(list.Content), maxRules)
	default:
		for i, node := range list.Content {
			d.Rules = append(d.Rules, p.parseRule(node, i+1))
		}
	}
	return d
}

func (p *parser) parseRule(node *yaml.Node, number int) Rule {
	p.rule = "rule " + strconv.Itoa(number)
	defer func() { p.rule = "" }()
	rule := Rule{Number: number, Line: node.Line}
	fields := p.fields(node, "a rule", ruleFields)
	if node.Kind != yaml.MappingNode {
		return rule
	}

	if name := fields["name"]; name != nil {
		rule.Name = p.text(name, "name")
		if !namePattern.MatchString(rule.Name) || p.names[rule.Name] {
			p.note(name.Line, "name is %.80q; it must be %s", rule.Name, allowedName)
		}
		p.names[rule.Name] = true
	}

	if when := fields["when"]; when != nil {
		rule.When = p.selectors(when)
	} else {
		p.note(node.Line, "when is missing: a rule needs a selector; write what happens to all other rows as otherwise")
	}

	if take := fields["take"]; take != nil {
		rule.Take = p.action(take, "take")
	} else {
		p.note(node.Line, "take is missing; it must be %s", allowedAction)
	}
	return rule
}

// fields returns the members of a mapping by name. what names the mapping and allowed its
// members in messages.
func (p *parser) fields(node *yaml.Node, what, allowed string) map[string]*yaml.Node {
	found := map[string]*yaml.Node{}
	for _, m := range p.members(node, what, allowed) {
		if !slices.Contains(strings.Split(allowed, ", "), m.name) {
			p.note(m.line, "unknown member %.60q of %s; the members are %s", m.name, what, allowed)
			continue
		}
		found[m.name] = m.value
	}
	return found
}

// member is a member of a mapping.
type member struct {
	name  string
	line  int
	value *yaml.Node
}

// members returns the members of a mapping in the order of the document, each name once.
func (p *parser) members(node *yaml.Node, what, allowed string) []member {
	if node.Kind != yaml.MappingNode {
		p.note(node.Line, "%s must be a mapping with the members %s", what, allowed)
		return nil
	}

	var list []member
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			p.note(key.Line, "the name of a member of %s is not a text; the members are %s", what, allowed)
			continue
		case seen[key.Value]:
			p.note(key.Line, "%.60q is given twice; give it once", key.Value)
			continue
		}
		seen[key.Value] = true
		list = append(list, member{key.Value, key.Line, value})
	}
	return list
}

// text returns the text of a scalar. If the node is not a scalar or has an empty text,
// text records a problem and returns "".
func (p *parser) text(node *yaml.Node, what string) string {
	switch {
	case node.Kind != yaml.ScalarNode:
		p.note(node.Line, "%s must be one value, not a list or a mapping", what)
		return ""
	case node.Value == "":
		p.note(node.Line, "%s is empty; give it a value", what)
	}
	return node.Value
}

// texts returns a list of different texts. least is the minimum length of the list.
func (p *parser) texts(node *yaml.Node, what string, least int) []string {
	if node.Kind != yaml.SequenceNode || len(node.Content) < least {
		p.note(node.Line, "%s must be a list of at least %d, such as [a, b]", what, least)
		return nil
	}

	var list []string
	for _, item := range node.Content {
		text := p.text(item, what)
		if slices.Contains(list, text) {
			p.note(item.Line, "%s names %.100q twice; name it once", what, text)
		}
		list = append(list, text)
	}
	return list
}
