package worker

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/memstore"
	"ace/shared/tablediff/plan"
)

// moments has the text in the row of key 7 in each snapshot of a node. "-" means no row.
// The first snapshot is that of the first pass, the second that of reportWhileUnchanged.
// The following ones are read only if the candidate has changed: one in each round of
// awaitSettled, and one in the report of the remaining candidates.
type moments []string

func (m moments) states() []rows {
	states := make([]rows, len(m))
	for i, text := range m {
		states[i] = rows{1: "always the same"}
		if text != "-" {
			states[i][7] = text
		}
	}
	return states
}

func TestConfirm_JudgesAKeyWhenItHasSettled(t *testing.T) {
	store := memstore.New(t)
	tests := []struct {
		name   string
		n1, n2 moments
		want   plan.Totals // only the counts of keys
		pair   plan.PairTotals
		begun  int // snapshots of each node in the confirmation
	}{
		{"different and settled", moments{"a"}, moments{"b"},
			plan.Totals{Mismatched: 1}, plan.PairTotals{Different: 1, Columns: []int64{0, 1}}, 1},
		{"only on the first node", moments{"a"}, moments{"-"},
			plan.Totals{Mismatched: 1}, plan.PairTotals{OnlyA: 1, Columns: []int64{0, 0}}, 1},
		{"only on the second node", moments{"-"}, moments{"b"},
			plan.Totals{Mismatched: 1}, plan.PairTotals{OnlyB: 1, Columns: []int64{0, 0}}, 1},
		{"healed before the first report", moments{"a"}, moments{"b", "a"},
			plan.Totals{Resolved: 1}, plan.PairTotals{Columns: []int64{0, 0}}, 1},
		{"gone on both nodes", moments{"a", "-"}, moments{"b", "-"},
			plan.Totals{Resolved: 1}, plan.PairTotals{Columns: []int64{0, 0}}, 1},
		{"changed once, then settled", moments{"a"}, moments{"b", "c"},
			plan.Totals{Mismatched: 1}, plan.PairTotals{Different: 1, Columns: []int64{0, 1}}, 4},
		{"changed and changed back", moments{"a"}, moments{"b", "c", "b"},
			plan.Totals{Mismatched: 1}, plan.PairTotals{Different: 1, Columns: []int64{0, 1}}, 3},
		{"healed when it was read again", moments{"a"}, moments{"b", "c", "a"},
			plan.Totals{Resolved: 1}, plan.PairTotals{Columns: []int64{0, 0}}, 2},
		{"healed in the second round", moments{"a"}, moments{"b", "c", "d", "e", "a"},
			plan.Totals{Resolved: 1}, plan.PairTotals{Columns: []int64{0, 0}}, 4},
		{"healed between the last round and the report", moments{"a"}, moments{"b", "c", "b", "a"},
			plan.Totals{Resolved: 1}, plan.PairTotals{Columns: []int64{0, 0}}, 3},
		{"changed between the last round and the report", moments{"a"}, moments{"b", "c", "b", "c"},
			plan.Totals{Mismatched: 1, Unsettled: 1}, plan.PairTotals{Different: 1, Columns: []int64{0, 1}}, 3},
		{"changed again after it had settled", moments{"a"}, moments{"b", "c", "c", "c", "d"},
			plan.Totals{Mismatched: 1, Unsettled: 1}, plan.PairTotals{Different: 1, Columns: []int64{0, 1}}, 4},
		{"deleted between the last round and the report", moments{"a"}, moments{"b", "c", "b", "-"},
			plan.Totals{Mismatched: 1, Unsettled: 1}, plan.PairTotals{OnlyA: 1, Columns: []int64{0, 0}}, 3},
		{"always changing", moments{"a"}, moments{"b", "c", "d", "e", "f", "g", "h", "i", "j"},
			plan.Totals{Mismatched: 1, Unsettled: 1}, plan.PairTotals{Different: 1, Columns: []int64{0, 1}}, 8},
		{"always changing, settled too late", moments{"a"}, moments{"b", "c", "d", "e", "f", "g", "h", "i", "i"},
			plan.Totals{Mismatched: 1, Unsettled: 1}, plan.PairTotals{Different: 1, Columns: []int64{0, 1}}, 8},
		{"the filter excluded the second row in the first pass", moments{"a"}, moments{"-", "a"},
			plan.Totals{Resolved: 1}, plan.PairTotals{Columns: []int64{0, 0}}, 1},
	}

	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, store, fmt.Sprintf("td_%d", i), &scripted{states: tt.n1.states()}, &scripted{states: tt.n2.states()})
			s.publish(t)
			if c := s.do(t, s.unit(plan.PhaseCompare)); c.Candidates != 1 || c.Keys != 2 {
				t.Fatalf("the first pass found %d candidates of %d keys, want 1 of 2", c.Candidates, c.Keys)
			}

			got := s.do(t, s.unit(plan.PhaseConfirm))
			counts := plan.Totals{Mismatched: got.Mismatched, Resolved: got.Resolved, Unsettled: got.Unsettled, KeyVariants: got.KeyVariants}
			if diff := cmp.Diff(tt.want, counts); diff != "" {
				t.Errorf("totals (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]plan.PairTotals{tt.pair}, got.Pairs); diff != "" {
				t.Errorf("pairs (-want +got):\n%s", diff)
			}
			if begun := s.nodes[1].begun - 1; begun != tt.begun {
				t.Errorf("%d snapshots were taken, want %d", begun, tt.begun)
			}

			found := s.findings(t)
			if int64(len(found)) != tt.want.Mismatched || len(found) == 1 && found[0].Unsettled != (tt.want.Unsettled == 1) {
				t.Errorf("findings are %+v", found)
			}
		})
	}
}

