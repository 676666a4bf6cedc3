// Package finding defines the findings that ACE reports about the structure of a
// database and about replication. A finding is about one object, such as a table or a
// subscription, that differs between the nodes or does not work as it should. Archived
// documents and answers of the API contain findings, so the meaning of a JSON name or
// rank never changes.
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
	Fix    map[string]string `json:"fix,omitempty"`    // SQL to review that removes the cause of the finding, by the name of the node on which to run it
}

// Compare orders findings by rank, kind, object and detail. The worst rank is first.
func (f Finding) Compare(g Finding) int {
	return cmp.Or(f.Rank.Compare(g.Rank), strings.Compare(f.Kind, g.Kind), strings.Compare(f.Object, g.Object), strings.Compare(f.Detail, g.Detail))
}

// Sort sorts findings by Compare, so the worst rank is first. The result does not depend
// on the order in which the findings were found.
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
