// Package ruleoracle decides which version of a row wins a repair by rule, for tests. It
// is written from docs/RULES.md alone and shares no code with the service, so that the
// two can be compared. The package also draws random rules documents.
//
// The package reads nothing: a test passes what every node has for a key.
package ruleoracle

import (
	"slices"

	"ace/shared/api"
)

// Null is the text that stands for NULL in a row. Package pgtest has the same.
const Null = "<NULL>"

// Version is what a node has for a key. The zero Version means that the node lacks the
// row.
type Version struct {
	Row    []string // texts of the columns, those of the key first; nil if the node lacks the row
	Micros int64    // commit time of the last write, in microseconds
	Timed  bool     // whether the server knows the commit time
	Origin string   // name of the replication origin of the last write, "" for the node itself
	// Copied states that a repair or undo wrote the row. The original is as old or older.
	Copied bool
}

// Kind is the kind of a ruling.
type Kind string

// The kinds of rulings.
const (
	Equal     Kind = "equal"      // all nodes have the same version
	Decided   Kind = "decided"    // one version wins
	Undecided Kind = "undecided"  // nothing changes, and the key is counted
	LeftAlone Kind = "left alone" // nothing changes, and the key is not counted
)

// Ruling is what a strategy or a rules document states about a key. Winner is nil if no
// row wins: then the row is deleted wherever it exists.
type Ruling struct {
	Kind   Kind
	Winner []string
	Rule   string // of a rules document: the rule's label in the counts of a result
}

func decided(winner []string) Ruling { return Ruling{Kind: Decided, Winner: winner} }

// Same reports whether two rows have the same texts, or are both missing.
func Same(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// Differ reports whether two of the nodes have different versions.
func Differ(nodes []Version) bool {
	return slices.ContainsFunc(nodes, func(v Version) bool { return !Same(v.Row, nodes[0].Row) })
}

func isMissing(v Version) bool { return v.Row == nil }

// having returns the nodes that have the row.
func having(nodes []Version) []Version { return slices.DeleteFunc(slices.Clone(nodes), isMissing) }

// at returns the versions of some nodes.
func at(nodes []Version, positions []int) []Version {
	picked := make([]Version, 0, len(positions))
	for _, position := range positions {
		picked = append(picked, nodes[position])
	}
	return picked
}

// Oracle has the parameters of a repair that decide besides the strategy.
type Oracle struct {
	Missing    string // api.MissingInsert if empty
	Skew       int64  // max_clock_skew, in microseconds
	TieBreaker int    // index of source_of_truth, or -1
}

// Decide returns the ruling of newest, majority, union or fill_nulls about the versions
// of all nodes.
func (o Oracle) Decide(strategy string, nodes []Version) Ruling {
	if !Differ(nodes) {
		return Ruling{Kind: Equal}
	}
	return o.strategy(strategy, nodes)
}

func (o Oracle) strategy(name string, nodes []Version) Ruling {
	switch name {
	case api.ResolveNewest:
		return o.newest(nodes)
	case api.ResolveMajority:
		return majority(nodes)
	case api.ResolveUnion:
		return union(nodes)
	case api.ResolveFillNulls:
		return fillNulls(nodes)
	}
	panic("ruleoracle: unknown strategy " + name)
}

// absence returns what the parameter missing states about a key that some node lacks, if
// it states anything.
func (o Oracle) absence(nodes []Version) (r Ruling, ok bool) {
	if !slices.ContainsFunc(nodes, isMissing) {
		return r, false
	}
	switch o.Missing {
	case api.MissingDelete:
		return decided(nil), true
	case api.MissingSkip:
		return Ruling{Kind: LeftAlone}, true
	}
	return r, false
}

func majority(nodes []Version) Ruling {
	for _, n := range nodes {
		votes := 0
		for _, other := range nodes {
			if Same(n.Row, other.Row) {
				votes++
			}
		}
		if 2*votes > len(nodes) {
			return decided(n.Row)
		}
	}
	return Ruling{Kind: Undecided}
}

func union(nodes []Version) Ruling {
	have := having(nodes)
	if Differ(have) {
		return Ruling{Kind: Undecided}
	}
	return decided(have[0].Row)
}

func fillNulls(nodes []Version) Ruling {
	if slices.ContainsFunc(nodes, isMissing) {
		return Ruling{Kind: Undecided}
	}
	winner := slices.Clone(nodes[0].Row)
	for _, n := range nodes {
		for i, value := range n.Row {
			switch {
			case value == Null || value == winner[i]:
			case winner[i] == Null:
				winner[i] = value
			default:
				return Ruling{Kind: Undecided}
			}
		}
	}
	return decided(winner)
}
