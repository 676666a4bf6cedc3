// Package resolve decides which version of a row is right when the nodes of a cluster
// have different versions of it.
//
// A Case holds the versions of one row, one for each node. A Decider returns one decision
// for each case: the row that all nodes should have, that no node should have the row, or
// that the key is left alone. The package reads no database: its caller reads the
// versions, and applies the decisions.
//
// A decision is made once for a key, from the versions of all nodes, and it does not
// depend on the order of the nodes. So every node gets the same row, in whatever order
// the nodes are repaired later.
package resolve

import (
	"context"
	"time"

	"ace/shared/table"
)

// Version is what one node has for a key.
type Version struct {
	// Present is false if the node has no row with the key. The other fields are zero then.
	Present bool
	// Digest is the digest of the compared columns. Versions with the same digest are equal.
	Digest int64
	// Row holds the texts of the columns. It is nil unless the decider needs texts.
	Row table.Row
	// Time is the commit time of the last write. It is zero if it is not known or if the
	// decider does not need times.
	Time time.Time
	// Origin is the replication origin of the last write. It is empty for a transaction of
	// the node itself.
	Origin string
	// Repaired means that the last write was a repair or an undo. Then the values of the row
	// may have been written at any time before Time.
	Repaired bool
}

// Same reports whether two versions are equal. Two absent versions are equal.
func (v Version) Same(o Version) bool {
	return v.Present == o.Present && (!v.Present || v.Digest == o.Digest)
}

// Case holds the versions of one row. Versions has one element for each node, in the
// order of the nodes with which the decider was made.
type Case struct {
	Key      table.Key
	Versions []Version
}

// Verdict is the kind of a decision.
type Verdict uint8

// The verdicts.
const (
	// Undecided means that no version is known to be right. The key is left alone on every
	// node, and is counted and reported.
	Undecided Verdict = iota
	// Leave means that the key is left alone on every node, because all versions are equal
	// or because the rule says so.
	Leave
	// Row means that every node should have one row: that of Decision.Node, or
	// Decision.Row.
	Row
	// Absent means that no node should have a row with the key.
	Absent
)

// Composed is the Node of a decision whose row was put together from several versions.
const Composed = -1

// Decision is what is to be done about one case.
type Decision struct {
	Verdict Verdict
	// Node is the index of a node that has the row, or Composed. It has no meaning unless
	// the verdict is Row.
	Node int
	// Row holds the texts of a composed row. It is nil if a node has the row.
	Row table.Row
	// Rule is the number of the rule that decided, from 1. It is 0 if there are no rules, or
	// if no rule applied.
	Rule int
	// Reason states why this decision was made, for people: a fragment such as "2 of 3
	// nodes have this version".
	Reason string
}

// Needs is what a decider reads of a version, besides Present and Digest.
type Needs struct {
	Texts bool // Version.Row
	Times bool // Version.Time and Version.Origin
}

// Decider decides cases. The result has one decision for each case, in the same order. A
// decider must decide equal cases in the same way.
type Decider interface {
	Decide(ctx context.Context, cases []Case) ([]Decision, error)
	Needs() Needs
}

// Strategy is a decider that decides each case on its own.
type Strategy struct {
	one   func(Case) Decision
	needs Needs
}

// One returns the decision for one case.
func (s Strategy) One(c Case) Decision { return s.one(c) }

// Needs implements Decider.
func (s Strategy) Needs() Needs { return s.needs }

// Decide implements Decider. It never returns an error.
func (s Strategy) Decide(_ context.Context, cases []Case) ([]Decision, error) {
	decisions := make([]Decision, len(cases))
	for i, c := range cases {
		decisions[i] = s.one(c)
	}
	return decisions, nil
}

// undecided returns the decision that leaves a key alone because no version is known to
// be right.
func undecided(reason string) Decision { return Decision{Verdict: Undecided, Reason: reason} }

// leave returns the decision that leaves a key alone on purpose.
func leave(reason string) Decision { return Decision{Verdict: Leave, Reason: reason} }

// allEqual is the reason of a decision about a case whose versions are all equal.
const allEqual = "all nodes have the same version"
