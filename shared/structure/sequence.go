package structure

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"ace/shared/finding"
	"ace/shared/structure/catalog"
	"ace/shared/structure/ddl"
)

// sequence is the state of one sequence on the nodes that have it. The keys of the maps
// are the names of nodes.
type sequence struct {
	id        catalog.ID
	nodes     []string // the nodes that have the sequence, in the order of comparison.nodes
	states    map[string]catalog.SequenceState
	increment map[string]int64
	bounds    map[string]bounds
}

// bounds are the smallest and the largest value that a sequence can return (MINVALUE and
// MAXVALUE).
type bounds struct{ minimum, maximum int64 }

func (b bounds) contain(value int64) bool { return b.minimum <= value && value <= b.maximum }

// compareSequenceValues adds a finding for each sequence that is behind on a node: the
// sequence will return a value that exists already in a column which it serves, or that
// another node has returned or stored. Logical replication before PostgreSQL 19 does not
// replicate sequences, so the first INSERT after a failover would fail or repeat a key.
// There is also a finding if the role may not read the value.
func (c *comparison) compareSequenceValues() {
	for _, id := range slices.SortedFunc(maps.Keys(c.sequences), catalog.ID.Compare) {
		if s := c.sequences[id]; !c.repeatsByDesign(s) {
			c.compareValues(s)
		}
	}
}

// collectSequences fills c.sequences with the states of all sequences on all nodes.
func (c *comparison) collectSequences() {
	for _, node := range c.nodes {
		for _, state := range c.catalogs[node].Sequences {
			id := catalog.ID{Kind: catalog.Sequence, Schema: state.Schema, Name: state.Name}
			if c.sequences[id] == nil {
				c.sequences[id] = &sequence{id, nil, map[string]catalog.SequenceState{}, map[string]int64{}, map[string]bounds{}}
			}
			c.sequences[id].add(node, state, c.objects[id][node])
		}
	}
}

// continueAfter returns the statement that sets the sequence id to continue after the
// values that exist already. It is for a node on which the sequence has just been created
// with the definition from node. continueAfter returns nil if the existing values are
// unknown, if the nodes interleave their values (see groups), or if the sequence repeats
// values on purpose (see repeatsByDesign).
func (c *comparison) continueAfter(id catalog.ID, node string) []string {
	s := c.sequences[id]
	if s == nil || c.repeatsByDesign(s) || len(s.groups()) != 1 {
		return nil
	}
	value, known := s.furthest(node, s.nodes, false)
	if !known {
		return nil
	}
	return ddl.SetValue(id, value, s.increment[node] < 0)
}

func (s *sequence) add(node string, state catalog.SequenceState, definition catalog.Object) {
	number := func(property catalog.Property, otherwise int64) int64 {
		n, err := strconv.ParseInt(definition.Get(property), 10, 64)
		if err != nil {
			return otherwise
		}
		return n
	}
	s.nodes = append(s.nodes, node)
	s.states[node] = state
	s.increment[node] = number(catalog.Increment, 1)
	s.bounds[node] = bounds{number(catalog.Minimum, math.MinInt64), number(catalog.Maximum, math.MaxInt64)}
}

// repeatsByDesign reports whether the values of a sequence may repeat on purpose, so that
// they cannot be compared. This is so if, on some node, the sequence cycles or a column's
// default calls a function that derives other values from it, such as snowflake.nextval.
func (c *comparison) repeatsByDesign(s *sequence) bool {
	return slices.ContainsFunc(s.nodes, func(node string) bool {
		return s.states[node].Derived || c.objects[s.id][node].Get(catalog.Cycle) == "true"
	})
}

// compareValues adds the findings about the values of one sequence.
func (c *comparison) compareValues(s *sequence) {
	f := finding.Finding{
		Kind: string(catalog.Sequence), Object: s.id.String(), Rank: finding.Drifts, Nodes: map[string]string{}, Fix: map[string]string{},
	}
	for _, node := range s.nodes {
		f.Nodes[node] = s.describe(s.states[node], s.increment[node] < 0)
	}

	var reasons []string
	groups := s.groups()
	for _, group := range groups {
		for _, node := range group {
			reason, fix := s.lag(node, group, len(groups) > 1)
			if reason != "" {
				reasons = append(reasons, node+": "+reason)
				addFix(&f, node, fix)
			}
		}
	}

	if len(reasons) > 0 {
		f.Detail = "the value is behind: " + strings.Join(reasons, "; ")
		c.add(f)
		return
	}
	c.addUnknown(s, len(groups) > 1)
}

// groups divides the nodes into groups. Only nodes of the same group can return the same
// values. There are several groups if the nodes interleave their values: the increments
// are equal and not 1 or -1, and the difference between the last values is not a multiple
// of the increment. groups returns nil if it cannot decide this, because a last value is
// unknown.
func (s *sequence) groups() [][]string {
	step := s.increment[s.nodes[0]]
	if step == 1 || step == -1 || step == 0 || slices.ContainsFunc(s.nodes, func(node string) bool { return s.increment[node] != step }) {
		return [][]string{s.nodes}
	}

	indexes := map[int64]int{} // the index of each group, by the remainder of its values
	var groups [][]string
	for _, node := range s.nodes {
		value := s.states[node].LastValue
		if value == nil {
			return nil
		}
		remainder := ((*value % step) + step) % step
		if _, known := indexes[remainder]; !known {
			indexes[remainder] = len(groups)
			groups = append(groups, nil)
		}
		groups[indexes[remainder]] = append(groups[indexes[remainder]], node)
	}
	return groups
}

