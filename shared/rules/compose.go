package rules

import (
	"context"
	"fmt"
	"slices"

	"ace/shared/resolve"
	"ace/shared/table"
)

// composition is a row that is put together from the versions of one case.
type composition struct {
	of       resolve.Case
	row      table.Row
	extremes map[int]bool // columns whose value is the least or, if true, the greatest
	refused  string       // why the row is undecided; empty if it is decided
}

// compose stores the decision of an action ByColumn about each of the matched cases.
func (d *Decider) compose(ctx context.Context, a Action, cases []resolve.Case, matched []int, decisions []resolve.Decision) error {
	compositions := map[int]*composition{}
	for _, i := range matched {
		lacks, somewhere := d.lacking(cases[i])
		switch {
		case somewhere && d.o.Newest.Missing == resolve.MissingSkip:
			decisions[i] = resolve.Decision{Verdict: resolve.Leave, Reason: lacks + " lacks the row, and missing is skip"}
		case somewhere && d.o.Newest.Missing == resolve.MissingDelete:
			decisions[i] = resolve.Decision{Verdict: resolve.Absent, Reason: lacks + " lacks the row, and missing is delete"}
		default:
			compositions[i] = d.begin(a, cases[i])
		}
	}

	if err := d.chooseExtremes(ctx, matched, compositions); err != nil {
		return err
	}
	for i, c := range compositions {
		decisions[i] = c.decision()
	}
	return nil
}

// begin chooses the values of all columns that need no server.
func (d *Decider) begin(a Action, of resolve.Case) *composition {
	c := &composition{of: of, row: make(table.Row, len(d.o.Columns)), extremes: map[int]bool{}}
	for at, name := range d.o.Columns {
		values := c.values(at)
		if first := slices.IndexFunc(of.Versions, isPresent); !differ(of, values) {
			c.row[at] = values[first]
			continue
		}

		choice := a.choiceOf(name)
		if choice == nil {
			c.refused = fmt.Sprintf("column %q differs, and the rule has no choice for it", name)
			return c
		}
		if why := d.choose(c, at, *choice, values); why != "" {
			c.refused = fmt.Sprintf("column %q: %s", name, why)
			return c
		}
	}
	return c
}

// choose chooses the value of one column, or returns why there is none. A value that only
// the server can choose is recorded in c.extremes.
func (d *Decider) choose(c *composition, at int, choice Choice, values table.Row) (refused string) {
	switch choice.Kind {
	case ValueOfNode:
		node := indexOf(d.o.Nodes, choice.Node)
		if !c.of.Versions[node].Present {
			return choice.Node + " lacks the row"
		}
		c.row[at] = values[node]
	case NewestValue:
		newest := d.present.One(c.of)
		if newest.Verdict != resolve.Row {
			return newest.Reason
		}
		c.row[at] = values[newest.Node]
	default:
		some := distinct(values)
		switch {
		case len(some) == 1: // the only value that is not NULL
			c.row[at] = some[0]
		case choice.Kind == NonNull:
			return "the values that are not NULL differ"
		default:
			c.extremes[at] = choice.Kind == Max
		}
	}
	return ""
}

// chooseExtremes chooses the least and greatest values, by one call of the server for
// each column, direction and perStatement rows.
func (d *Decider) chooseExtremes(ctx context.Context, order []int, compositions map[int]*composition) error {
	for at, name := range d.o.Columns {
		for _, greatest := range []bool{false, true} {
			var of []*composition
			for _, i := range order {
				c := compositions[i]
				if c == nil || c.refused != "" {
					continue
				}
				if g, asked := c.extremes[at]; asked && g == greatest {
					of = append(of, c)
				}
			}
			if err := d.chooseExtreme(ctx, name, greatest, of); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Decider) chooseExtreme(ctx context.Context, column string, greatest bool, of []*composition) error {
	at := indexOf(d.o.Columns, column)
	for batch := range slices.Chunk(of, perStatement) {
		values := make([]table.Row, len(batch))
		for i, c := range batch {
			values[i] = c.values(at)
		}
		chosen, err := d.o.Server.Extremes(ctx, column, greatest, values)
		if err != nil {
			return err
		}
		for i, c := range batch {
			c.row[at] = values[i][chosen[i]]
		}
	}
	return nil
}

// values returns the values of a column, one for each node. The value of a node that
// lacks the row is nil.
func (c *composition) values(at int) table.Row {
	values := make(table.Row, len(c.of.Versions))
	for node, v := range c.of.Versions {
		if v.Present {
			values[node] = v.Row[at]
		}
	}
	return values
}

// decision returns the decision that every node should have the row, or that the row is
// undecided. If a node has the row already, the decision names that node.
func (c *composition) decision() resolve.Decision {
	if c.refused != "" {
		return resolve.Decision{Verdict: resolve.Undecided, Reason: c.refused}
	}
	const reason = "put together column by column"
	for node, v := range c.of.Versions {
		if v.Present && v.Row.Equal(c.row) {
			return resolve.Decision{Verdict: resolve.Row, Node: node, Reason: reason}
		}
	}
	return resolve.Decision{Verdict: resolve.Row, Node: resolve.Composed, Row: c.row, Reason: reason}
}

func isPresent(v resolve.Version) bool { return v.Present }

// differ reports whether two nodes that have the row have different values. values has
// the value of each node.
func differ(of resolve.Case, values table.Row) bool {
	first := slices.IndexFunc(of.Versions, isPresent)
	for node, v := range of.Versions {
		if v.Present && !table.SameValue(values[node], values[first]) {
			return true
		}
	}
	return false
}

// distinct returns the different values that are not NULL.
func distinct(values table.Row) table.Row {
	var list table.Row
	for _, value := range values {
		if value != nil && !slices.ContainsFunc(list, func(o *string) bool { return *o == *value }) {
			list = append(list, value)
		}
	}
	return list
}
