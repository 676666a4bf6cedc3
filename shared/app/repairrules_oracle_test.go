//go:build !unit

package app_test

import (
	"slices"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// heldRow is what a node has for a key. A nil row means that the node lacks it. All
// values are texts, with pgtest.Null for NULL.
type heldRow struct {
	row    []string
	micros int64 // of the commit of its last write
	timed  bool  // whether the server knows the commit time
}

// ruling is what a rule says about a key.
type ruling struct {
	kind   string // equal, decided, undecided or left alone
	winner []string
}

const (
	equalKey     = "equal"
	decidedKey   = "decided"
	undecidedKey = "undecided"
	skippedKey   = "left alone"
)

// ruleOracle decides by docs/RULES.md alone. It shares no code with the service.
type ruleOracle struct {
	resolve, missing string
	skew             int64 // microseconds
	tieBreaker       int   // index of the node, or -1
}

// decide returns the ruling for the versions of all nodes of a document.
func (o ruleOracle) decide(nodes []heldRow) ruling {
	if !slices.ContainsFunc(nodes, func(n heldRow) bool { return !sameVersion(n.row, nodes[0].row) }) {
		return ruling{kind: equalKey}
	}
	switch o.resolve {
	case api.ResolveNewest:
		return o.newest(nodes)
	case api.ResolveMajority:
		return majorityOf(nodes)
	case api.ResolveUnion:
		return unionOf(nodes)
	default:
		return filled(nodes)
	}
}

// sameVersion reports whether two rows have the same texts, or are both missing.
func sameVersion(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

func (o ruleOracle) newest(nodes []heldRow) ruling {
	if slices.ContainsFunc(nodes, func(n heldRow) bool { return n.row == nil }) {
		switch o.missing {
		case api.MissingDelete:
			return ruling{kind: decidedKey}
		case api.MissingSkip:
			return ruling{kind: skippedKey}
		}
	}

	var newest [][]string // the versions that may be the newest
	for _, n := range nodes {
		if n.row != nil && o.mayBeNewest(n.row, nodes) && !slices.ContainsFunc(newest, func(v []string) bool { return slices.Equal(v, n.row) }) {
			newest = append(newest, n.row)
		}
	}
	if len(newest) == 1 {
		return ruling{decidedKey, newest[0]}
	}
	if o.tieBreaker >= 0 && nodes[o.tieBreaker].row != nil && o.mayBeNewest(nodes[o.tieBreaker].row, nodes) {
		return ruling{decidedKey, nodes[o.tieBreaker].row}
	}
	return ruling{kind: undecidedKey}
}

// mayBeNewest reports whether no other version is known to be newer than this one.
func (o ruleOracle) mayBeNewest(row []string, nodes []heldRow) bool {
	latest, known := latestOf(row, nodes)
	if !known {
		return true
	}
	for _, n := range nodes {
		if n.row == nil || slices.Equal(n.row, row) {
			continue
		}
		other, _ := latestOf(n.row, nodes) // what is not known can only be later
		if other > latest && other-latest >= o.skew {
			return false
		}
	}
	return true
}

// latestOf returns the latest of the commit times of a version that are known, or 0, and
// whether all of them are known.
func latestOf(row []string, nodes []heldRow) (micros int64, known bool) {
	known = true
	for _, n := range nodes {
		if n.row != nil && slices.Equal(n.row, row) {
			micros = max(micros, n.micros)
			known = known && n.timed
		}
	}
	return micros, known
}

func majorityOf(nodes []heldRow) ruling {
	for _, n := range nodes {
		votes := 0
		for _, other := range nodes {
			if sameVersion(n.row, other.row) {
				votes++
			}
		}
		if 2*votes > len(nodes) {
			return ruling{decidedKey, n.row}
		}
	}
	return ruling{kind: undecidedKey}
}

func unionOf(nodes []heldRow) ruling {
	var only []string
	for _, n := range nodes {
		if n.row != nil && only != nil && !slices.Equal(n.row, only) {
			return ruling{kind: undecidedKey}
		}
		if n.row != nil {
			only = n.row
		}
	}
	return ruling{decidedKey, only}
}

func filled(nodes []heldRow) ruling {
	if slices.ContainsFunc(nodes, func(n heldRow) bool { return n.row == nil }) {
		return ruling{kind: undecidedKey}
	}
	winner := slices.Clone(nodes[0].row)
	for _, n := range nodes {
		for i, value := range n.row {
			switch {
			case value == pgtest.Null || value == winner[i]:
			case winner[i] == pgtest.Null:
				winner[i] = value
			default:
				return ruling{kind: undecidedKey}
			}
		}
	}
	return ruling{decidedKey, winner}
}
