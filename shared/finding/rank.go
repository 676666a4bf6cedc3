package finding

import (
	"cmp"
	"slices"
)

// Rank is the consequence of a finding.
type Rank string

// Ranks of findings about the structure of a database.
const (
	Blocks  Rank = "blocks"  // replication or a repair will fail, or already fails
	Drifts  Rank = "drifts"  // rows may come to differ
	Differs Rank = "differs" // the nodes differ, but replication, repairs and rows are not affected
)

// Ranks of findings about the replication between nodes.
const (
	Broken     Rank = "broken"     // changes do not arrive, and will not without intervention
	Behind     Rank = "behind"     // changes arrive late
	Asymmetric Rank = "asymmetric" // the nodes do not replicate the same to each other
	Different  Rank = "different"  // the nodes are set up differently, but replicate the same
)

// Ranks returns all ranks, the worst first.
func Ranks() []Rank {
	return []Rank{Blocks, Broken, Drifts, Behind, Asymmetric, Differs, Different}
}

// Compare returns a negative number if r is worse than s, and 0 if they are equal. A
// rank that this version does not know is the worst, so that it is not overlooked in a
// document of a newer version.
func (r Rank) Compare(s Rank) int {
	return cmp.Or(cmp.Compare(r.order(), s.order()), cmp.Compare(r, s))
}

func (r Rank) order() int { return slices.Index(Ranks(), r) }
