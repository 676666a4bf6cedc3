package blockplan

import (
	"math"
	"slices"
)

// Sample is a key met on a node. Only its rank says where it stands.
type Sample struct {
	Node  int
	Group int // samples of one group (a leaf relation of a node) stand in physical order; negative: order unknown
	Rank  int // in key order among all samples of all nodes; equal keys have equal ranks
}

// Cut chooses the samples (by index, in key order) that become boundaries, so that between two of them no node has
// many more than leafRows rows. weights says how many rows a sample of each node stands for. A node's sample cuts where
// that node's own rows since the last cut are enough: the samples of equal nodes then do not cut each other's ranges,
// and rows that one node alone has fall into ranges of the usual size too.
func Cut(samples []Sample, weights []float64, chunkRows int64) []int {
	enough := float64(chunkRows) * 0.999
	order := byRank(samples)
	held := make([]float64, len(weights))
	var cuts []int
	for i := 0; i < len(order); {
		first, full := order[i], false
		equal := i // the samples of one rank end here
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

// Correlation says how well physical order follows key order, from 0 (not at all) to 1 (rising or falling throughout):
// the mean displacement of the samples against that of a random order, over all groups of enough samples to tell.
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

// groupCorrelation compares the places of ranks in physical order with their places in key order. In a random order the
// mean displacement is a third of their number.
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