// furthest returns the value after which the sequence of one node (of) must continue: the
// largest value, or the smallest of a descending sequence, that the nodes of its group
// have returned or stored. It ignores values outside the bounds of the sequence, which
// the sequence never returns. If interleaved is true (see groups), it ignores the values
// of columns, because rows with values of another group may have been replicated. known
// is false if no value is left.
func (s *sequence) furthest(of string, group []string, interleaved bool) (value int64, known bool) {
	consider := func(v int64) {
		if s.bounds[of].contain(v) && (!known || further(v, value, s.increment[of] < 0)) {
			value, known = v, true
		}
	}
	for _, node := range group {
		state := s.states[node]
		if state.LastValue != nil && state.IsCalled {
			consider(*state.LastValue)
		}
		for _, column := range state.Columns {
			if column.Furthest != nil && !interleaved {
				consider(*column.Furthest)
			}
		}
	}
	return value, known
}

func further(a, b int64, descending bool) bool {
	if descending {
		return a < b
	}
	return a > b
}

// lag returns why the sequence of a node is behind the values of its group, and the
// statement that sets the sequence after these values. If the sequence will repeat none
// of them, the reason is "".
func (s *sequence) lag(node string, group []string, interleaved bool) (reason string, fix []string) {
	state, descending := s.states[node], s.increment[node] < 0
	wanted, known := s.furthest(node, group, interleaved)
	if !known || state.LastValue == nil || !willRepeat(state, wanted, descending) {
		return "", nil
	}

	fix = ddl.SetValue(s.id, wanted, descending)
	for _, column := range state.Columns {
		if value := column.Furthest; value != nil && !interleaved && s.bounds[node].contain(*value) && willRepeat(state, *value, descending) {
			return fmt.Sprintf("%s has the value %d already, so an INSERT fails or repeats a value", columnName(column), *value), fix
		}
	}
	return fmt.Sprintf("%d was returned or stored on another node", wanted), fix
}

// willRepeat reports whether a value is still ahead of the sequence, so that the sequence
// may return the value.
func willRepeat(state catalog.SequenceState, value int64, descending bool) bool {
	if state.IsCalled {
		return further(value, *state.LastValue, descending)
	}
	return !further(*state.LastValue, value, descending)
}

func columnName(column catalog.ServedColumn) string {
	return catalog.ID{Kind: catalog.Column, Schema: column.Schema, Relation: column.Table, Name: column.Name}.String()
}

// describe returns what a finding shows of the sequence on a node. This is its last
// value, and the largest (or smallest) value of each column that it serves. If the role
// may not read a value, it is the reason.
func (s *sequence) describe(state catalog.SequenceState, descending bool) string {
	var parts []string
	switch {
	case state.LastValue == nil:
		parts = append(parts, "unknown: "+state.Unknown)
	case state.IsCalled:
		parts = append(parts, "last value "+strconv.FormatInt(*state.LastValue, 10))
	default:
		parts = append(parts, "not used, next value "+strconv.FormatInt(*state.LastValue, 10))
	}
	which := "largest"
	if descending {
		which = "smallest"
	}
	for _, column := range state.Columns {
		switch {
		case column.Furthest != nil:
			parts = append(parts, fmt.Sprintf("%s %s %d", which, columnName(column), *column.Furthest))
		case column.Denied:
			parts = append(parts, fmt.Sprintf("%s %s unknown: %s", which, columnName(column), column.Unknown))
		}
	}
	return strings.Join(parts, ", ")
}

// unknownRemedy is what the role needs to read the values of sequences and columns.
const unknownRemedy = "grant the role USAGE on the schema and SELECT on the sequence and on the columns that it serves, " +
	"and BYPASSRLS if row security hides rows"

// addUnknown adds a finding if the role may not read, on a node, the value of a sequence
// or of a column that it serves: the sequence may be behind there. If interleaved is
// true, addUnknown ignores the columns, as furthest does.
func (c *comparison) addUnknown(s *sequence, interleaved bool) {
	f := finding.Finding{Kind: string(catalog.Sequence), Object: s.id.String(), Rank: finding.Differs, Nodes: map[string]string{}}
	var unread []string
	for _, node := range s.nodes {
		state := s.states[node]
		f.Nodes[node] = s.describe(state, s.increment[node] < 0)
		isDenied := slices.ContainsFunc(state.Columns, func(column catalog.ServedColumn) bool { return column.Denied })
		if state.LastValue == nil || isDenied && !interleaved {
			unread = append(unread, node)
		}
	}
	if len(unread) > 0 {
		f.Detail = "value unknown on " + list(unread) + ": the sequence may be behind; " + unknownRemedy
		c.add(f)
	}
}
