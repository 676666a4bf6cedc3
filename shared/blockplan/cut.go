package blockplan

import (
	"math"
	"slices"
)

// Sample stands for a key that was read on a node. It has the rank of the key, not the
// key itself.
type Sample struct {
	Node int
	// Group is the index of the partition, on Node, from which the key was read. In a list,
	// samples with the same Node and Group must be in physical order. A negative Group means
	// that the physical order is unknown.
	Group int
	Rank  int // rank in key order among all samples of all nodes; equal keys have equal ranks
}

// Cut chooses the samples that become chunk boundaries, so that no node has many more
// than chunkRows rows between two boundaries. It returns the indexes of these samples, in
// key order. weights holds, for each node, the number of rows that one sample of the node
// represents.
//
// A sample becomes a boundary if its own node has about chunkRows rows since the last
// boundary, or if any node has about 2*chunkRows rows since then. So if all nodes have
// the same rows, there are about as many boundaries as for one node alone. A part of the
// key space in which only one node has rows is divided into ranges of about chunkRows
// rows too.
func Cut(samples []Sample, weights []float64, chunkRows int64) []int {
	enough := float64(chunkRows) * 0.999
	order := byRank(samples)
	held := make([]float64, len(weights))
	var cuts []int
	for i := 0; i < len(order); {
		first, full := order[i], false
		equal := i // index after the last sample with the same rank
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

// Correlation returns how closely the physical order of rows follows key order, from 0
// (not at all) to 1 (ascending or descending throughout). For each group with at least 10
// samples, it computes the average distance between a sample's position in physical order
// and its position in key order. It compares this distance with the average distance in a
// random order. If no group has 10 samples, Correlation returns 1.
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

// groupCorrelation returns the correlation of one group. ranks are the ranks of its
// samples in physical order. Let d be the mean distance between a sample's position in
// physical order and its position in key order, ascending or descending, whichever is
// closer. Let r be the mean distance in a random order, which is a third of the number of
// samples. The result is 1 - d/r, or 0 if that is negative.
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
