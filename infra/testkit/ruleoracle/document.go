package ruleoracle

import (
	"slices"
	"strconv"
	"time"

	"ace/shared/api"
)

// Table is what a rules document must know about a table and the nodes of a repair. A
// position is an index of Nodes, and of the versions of a key.
type Table struct {
	Nodes   []string
	Order   []int    // positions in the order of the cluster definition
	Columns []string // compared columns in the order of Version.Row, those of the key first
	Key     int      // number of columns of the key
	// Compare compares two values of a column, by the order of its type. It is called for
	// columns with min or max, and not for NULLs.
	Compare func(column, a, b string) int
}

// Document is a rules document. Members of its parts that are zero are absent from it.
type Document struct {
	Rules     []Rule
	Otherwise *Action
}

// Rule is a rule of a document.
type Rule struct {
	Name string
	When When
	Take Action
}

// When has the selectors of a rule.
type When struct {
	Nodes   []int
	Kind    string // different or missing
	On      []int  // only with missing
	Columns []string
	Keys    *Keys
	Written *Written
	Where   *Where
}

// Keys is the selector keys. Has reports whether one of the members is the key of a row,
// whose texts are the key columns of a version.
type Keys struct {
	Members []any
	Has     func(key []string) bool
}

// Written is the selector written.
type Written struct {
	Before, After time.Time
	Origin        *string
	On            []int // all nodes if nil
}

// Where is the selector where. IsTrue reports whether the expression is true, and not
// false or NULL.
type Where struct {
	SQL    string
	IsTrue func(nodes []Version) bool
}

// Action is what happens to a row. How is a strategy, "node", "delete", "skip",
// "undecided", or "columns".
type Action struct {
	How     string
	Node    int               // with node
	Columns map[string]Choice // with columns
	Default *Choice           // with columns
}

// otherwiseLabel is the label of otherwise in the counts of a result.
const otherwiseLabel = "otherwise"

// label returns the label of a rule in the counts of a result.
func (r Rule) label(number int) string {
	label := strconv.Itoa(number)
	if r.Name != "" {
		label += " " + r.Name
	}
	return label
}

// DecideBy returns the ruling of the first rule that matches.
func (o Oracle) DecideBy(d Document, t Table, nodes []Version) Ruling {
	if !Differ(nodes) {
		return Ruling{Kind: Equal}
	}
	for i, rule := range d.Rules {
		if rule.When.matches(t, nodes) {
			ruling := o.take(rule.Take, t, nodes)
			ruling.Rule = rule.label(i + 1)
			return ruling
		}
	}
	ruling := Ruling{Kind: Undecided}
	if d.Otherwise != nil {
		ruling = o.take(*d.Otherwise, t, nodes)
	}
	ruling.Rule = otherwiseLabel
	return ruling
}

// take returns the ruling of an action.
func (o Oracle) take(a Action, t Table, nodes []Version) Ruling {
	switch a.How {
	case "delete":
		return decided(nil)
	case "skip":
		return Ruling{Kind: LeftAlone}
	case "undecided":
		return Ruling{Kind: Undecided}
	case "node":
		return o.node(nodes, a.Node)
	case "columns":
		return o.compose(a, t, nodes)
	}
	return o.strategy(a.How, nodes)
}

func (o Oracle) node(nodes []Version, position int) Ruling {
	row := nodes[position].Row
	switch {
	case o.Missing == api.MissingSkip && slices.ContainsFunc(nodes, isMissing):
		return Ruling{Kind: LeftAlone}
	case row != nil:
		return decided(row)
	case o.Missing == api.MissingDelete:
		return decided(nil)
	}
	return Ruling{Kind: Undecided}
}

// matches reports whether all selectors match.
func (w When) matches(t Table, nodes []Version) bool {
	in := nodes
	if w.Nodes != nil {
		in = at(nodes, w.Nodes)
		if !Differ(in) {
			return false
		}
	}
	return w.kindMatches(in, nodes) && w.columnsMatch(t, in) &&
		(w.Keys == nil || w.Keys.Has(having(nodes)[0].Row[:t.Key])) &&
		(w.Written == nil || w.Written.matches(nodes)) &&
		(w.Where == nil || w.Where.IsTrue(nodes))
}

func (w When) kindMatches(in, nodes []Version) bool {
	lacking, have := slices.ContainsFunc(in, isMissing), len(having(in)) > 0
	switch w.Kind {
	case "different":
		return !lacking && Differ(in)
	case "missing":
		return lacking && have && len(having(at(nodes, w.On))) == 0
	}
	return true
}

func (w When) columnsMatch(t Table, in []Version) bool {
	have := having(in)
	return w.Columns == nil || slices.ContainsFunc(w.Columns, func(column string) bool {
		return len(have) > 1 && !agree(have, slices.Index(t.Columns, column))
	})
}

// agree reports whether all rows have the same text in a column.
func agree(have []Version, column int) bool {
	return !slices.ContainsFunc(have, func(v Version) bool { return v.Row[column] != have[0].Row[column] })
}

// matches reports whether one version satisfies all members.
func (w Written) matches(nodes []Version) bool {
	if w.On != nil {
		nodes = at(nodes, w.On)
	}
	return slices.ContainsFunc(nodes, func(v Version) bool {
		return v.Row != nil && v.Timed &&
			(w.Before.IsZero() || v.Micros < w.Before.UnixMicro()) &&
			(w.After.IsZero() || v.Micros > w.After.UnixMicro()) &&
			(w.Origin == nil || v.Origin == *w.Origin)
	})
}
