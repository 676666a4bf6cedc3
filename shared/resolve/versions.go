package resolve

import (
	"fmt"
	"strings"
	"time"
)

// group is a set of equal versions.
type group struct {
	nodes   []int // indexes of the nodes that have the version, ascending
	present bool
	time    time.Time // the latest known commit time, except that of repairs; zero if none is known
	origin  string    // the replication origin of that commit
	until   time.Time // the latest known commit time, including that of repairs
	unknown bool      // the commit time of at least one version is not known
}

// groups returns the different versions of a case, in the order of the first node that
// has each.
func groups(c Case) []group {
	var found []group
	for node, v := range c.Versions {
		at := 0
		for at < len(found) && !c.Versions[found[at].nodes[0]].Same(v) {
			at++
		}
		if at == len(found) {
			found = append(found, group{present: v.Present})
		}

		g := &found[at]
		g.nodes = append(g.nodes, node)
		g.unknown = g.unknown || v.Time.IsZero()
		if v.Time.After(g.until) {
			g.until = v.Time
		}
		if !v.Repaired && v.Time.After(g.time) {
			g.time, g.origin = v.Time, v.Origin
		}
	}
	return found
}

// presentOf returns the groups of rows and the nodes that have no row.
func presentOf(found []group) (rows []group, missing []int) {
	for _, g := range found {
		if g.present {
			rows = append(rows, g)
		} else {
			missing = g.nodes
		}
	}
	return rows, missing
}

// wins returns the decision that every node gets the version of g.
func (g group) wins(reason string) Decision {
	if !g.present {
		return Decision{Verdict: Absent, Reason: reason}
	}
	return Decision{Verdict: Row, Node: g.nodes[0], Reason: reason}
}

// nodeNames are the names of the nodes of all cases.
type nodeNames []string

// of returns the names of the nodes with these indexes, separated by commas.
func (n nodeNames) of(nodes []int) string {
	names := make([]string, len(nodes))
	for i, node := range nodes {
		names[i] = n[node]
	}
	return strings.Join(names, ", ")
}

// written states when a version was written and, if replication brought it, by which
// origin.
func (g group) written() string {
	text := "at " + formatTime(g.time)
	if g.origin != "" {
		text += fmt.Sprintf(" (origin %q)", g.origin)
	}
	return text
}

// formatTime returns a commit time as documents contain it.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
