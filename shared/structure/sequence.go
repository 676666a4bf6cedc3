package structure

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ace/shared/finding"
	"ace/shared/structure/catalog"
	"ace/shared/structure/ddl"
)

// sequence is the state of one sequence on the nodes that have it.
type sequence struct {
	id        catalog.ID
	states    map[string]catalog.SequenceState // by the name of the node
	increment map[string]int64
}

// compareSequenceValues adds a finding for each sequence that is behind: its next value
// exists already in a column that it serves, or another node has returned it already.
// Logical replication does not replicate sequences before PostgreSQL 19, so that the
// first INSERT after a failover fails or repeats a key.
func (c *comparison) compareSequenceValues() {
	sequences := map[catalog.ID]*sequence{}
	for _, node := range c.nodes {
		for _, state := range c.catalogs[node].Sequences {
			id := catalog.ID{Kind: catalog.Sequence, Schema: state.Schema, Name: state.Name}
			if sequences[id] == nil {
				sequences[id] = &sequence{id, map[string]catalog.SequenceState{}, map[string]int64{}}
			}
			sequences[id].states[node] = state
			increment, err := strconv.ParseInt(c.objects[id][node].Get(catalog.Increment), 10, 64)
			if err == nil {
				sequences[id].increment[node] = increment
			}
		}
	}

	for _, id := range slices.SortedFunc(maps.Keys(sequences), catalog.ID.Compare) {
		c.compareValues(sequences[id])
	}
}

// compareValues adds the findings about the values of one sequence.
func (c *comparison) compareValues(s *sequence) {
	if s.interleaved(c.nodes) {
		return
	}
	descending := s.increment[c.firstNode(s)] < 0
	wanted, known := s.furthest(descending)
	if !known {
		c.addUnknown(s)
		return
	}

	f := finding.Finding{
		Kind: string(catalog.Sequence), Object: s.id.String(), Rank: finding.Drifts, Nodes: map[string]string{}, Fix: map[string]string{},
	}
	var reasons []string
	for _, node := range c.nodes {
		state, has := s.states[node]
		if !has {
			continue
		}
		f.Nodes[node] = s.describe(state, descending)
		if reason := s.lagReason(node, descending, wanted); reason != "" {
			reasons = append(reasons, node+": "+reason)
			addFix(&f, node, ddl.SetValue(s.id, wanted))
		}
	}

	if len(reasons) > 0 {
		f.Detail = "the value is behind: " + strings.Join(reasons, "; ")
		c.add(f)
		return
	}
	c.addUnknown(s)
}

func (c *comparison) firstNode(s *sequence) string {
	for _, node := range c.nodes {
		if _, has := s.states[node]; has {
			return node
		}
	}
	return ""
}

// interleaved reports whether the nodes return different values by design: their
// increments are equal and not 1, and their values differ by no multiple of it.
func (s *sequence) interleaved(nodes []string) bool {
	remainders := map[int64]bool{}
	for _, node := range nodes {
		state, has := s.states[node]
		step := s.increment[node]
		if !has {
			continue
		}
		if step == 1 || step == -1 || step == 0 || state.LastValue == nil {
			return false
		}
		remainders[((*state.LastValue%step)+step)%step] = true
	}
	return len(remainders) > 1
}

// furthest returns the value which no sequence may return again: the furthest of all
// values that the nodes have returned or stored.
func (s *sequence) furthest(descending bool) (value int64, known bool) {
	consider := func(v int64) {
		if !known || further(v, value, descending) {
			value, known = v, true
		}
	}
	for _, state := range s.states {
		if state.LastValue != nil && state.IsCalled {
			consider(*state.LastValue)
		}
		for _, column := range state.Columns {
			if column.Furthest != nil {
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

// lagReason returns why the sequence of a node is behind, or "".
func (s *sequence) lagReason(node string, descending bool, wanted int64) string {
	state := s.states[node]
	if state.LastValue == nil || !willRepeat(state, wanted, descending) {
		return ""
	}

	for _, column := range state.Columns {
		if column.Furthest != nil && willRepeat(state, *column.Furthest, descending) {
			return fmt.Sprintf("%s has the value %d already, so an INSERT fails or repeats a value", columnName(column), *column.Furthest)
		}
	}
	return fmt.Sprintf("%d was returned or stored on another node", wanted)
}

// willRepeat reports whether the sequence has yet to pass a value.
func willRepeat(state catalog.SequenceState, value int64, descending bool) bool {
	if state.IsCalled {
		return further(value, *state.LastValue, descending)
	}
	return !further(*state.LastValue, value, descending)
}

func columnName(column catalog.ServedColumn) string {
	return catalog.ID{Kind: catalog.Column, Schema: column.Schema, Relation: column.Table, Name: column.Name}.String()
}

// describe returns what a node has.
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
		if column.Furthest != nil {
			parts = append(parts, fmt.Sprintf("%s %s %d", which, columnName(column), *column.Furthest))
		}
	}
	return strings.Join(parts, ", ")
}

// addUnknown adds a finding for a sequence whose value could not be read on a node, so
// that it may be behind.
func (c *comparison) addUnknown(s *sequence) {
	f := finding.Finding{Kind: string(catalog.Sequence), Object: s.id.String(), Rank: finding.Differs, Nodes: map[string]string{}}
	var unread []string
	for _, node := range c.nodes {
		state, has := s.states[node]
		if !has {
			continue
		}
		f.Nodes[node] = s.describe(state, false)
		if state.LastValue == nil {
			unread = append(unread, node)
		}
	}
	if len(unread) > 0 {
		f.Detail = "value unknown on " + list(unread) + ": the sequence may be behind; grant SELECT on the sequence"
		c.add(f)
	}
}
