package plan

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/table"
)

func TestPageSums_AddUpToTheWholeForEveryDivision(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const chunks = 5
		units := rapid.IntRange(1, 6).Draw(rt, "units")
		want := make([]table.Sum, chunks)
		found := make([]map[int]table.Sum, units)
		for range rapid.IntRange(0, 60).Draw(rt, "rows") {
			chunk := rapid.IntRange(0, chunks-1).Draw(rt, "chunk")
			row := table.Sum{Rows: 1, Digest: rapid.Int64().Draw(rt, "digest")}
			want[chunk] = want[chunk].Add(row)
			u := rapid.IntRange(0, units-1).Draw(rt, "unit")
			if found[u] == nil {
				found[u] = map[int]table.Sum{}
			}

			found[u][chunk] = found[u][chunk].Add(row)
		}

		sums := [][]table.Sum{make([]table.Sum, chunks)}
		for _, part := range found {
			var row PageSums
			for chunk, sum := range part {
				row.Group = append(row.Group, chunk)
				row.Rows = append(row.Rows, sum.Rows)
				row.Digest = append(row.Digest, sum.Digest)
			}

			if err := row.AddTo(sums); err != nil {
				rt.Fatal(err)
			}
		}

		if !slices.Equal(sums[0], want) {
			rt.Fatalf("the parts add up to %v, the whole is %v", sums[0], want)
		}
	})
}

func TestPageSums_OnesThatDoNotFitThePlanAreAnError(t *testing.T) {
	for name, row := range map[string]PageSums{
		"a node too many":    {Node: 2},
		"a chunk too high":   {Group: []int{3}, Rows: []int64{1}, Digest: []int64{1}},
		"a chunk below zero": {Group: []int{-1}, Rows: []int64{1}, Digest: []int64{1}},
		"a count missing":    {Group: []int{0, 1}, Rows: []int64{1}, Digest: []int64{1, 2}},
		"a digest missing":   {Group: []int{0, 1}, Rows: []int64{1, 2}, Digest: []int64{1}},
		"a digest too many":  {Group: []int{0}, Rows: []int64{1}, Digest: []int64{1, 2}},
		"counts of no chunk": {Rows: []int64{1}, Digest: []int64{1}},
		"everything missing": {Node: -1},
	} {
		sums := [][]table.Sum{make([]table.Sum, 3), make([]table.Sum, 3)}
		if err := row.AddTo(sums); err == nil {
			t.Errorf("%s causes no error", name)
		}
	}
}
