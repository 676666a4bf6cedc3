package blockplan

import (
	"math"
	"slices"
)

// Sample is a key that was read on a node. Its place in key order is known by rank only.
type Sample struct {
	Node  int
	Group int // samples of one group (a partition of a node) are in physical order; negative: order unknown
	Rank  int // in key order among all samples of all nodes; equal keys have equal ranks
}

// Cut chooses the samples that become boundaries, so that no node has many more than
// chunkRows rows between two of them. It returns their indexes in key order. weights are
// the numbers of rows that a sample of each node stands for. A sample becomes a boundary
// if its own node has had enough rows since the last one. So equal nodes do not cut each
// other's ranges, and rows that only one node has form ranges of the usual size too.
func Cut(samples []Sample, weights []float64, chunkRows int64) []int {
	enough := float64(chunkRows) * 0.999
	order := byRank(samples)
	held := make([]float64, len(weights))
	var cuts []int
	for i := 0; i < len(order); {
		first, full := order[i], false
		equal := i // the end of the samples with this rank
		for ; equal < len(order) && samples[order[equal]].Rank == samples[first].Rank; equal++ {
			full = full || held[samples[order[equal]].Node] >= enough
		}

		if i > 0 && (full || slices.Max(held) >= 2*enough) {
			cuts = append(cuts, first)
			clear(held)
		}

		for ; i < equal; i++ {
			held[samples[order[i]].Node] += weights[samples[order[i]].Node]
		}
	}

	return cuts
}

// Correlation returns how well physical order follows key order, from 0 (not at all) to 1
// (ascending or descending throughout). It compares the mean displacement of the samples
// with that of a random order, over all groups that have enough samples.
func Correlation(samples []Sample) float64 {
	groups := map[[2]int][]int{}
	for _, s := range samples {
		if s.Group >= 0 {
			g := [2]int{s.Node, s.Group}
			groups[g] = append(groups[g], s.Rank)
		}
	}

	var sum, weight float64
	for _, ranks := range groups {
		if len(ranks) >= 10 {
			sum += float64(len(ranks)) * groupCorrelation(ranks)
			weight += float64(len(ranks))
		}
	}

	if weight == 0 {
		return 1
	}

	return sum / weight
}

// groupCorrelation compares the positions of ranks in physical order with those in key
// order. In a random order the mean displacement is a third of their number.
func groupCorrelation(ranks []int) float64 {
	n := len(ranks)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}

	slices.SortStableFunc(order, func(a, b int) int { return ranks[a] - ranks[b] })
	var rising, falling float64
	for place, physical := range order {
		rising += math.Abs(float64(place - physical))
		falling += math.Abs(float64(n - 1 - place - physical))
	}

	return max(0, 1-3*min(rising, falling)/float64(n)/float64(n))
}

func byRank(samples []Sample) []int {
	order := make([]int, len(samples))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return samples[a].Rank - samples[b].Rank })
	return order
}
