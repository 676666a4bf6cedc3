package worker

import (
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// rangeSums adds up what some page ranges hold.
type rangeSums struct {
	spans []table.PageRange
	sums  [][]table.Sum // per page range and coarse bucket
}

func newRangeSums(spans []table.PageRange, coarse int) *rangeSums {
	return &rangeSums{spans: spans, sums: plan.NewSums(len(spans), coarse)}
}

func (s *rangeSums) add(span, bucket int, sum table.Sum) {
	of := s.sums[span]
	of[bucket%len(of)] = of[bucket%len(of)].Add(sum)
}

// pageRanges returns the page ranges, each with the horizon at which it was read.
func (s *rangeSums) pageRanges(horizons []int64) []plan.PageRange {
	list := make([]plan.PageRange, len(s.spans))
	for i, span := range s.spans {
		list[i] = plan.PageRange{PageRange: span, Horizon: horizons[i], Sums: plan.PackSums(s.sums[i])}
		for _, sum := range s.sums[i] {
			list[i].Rows += sum.Rows
		}
	}
	return list
}
