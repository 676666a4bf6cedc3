package rules

import (
	"context"
	"fmt"
	"strconv"

	"ace/shared/fault"
	"ace/shared/resolve"
	"ace/shared/table"
)

// Server is a node that evaluates what depends on the types of the table's columns.
type Server interface {
	// CheckWhere returns an error with code Invalid unless where is one boolean
	// expression over the versions of the nodes.
	CheckWhere(ctx context.Context, where string) error
	// CheckOrder returns an error with code Invalid unless the type of a column has an
	// order.
	CheckOrder(ctx context.Context, column string) error
	// CheckKeys returns an error with code Invalid unless the texts of the keys are
	// values of the types of the key.
	CheckKeys(ctx context.Context, keys []table.Key) error

	// Where returns for each case whether the expression is true. False and NULL are not
	// true.
	Where(ctx context.Context, where string, cases []resolve.Case) ([]bool, error)
	// AreIn returns for each key whether it equals one of the keys in list.
	AreIn(ctx context.Context, keys, list []table.Key) ([]bool, error)
	// Extremes returns, for each element of values, the index of its least value by the
	// order of the column's type. If greatest is set, it returns the index of the greatest
	// value. Of equal values, the first counts. Each element has at least one value that is
	// not NULL.
	Extremes(ctx context.Context, column string, greatest bool, values []table.Row) ([]int, error)
}

// Options are the options of a Decider.
type Options struct {
	Table
	Newest resolve.NewestOptions
	Server Server
}

// Decider decides rows by a rules document. It implements resolve.Decider.
type Decider struct {
	document   *Document
	o          Options
	strategies map[ActionKind]resolve.Strategy
	present    resolve.Strategy // newest among the nodes that have the row
}

// NewDecider returns the decider of a document. The error has code Invalid if the
// document refers to nodes or columns that the table does not have, or if the server
// cannot evaluate it.
func NewDecider(ctx context.Context, document *Document, o Options) (*Decider, error) {
	if err := document.Check(o.Table); err != nil {
		return nil, err
	}

	d := &Decider{document: document, o: o, strategies: map[ActionKind]resolve.Strategy{
		Newest: resolve.Newest(o.Nodes, o.Newest), Majority: resolve.Majority(o.Nodes),
		Union: resolve.Union(o.Nodes), FillNulls: resolve.FillNulls(o.Nodes, o.Columns),
	}}
	among := o.Newest
	among.Missing = resolve.MissingInsert
	d.present = resolve.Newest(o.Nodes, among)
	return d, d.checkServer(ctx)
}

// checkServer lets the server check the parts of the document that only it understands.
func (d *Decider) checkServer(ctx context.Context) error {
	for _, rule := range d.document.all() {
		if rule.When.Keys != nil {
			if err := d.o.Server.CheckKeys(ctx, rule.When.Keys); err != nil {
				return rule.fault(err)
			}
		}
		if rule.When.Where != "" {
			if err := d.o.Server.CheckWhere(ctx, rule.When.Where); err != nil {
				return rule.fault(err)
			}
		}
		if err := d.checkOrders(ctx, rule.Take); err != nil {
			return rule.fault(err)
		}
	}
	return nil
}