func TestConfirm_WithoutDelayReadsOnce(t *testing.T) {
	s := newStage(t, memstore.New(t), "td_1",
		&scripted{states: moments{"a"}.states()}, &scripted{states: moments{"b", "c", "d"}.states()})
	s.plan.ConfirmDelay = 0
	s.publish(t)
	s.do(t, s.unit(plan.PhaseCompare))
	got := s.do(t, s.unit(plan.PhaseConfirm))
	if got.Mismatched != 1 || got.Unsettled != 0 || s.nodes[1].begun != 2 {
		t.Errorf("%+v after %d snapshots; want one mismatched and settled after 2", got, s.nodes[1].begun)
	}
}

func TestConfirm_CountsEveryPairOfThreeNodes(t *testing.T) {
	s := newStage(t, memstore.New(t), "td_1",
		&scripted{states: []rows{{1: "a", 2: "x", 3: "s", 150: "q"}}},
		&scripted{states: []rows{{1: "a", 2: "y", 3: "s", 150: "q"}}},
		&scripted{states: []rows{{1: "b", 2: "x", 4: "new", 150: "q", 250: "far"}}})

	s.publish(t)
	if c := s.do(t, s.unit(plan.PhaseCompare)); c.Candidates != 5 || c.Keys != 6 {
		t.Fatalf("the first pass found %d candidates of %d keys, want 5 of 6", c.Candidates, c.Keys)
	}

	got := s.do(t, s.unit(plan.PhaseConfirm))
	want := []plan.PairTotals{
		{Different: 1, Columns: []int64{0, 1}},                     // n1/n2: key 2 differs
		{OnlyA: 1, OnlyB: 2, Different: 1, Columns: []int64{0, 1}}, // n1/n3: key 3 only on n1; keys 4 and 250 only on n3; key 1 differs
		{OnlyA: 1, OnlyB: 2, Different: 2, Columns: []int64{0, 2}}, // n2/n3: key 3 only on n2; keys 4 and 250 only on n3; keys 1 and 2 differ
	}

	if diff := cmp.Diff(want, got.Pairs); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
	if got.Mismatched != 5 || got.Blocks != 2 {
		t.Errorf("%d keys in %d blocks, want 5 in 2", got.Mismatched, got.Blocks)
	}
}

