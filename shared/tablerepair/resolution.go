package tablerepair

import (
	"fmt"
	"slices"
	"time"

	"ace/shared/resolve"
	"ace/shared/table"
)

// The strategies of a repair by rule.
const (
	Newest    = "newest"
	Majority  = "majority"
	Union     = "union"
	FillNulls = "fill_nulls"
	Rules     = "rules"
)

// Rule asks for a repair by rule: for each key, the rule decides which version every node
// gets.
type Rule struct {
	Strategy string
	Document string // the text of the rules document, only for Rules
	// The other fields are only for Newest and Rules. TieBreaker is the name of the node
	// whose version is right if it is one of several that may be the newest; empty if
	// there is none.
	Missing    resolve.Missing
	Skew       time.Duration // how much clocks may differ
	TieBreaker string
}

// Resolution is the part of a plan that a repair by rule has in addition.
type Resolution struct {
	Strategy   string          `json:"strategy"`
	Missing    resolve.Missing `json:"missing,omitempty"`
	TieBreaker string          `json:"tie_breaker,omitempty"`
	// Document is the text of the rules document, and Evaluation describes how the first
	// voter evaluates its expressions. Both are only for Rules.
	Document   string            `json:"document,omitempty"`
	Evaluation *table.Evaluation `json:"evaluation,omitempty"`
	// ComparesTimes means that the rule may compare commit times, Composes that it may
	// put a row together from several versions.
	ComparesTimes bool `json:"compares_times,omitempty"`
	Composes      bool `json:"composes,omitempty"`
	// Skew is the larger of the requested skew and the measured difference of the clocks.
	Skew time.Duration `json:"skew,omitempty"`
	// Voters are all nodes of the document, in cluster order. Their versions are
	// compared.
	Voters []Voter `json:"voters"`
	// Keys are the keys of the document for any pair of nodes. Each target has the same.
	Keys Keys `json:"keys"`
	// Columns are the names of the compared columns, in the order of all rows.
	Columns []string `json:"columns"`
}

// Voter is a node whose versions are compared.
type Voter struct {
	Node   string         `json:"node"`
	Server table.Identity `json:"server,omitzero"`
	// Read describes how the node's table is read. Its Digest is the digest of the
	// compared columns, which is the same on every node for equal rows.
	Read  table.Source `json:"read"`
	Small bool         `json:"small,omitempty"` // the table is small enough to be scanned, see absent.go
	// Clock is how far the node's clock was ahead of that of the service.
	Clock time.Duration `json:"clock,omitempty"`
}

// byRule reports whether the plan belongs to a repair by rule.
func (p *Plan) byRule() bool { return p.Resolve != nil }

// reads reports whether the repair of a target reads the rows of this node.
func (p *Plan) reads(node string) bool {
	return node == p.Source || p.byRule() && p.Resolve.voter(node) >= 0
}

// voter returns the index of a node among the voters, or -1.
func (r *Resolution) voter(node string) int {
	return slices.IndexFunc(r.Voters, func(v Voter) bool { return v.Node == node })
}

func (r *Resolution) names() []string {
	names := make([]string, len(r.Voters))
	for i, v := range r.Voters {
		names[i] = v.Node
	}
	return names
}

// clock is what a node's clock shows, relative to that of this host.
type clock struct {
	node     string
	ahead    time.Duration
	accuracy time.Duration // the true value differs from ahead by at most this
}

// raiseSkew raises the allowed skew to the difference that the clocks of two nodes may
// have, and returns a warning that states it, or "". The difference is rounded up to
// microseconds, the resolution of commit times.
func (r *Resolution) raiseSkew(clocks []clock) (warning string) {
	allowed := r.Skew
	for _, a := range clocks {
		for _, b := range clocks {
			apart := a.ahead + a.accuracy - (b.ahead - b.accuracy)
			if a.node == b.node || apart <= r.Skew {
				continue
			}
			r.Skew = (apart + time.Microsecond - 1).Truncate(time.Microsecond)
			warning = fmt.Sprintf("the clock of node %s may be %s ahead of that of node %s, which is more than max_clock_skew (%s): versions whose commit times are closer than that are undecided",
				a.node, r.Skew, b.node, allowed)
		}
	}
	return warning
}
