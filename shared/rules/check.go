package rules

import (
	"slices"
	"strings"

	"ace/shared/fault"
	"ace/shared/resolve"
)

// Table names what the rules of a document may refer to: the nodes of a repair, in the
// order of the cluster definition, and the columns of its table.
type Table struct {
	Nodes   []string
	Columns []string // the compared columns, in the order of resolve.Version.Row
	Key     []string // the columns of the key, in its order; each is one of Columns
}

// Check returns an error with code Invalid unless the document refers only to nodes and
// columns that the table has. The message has a line for each problem.
func (d *Document) Check(t Table) error {
	c := checker{t: t}
	for _, rule := range d.Rules {
		c.p.rule = rule.label()
		c.selectors(rule)
		c.action(rule.Line, "take", rule.Take)
	}
	c.p.rule = ""
	c.action(d.Otherwise.Line, "otherwise", d.Otherwise.Take)

	if len(c.p.problems) > 0 {
		return fault.New(fault.Invalid, "%s", strings.Join(c.p.problems, "\n"))
	}
	return nil
}

type checker struct {
	t Table
	p parser // records the problems
}

func (c *checker) selectors(rule Rule) {
	when := rule.When
	c.nodes(rule.Line, "when.nodes", when.Nodes...)
	c.nodes(rule.Line, "when.on", when.On...)
	for _, column := range when.Columns {
		c.column(rule.Line, "when.columns", column)
	}
	if len(when.Keys) > 0 && len(when.Keys[0]) != len(c.t.Key) {
		c.p.note(rule.Line, "when.keys has keys of %d values, but the key of the table has %d: %s", len(when.Keys[0]), len(c.t.Key), strings.Join(c.t.Key, ", "))
	}
	if when.Written != nil {
		c.nodes(rule.Line, "when.written.on", when.Written.On...)
	}
}

func (c *checker) action(line int, what string, a Action) {
	if a.Kind == OfNode {
		c.nodes(line, what+".node", a.Node)
	}
	for _, column := range a.Columns {
		at := what + ".columns." + column.Name
		c.column(line, what+".columns", column.Name)
		if slices.Contains(c.t.Key, column.Name) {
			c.p.note(line, "%.200s is a column of the key, which is equal in all versions; leave it out", at)
		}
		c.choice(line, at, column.Choice)
	}
	if a.Default != nil {
		c.choice(line, what+".default", *a.Default)
	}
}

func (c *checker) choice(line int, what string, of Choice) {
	if of.Kind == ValueOfNode {
		c.nodes(line, what+".node", of.Node)
	}
}

func (c *checker) nodes(line int, what string, names ...string) {
	for _, name := range names {
		if !slices.Contains(c.t.Nodes, name) {
			c.p.note(line, "%.200s names %.100q; the nodes of this repair are %s", what, name, strings.Join(c.t.Nodes, ", "))
		}
	}
}

func (c *checker) column(line int, what, name string) {
	if !slices.Contains(c.t.Columns, name) {
		c.p.note(line, "%s names %.100q; the compared columns are %s", what, name, fault.Short(strings.Join(c.t.Columns, ", ")))
	}
}

// Needs returns what the decider of the document reads of each version.
func (d *Document) Needs() (needs resolve.Needs) {
	for _, rule := range d.all() {
		take := rule.Take
		if rule.When.Written != nil || take.Kind == Newest || take.choosesNewest() {
			needs.Times = true
		}
		if len(rule.When.Columns) > 0 || rule.When.Where != "" || take.Composes() {
			needs.Texts = true
		}
	}
	return needs
}

// Composes reports whether an action may put a row together from several versions.
func (a Action) Composes() bool { return a.Kind == ByColumn || a.Kind == FillNulls }

// Composes reports whether a rule of the document may put a row together from several
// versions.
func (d *Document) Composes() bool {
	return slices.ContainsFunc(d.all(), func(rule Rule) bool { return rule.Take.Composes() })
}
