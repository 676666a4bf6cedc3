// Package finding defines what ACE reports about the nodes of a cluster when it is not
// about rows: an object that the nodes do not have alike, or that does not work as it
// should. Findings are part of archived documents and of answers of the API, so their
// JSON names and ranks never change their meaning.
package finding

import (
	"cmp"
	"slices"
	"strings"
)

// Finding is one object for which the nodes differ, or which is in a bad state on a node.
type Finding struct {
	Kind   string            `json:"kind"`             // The kind of the object, such as "table" or "sequence"
	Object string            `json:"object"`           // The qualified name of the object, quoted as in SQL
	Rank   Rank              `json:"rank"`             // The consequence of the finding
	Nodes  map[string]string `json:"nodes,omitempty"`  // What each node has, by the name of the node
	Detail string            `json:"detail,omitempty"` // What differs, and the reason for the rank
	Fix    map[string]string `json:"fix,omitempty"`    // SQL to review that mends the finding, by the name of the node where it would run
}

// Compare orders findings by rank, kind and object. The worst rank is first.
func (f Finding) Compare(g Finding) int {
	return cmp.Or(f.Rank.Compare(g.Rank), strings.Compare(f.Kind, g.Kind), strings.Compare(f.Object, g.Object), strings.Compare(f.Detail, g.Detail))
}

// Sort sorts findings with the worst rank first. The result does not depend on the order
// in which the findings were found.
func Sort(findings []Finding) {
	slices.SortFunc(findings, Finding.Compare)
}

// Count returns how many findings have each rank. A rank that no finding has is not in
// the map.
func Count(findings []Finding) map[Rank]int {
	counts := map[Rank]int{}
	for _, f := range findings {
		counts[f.Rank]++
	}
	return counts
}
