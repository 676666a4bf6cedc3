package resolve

import (
	"fmt"
	"slices"
	"time"
)

// Missing determines what it means that a node lacks a row that other nodes have. A
// missing row has no commit time.
type Missing string

// The values of Missing.
const (
	MissingInsert Missing = "insert" // the row is inserted where it is missing
	MissingDelete Missing = "delete" // the row is deleted where it exists
	MissingSkip   Missing = "skip"   // the key is left alone on every node
)

// NoTieBreaker is the TieBreaker of a strategy that has none.
const NoTieBreaker = -1

// NewestOptions are the options of Newest.
type NewestOptions struct {
	// Skew is how much the clocks of two nodes may differ. Of two versions whose commit
	// times are closer than this, neither counts as newer.
	Skew time.Duration
	// TieBreaker is the index of the node whose version is right if it is one of several
	// that may be the newest. It is NoTieBreaker if there is no such node.
	TieBreaker int
	Missing    Missing
}

// Newest returns the strategy by which the version that was committed last is right.
// Equal versions on several nodes are one version, with the time of its latest write.
//
// A repair copies a version, so the commit time of the repair is not the time at which an
// application wrote the version. After the repair has decided and before it commits, an
// application may write another version on another node. That version must not lose
// because the repaired row has a later time. So the time of a repair does not make a
// version newer than another one, and a version that a repair wrote may be as new as the
// repair.
func Newest(nodes []string, o NewestOptions) Strategy {
	n := newest{NewestOptions: o, nodes: nodes}
	return Strategy{one: n.one, needs: Needs{Times: true}}
}

type newest struct {
	NewestOptions
	nodes nodeNames
}

func (n newest) one(c Case) Decision {
	found := groups(c)
	if len(found) < 2 {
		return leave(allEqual)
	}
	rows, missing := presentOf(found)

	if missing != nil {
		switch n.Missing {
		case MissingDelete:
			return Decision{Verdict: Absent, Reason: fmt.Sprintf("%s lacks the row, and missing is delete", n.nodes.of(missing))}
		case MissingSkip:
			return leave(fmt.Sprintf("%s lacks the row, and missing is skip", n.nodes.of(missing)))
		}
	}
	if len(rows) == 1 {
		return rows[0].wins(fmt.Sprintf("missing on %s; all nodes that have the row agree", n.nodes.of(missing)))
	}
	return n.latest(rows)
}

// latest decides between at least two different rows.
func (n newest) latest(rows []group) Decision {
	best := slices.MaxFunc(rows, func(a, b group) int { return a.time.Compare(b.time) })

	var candidates []group // the versions that may be the newest
	for _, g := range rows {
		if g.unknown || n.close(best.time, g.until) {
			candidates = append(candidates, g)
		}
	}
	// The best version is a candidate itself.
	if len(candidates) == 1 {
		return best.wins(fmt.Sprintf("%s wrote last, %s", n.nodes.of(best.nodes), best.written()))
	}

	reason := n.tie(best, candidates)
	for _, g := range candidates {
		if slices.Contains(g.nodes, n.TieBreaker) {
			return g.wins(fmt.Sprintf("%s; %s is the source of truth", reason, n.nodes[n.TieBreaker]))
		}
	}
	return undecided(reason)
}

// close reports whether a write at other may be as new as one at best.
func (n newest) close(best, other time.Time) bool {
	apart := best.Sub(other)
	return apart <= 0 || apart < n.Skew
}

// tie states why more than one version may be the newest.
func (n newest) tie(best group, candidates []group) string {
	for _, g := range candidates {
		if g.unknown {
			return fmt.Sprintf("the commit time on %s is not known", n.nodes.of(g.nodes))
		}
	}
	for _, g := range candidates {
		if g.time.IsZero() || !n.close(best.time, g.time) {
			return fmt.Sprintf("a repair wrote the version of %s at %s, so it is not known when an application wrote it", n.nodes.of(g.nodes), formatTime(g.until))
		}
	}
	a, b := candidates[0], candidates[1]
	return fmt.Sprintf("written %s on %s and %s on %s: less than %s apart",
		a.written(), n.nodes.of(a.nodes), b.written(), n.nodes.of(b.nodes), n.Skew.Round(time.Microsecond))
}
