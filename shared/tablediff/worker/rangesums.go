package worker

import (
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// rangeSummer adds up, for each of some page ranges, the sums of its coarse buckets.
type rangeSummer struct {
	spans []table.PageRange
	sums  [][]table.Sum // the sum of each coarse bucket of each page range: sums[range][bucket]
}

func newRangeSummer(spans []table.PageRange, coarse int) *rangeSummer {
	return &rangeSummer{spans: spans, sums: plan.NewSums(len(spans), coarse)}
}

func (s *rangeSummer) add(span, bucket int, sum table.Sum) {
	of := s.sums[span]
	of[bucket%len(of)] = of[bucket%len(of)].Add(sum)
}

// result returns the sums of each page range. horizons has, per page range, the horizon
// of the snapshot in which it was read.
func (s *rangeSummer) result(horizons []int64) []plan.RangeSums {
	list := make([]plan.RangeSums, len(s.spans))
	for i, span := range s.spans {
		list[i] = plan.RangeSums{PageRange: span, Horizon: horizons[i], Sums: plan.PackSums(s.sums[i])}
		for _, sum := range s.sums[i] {
			list[i].Rows += sum.Rows
		}
	}
	return list
}