// checkOrders checks that the types of all columns for which an action takes the least or
// greatest value have an order.
func (d *Decider) checkOrders(ctx context.Context, a Action) error {
	if a.Kind != ByColumn {
		return nil
	}
	for _, name := range d.o.Columns {
		choice := a.choiceOf(name)
		if choice == nil || choice.Kind != Min && choice.Kind != Max {
			continue
		}
		if err := d.o.Server.CheckOrder(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// Needs implements resolve.Decider.
func (d *Decider) Needs() resolve.Needs { return d.document.Needs() }

// Decide implements resolve.Decider. Decision.Rule is the number of the rule. For
// Otherwise, it is the number after that of the last rule. It is 0 if all nodes have the
// same version.
func (d *Decider) Decide(ctx context.Context, cases []resolve.Case) ([]resolve.Decision, error) {
	decisions := make([]resolve.Decision, len(cases))
	var open []int // the cases that are not decided yet, as indexes
	for i, c := range cases {
		if allSame(c) {
			decisions[i] = resolve.Decision{Verdict: resolve.Leave, Reason: "all nodes have the same version"}
			continue
		}
		open = append(open, i)
	}

	for _, rule := range d.document.all() {
		matched, rest, err := d.match(ctx, rule, cases, open)
		if err == nil {
			err = d.act(ctx, rule, cases, matched, decisions)
		}
		if err != nil {
			return nil, rule.fault(err)
		}
		open = rest
	}
	return decisions, nil
}

// act stores the decision of a rule about each of the matched cases.
func (d *Decider) act(ctx context.Context, rule Rule, cases []resolve.Case, matched []int, decisions []resolve.Decision) error {
	if rule.Take.Kind == ByColumn {
		if err := d.compose(ctx, rule.Take, cases, matched, decisions); err != nil {
			return err
		}
	} else {
		for _, i := range matched {
			decisions[i] = d.one(rule, cases[i])
		}
	}
	number := rule.Number
	if number == 0 {
		number = len(d.document.Rules) + 1
	}
	for _, i := range matched {
		decisions[i].Rule = number
	}
	return nil
}

// one returns the decision of a rule whose action is not ByColumn.
func (d *Decider) one(rule Rule, c resolve.Case) resolve.Decision {
	if strategy, ok := d.strategies[rule.Take.Kind]; ok {
		return strategy.One(c)
	}
	switch rule.Take.Kind {
	case OfNode:
		return d.ofNode(rule.Take.Node, c)
	case Delete:
		return resolve.Decision{Verdict: resolve.Absent, Reason: rule.label() + " deletes the row"}
	case Skip:
		return resolve.Decision{Verdict: resolve.Leave, Reason: rule.label() + " skips the row"}
	}
	if rule.Number == 0 {
		return resolve.Decision{Verdict: resolve.Undecided, Reason: "no rule matches"}
	}
	return resolve.Decision{Verdict: resolve.Undecided, Reason: rule.label() + " leaves the row undecided"}
}

// ofNode returns the decision that the version of one node is right.
func (d *Decider) ofNode(node string, c resolve.Case) resolve.Decision {
	at := indexOf(d.o.Nodes, node)
	lacks, somewhere := d.lacking(c)
	switch {
	case somewhere && d.o.Newest.Missing == resolve.MissingSkip:
		return resolve.Decision{Verdict: resolve.Leave, Reason: lacks + " lacks the row, and missing is skip"}
	case c.Versions[at].Present:
		return resolve.Decision{Verdict: resolve.Row, Node: at, Reason: "the version of " + node}
	case d.o.Newest.Missing == resolve.MissingDelete:
		return resolve.Decision{Verdict: resolve.Absent, Reason: node + " lacks the row, and missing is delete"}
	}
	return resolve.Decision{Verdict: resolve.Undecided, Reason: node + " lacks the row; only delete, or missing=delete, deletes rows"}
}

// lacking returns the first node that lacks the row. It returns false if there is none.
func (d *Decider) lacking(c resolve.Case) (node string, found bool) {
	for i, v := range c.Versions {
		if !v.Present {
			return d.o.Nodes[i], true
		}
	}
	return "", false
}

// all returns all rules, the last of which is Otherwise.
func (d *Document) all() []Rule {
	return append(d.Rules[:len(d.Rules):len(d.Rules)], d.Otherwise)
}

// Label returns the text by which results name the rule of a decision: its number and its
// name, or otherwise.
func (d *Document) Label(number int) string {
	if number < 1 || number > len(d.Rules) {
		return "otherwise"
	}
	text := strconv.Itoa(number)
	if name := d.Rules[number-1].Name; name != "" {
		text += " " + name
	}
	return text
}

// label names the rule in messages.
func (r Rule) label() string {
	if r.Number == 0 {
		return "otherwise"
	}
	return "rule " + strconv.Itoa(r.Number)
}

// fault returns an error that also names the rule.
func (r Rule) fault(err error) error {
	at := "rules, " + r.label()
	if r.Line > 0 {
		at = fmt.Sprintf("rules, line %d, %s", r.Line, r.label())
	}
	return fault.Wrap(err, fault.CodeOf(err), "%s: %s", at, fault.PublicMessage(err))
}

// choiceOf returns the choice for a column, or nil if there is none.
func (a Action) choiceOf(column string) *Choice {
	for i := range a.Columns {
		if a.Columns[i].Name == column {
			return &a.Columns[i].Choice
		}
	}
	return a.Default
}

// choosesNewest reports whether the value of some column is that of the newest version.
func (a Action) choosesNewest() bool {
	if a.Default != nil && a.Default.Kind == NewestValue {
		return true
	}
	for _, column := range a.Columns {
		if column.Choice.Kind == NewestValue {
			return true
		}
	}
	return false
}