func TestConfirm_CountsKeysBeyondTheLimitByDigest(t *testing.T) {
	s := newStage(t, memstore.New(t), "td_1",
		&scripted{states: []rows{{1: "a", 2: "b", 3: "c"}, {1: "a", 2: "b", 3: "c"}}},
		&scripted{states: []rows{{1: "x", 2: "y"}, {1: "a", 2: "y"}}})

	s.publish(t)
	s.do(t, s.unit(plan.PhaseCompare))
	u := s.unit(plan.PhaseConfirm)
	u.Before = []int64{s.plan.MaxDiffRows + limitSlack}
	got := s.do(t, u)
	want := []plan.PairTotals{{OnlyA: 1, Different: 1, Limited: true, Columns: []int64{0, 0}}}
	if diff := cmp.Diff(want, got.Pairs); diff != "" || got.Mismatched != 2 || got.Resolved != 1 {
		t.Errorf("%+v; pairs (-want +got):\n%s", got, diff)
	}
	if found := s.findings(t); len(found) != 0 {
		t.Errorf("%d rows were written beyond the limit", len(found))
	}
}

func TestConfirm_JudgesEachOfManyKeysOnceWhateverChanges(t *testing.T) {
	store := memstore.New(t)
	const count = 4 * probedKeys
	one := func(ids ...int) func(int) bool { return func(id int) bool { return slices.Contains(ids, id) } }
	never := func(int) bool { return false }
	tests := []struct {
		name          string
		changes, heal func(id int) bool // between the first pass and the report
		begun         int
	}{
		{"all settled", never, never, 2},
		{"the first changes", one(0), never, 4},
		{"one in the middle changes", one(count / 2), never, 5},
		{"the last changes", one(count - 1), never, 5},
		{"a few heal", never, one(3, 5, count/2), 2},
		{"most heal, so that digests are cheaper", never, func(id int) bool { return id%4 != 1 }, 3},
		{"most heal, and one changes", one(count - 3), func(id int) bool { return id%4 != 1 && id != count-3 }, 4},
	}

	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := many(count, same)
			before := many(count, func(int) string { return "w" })
			after := many(count, func(id int) string {
				switch {
				case tt.changes(id):
					return "x"
				case tt.heal(id):
					return "v"
				}
				return "w"
			})

			s := newStage(t, store, fmt.Sprintf("td_%d", i), &scripted{states: []rows{first}}, &scripted{states: []rows{before, after}})
			s.plan.MaxDiffRows = count
			s.publish(t)
			if c := s.do(t, s.unit(plan.PhaseCompare)); c.Candidates != count {
				t.Fatalf("the first pass found %d candidates", c.Candidates)
			}

			u := s.unit(plan.PhaseConfirm)
			u.Before = []int64{count - 10} // only the limit's slack is left
			got := s.do(t, u)
			var want []string
			for id := range count {
				if !tt.heal(id) {
					want = append(want, strconv.Itoa(id))
				}
			}

			var keys []string
			for _, f := range s.findings(t) {
				key, err := plan.ReadKey(f.Key)
				if err != nil {
					t.Fatal(err)
				}

				keys = append(keys, key[0])
			}

			if !slices.Equal(keys, want) || got.Mismatched != int64(len(want)) || got.Mismatched+got.Resolved != count || got.Unsettled != 0 || got.Pairs[0].Different != int64(len(want)) {
				t.Errorf("%d findings, want %d; totals %+v", len(keys), len(want), got)
			}
			if begun := s.nodes[1].begun - 1; begun != tt.begun {
				t.Errorf("%d snapshots were taken, want %d", begun, tt.begun)
			}
		})
	}
}
