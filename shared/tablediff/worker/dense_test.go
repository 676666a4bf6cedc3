package worker

import (
	"slices"
	"strconv"
	"testing"

	"ace/infra/testkit/memstore"
	"ace/shared/tablediff/plan"
)

// many returns the rows 0 to count-1, with the text of each.
func many(count int, text func(id int) string) rows {
	all := rows{}
	for id := range count {
		all[id] = text(id)
	}
	return all
}

func same(int) string { return "v" }

// keysOfPart returns the keys of the candidates in the compare part.
func (s *stage) keysOfPart(t *testing.T) []int {
	t.Helper()
	var ids []int
	for _, c := range s.candidates(t) {
		ids = append(ids, numberOf(c.Key))
	}
	return ids
}

// candidates returns the candidates in the compare part.
func (s *stage) candidates(t *testing.T) (found []plan.Candidate) {
	t.Helper()
	c := &confirmation{run: &unitRun{unit: s.unit(plan.PhaseCompare), plan: s.plan, store: s.store}}
	err := c.candidates(t.Context(), 0, func(portion []indexed) error {
		for _, i := range portion {
			found = append(found, i.Candidate)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	return found
}

// finelyCut divides the plan into chunks of ten keys, up to the key to.
func (s *stage) finelyCut(to int) {
	s.plan.Layout.Bounds = nil
	for id := 10; id < to; id += 10 {
		s.plan.Layout.Bounds = append(s.plan.Layout.Bounds, keyOf(id))
	}
	s.plan.ChunkRows = 10
	for i := range s.plan.Sources {
		s.plan.Sources[i].KeyDigest = "digest"
	}
}

func TestDense_FindsTheSameAsDigestingFirst(t *testing.T) {
	store := memstore.New(t)
	const count = 1600
	for name, tt := range map[string]struct {
		change  func(first, second rows)
		grown   bool // the last chunk holds far more rows than planned
		digests bool // the keys can be digested
		lists   bool // the keys of some chunk differ
	}{
		"nothing":                      {change: func(_, _ rows) {}, digests: true},
		"changed rows":                 {change: func(_, second rows) { changeEvery(second, 3) }, digests: true},
		"changed and missing rows":     {change: func(first, second rows) { changeEvery(second, 3); delete(first, 55); delete(second, 56) }, digests: true, lists: true},
		"a chunk that one node lacks":  {change: func(first, _ rows) { deleteFrom(first, 100, 110) }, digests: true, lists: true},
		"one node is empty":            {change: func(first, _ rows) { clear(first) }, digests: true, lists: true},
		"a chunk that has grown":       {change: func(_, second rows) { changeEvery(second, 3); delete(second, 1599) }, grown: true, digests: true, lists: true},
		"keys that cannot be digested": {change: func(first, second rows) { changeEvery(second, 3); delete(first, 55) }, lists: true},
	} {
		t.Run(name, func(t *testing.T) {
			var found [][]int
			var totals []plan.Totals
			for _, dense := range []bool{false, true} {
				first := many(count, same)
				second := many(count, same)
				tt.change(first, second)
				s := newStage(t, store, "td_"+strconv.FormatBool(dense)+t.Name(), &scripted{states: []rows{first}}, &scripted{states: []rows{second}})
				s.finelyCut(map[bool]int{true: 500, false: count}[tt.grown])
				s.plan.BlockRows = 100
				if !tt.digests {
					s.plan.Sources[0].KeyDigest = ""
				}

				s.publish(t)
				u := s.unit(plan.PhaseCompare)
				u.Dense = dense
				totals = append(totals, s.do(t, u))
				found = append(found, s.keysOfPart(t))
				if listed := s.nodes[0].most > 0; dense && listed != tt.lists {
					t.Errorf("rows were listed: %v", listed)
				}
			}

			if a, b := totals[0], totals[1]; a.Keys != b.Keys || !slices.Equal(a.RowsPerNode, b.RowsPerNode) || a.Candidates != b.Candidates || !slices.Equal(a.PairCandidates, b.PairCandidates) {
				t.Errorf("digested first: %+v\nlisted at once: %+v", a, b)
			}
			if !slices.Equal(found[0], found[1]) {
				t.Errorf("digested first %v were found, listed at once %v", found[0], found[1])
			}
		})
	}
}

func changeEvery(all rows, n int) {
	for id := range all {
		if id%n == 0 {
			all[id] = "w"
		}
	}
}

func deleteFrom(all rows, from, to int) {
	for id := from; id < to; id++ {
		delete(all, id)
	}
}

func TestProbe_ComparesSomeChunksBeforeItListsTheOthers(t *testing.T) {
	store := memstore.New(t)
	const count = 1600
	for name, tt := range map[string]struct {
		change func(second rows)
		dense  bool
	}{
		"most chunks differ":                 {func(second rows) { changeEvery(second, 3) }, true},
		"few chunks differ":                  {func(second rows) { changeEvery(second, 200) }, false},
		"only chunks after the first differ": {func(second rows) { deleteFrom(second, 10*probedChunks, count) }, false},
	} {
		first := many(count, same)
		second := many(count, same)
		tt.change(second)
		s := newStage(t, store, "td_"+strconv.Itoa(len(name)), &scripted{states: []rows{first}}, &scripted{states: []rows{second}, panics: map[bool]string{false: "Fingerprints"}[tt.dense]})
		s.finelyCut(count)
		s.publish(t)
		u := s.unit(plan.PhaseCompare)
		u.Probe = true
		got := s.do(t, u)
		want := int64(0)
		for id := range first {
			if text, ok := second[id]; !ok || text != first[id] {
				want++
			}
		}

		if got.Candidates != want || got.Keys != count || got.RowsPerNode[0] != count || got.RowsPerNode[1] != int64(len(second)) || int64(len(s.keysOfPart(t))) != want {
			t.Errorf("%s: found %+v, want %d candidates of %d keys", name, got, want, count)
		}
		if slots := s.nodes[0].begun; (slots > 1) != tt.dense {
			t.Errorf("%s: %d snapshots were taken", name, slots)
		}
	}
}

func TestBuckets_RowsOfFewBucketsAreListedInKeyOrderAndCountedOnce(t *testing.T) {
	store := memstore.New(t)
	const count, buckets = 1600, 8
	for name, blockRows := range map[string]int64{"as expected": 1000, "grown beyond what one pass may list": 5} {
		first := many(count, same)
		second := many(count, same)
		for id := range second {
			if id%buckets == 3 && id%5 == 0 { // all in one bucket
				second[id] = "w"
			}
		}

		delete(first, 11)
		delete(second, 19)
		second[4003] = "new"
		s := newStage(t, store, "td_"+strconv.FormatInt(blockRows, 10), &scripted{states: []rows{first}}, &scripted{states: []rows{second}})
		s.finelyCut(count)
		s.plan.Strategy = plan.Pages
		s.plan.Buckets = buckets
		s.plan.BlockRows = blockRows
		s.publish(t)
		u := s.unit(plan.PhaseCompare)
		u.Buckets = []int{3}
		got := s.do(t, u)
		if got.Keys != count/buckets+1 || got.RowsPerNode[0] != count/buckets-1 || got.RowsPerNode[1] != count/buckets || got.Candidates != 43 {
			t.Errorf("%s: found %+v, want 43 candidates of %d keys", name, got, count/buckets+1)
		}

		ids := s.keysOfPart(t)
		if !slices.IsSorted(ids) || !slices.Contains(ids, 11) || !slices.Contains(ids, 19) || !slices.Contains(ids, 4003) {
			t.Errorf("%s: the candidates are %v", name, ids)
		}
	}
}
