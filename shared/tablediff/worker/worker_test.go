package worker

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/tablediff/plan"
)

// twoNodes differ in key 7.
func twoNodes() (*scripted, *scripted) {
	return &scripted{states: []rows{{1: "same", 7: "a", 8: "same"}}}, &scripted{states: []rows{{1: "same", 7: "b", 8: "same"}}}
}

func TestWorker_FailureNeverStoresAPart(t *testing.T) {
	store := memstore.New(t)
	tests := []struct {
		name  string
		phase string
		spoil func(n1, n2 *scripted)
		code  fault.Code
		says  string
	}{
		{"a listing that lacks a row", plan.PhaseCompare, func(_, n2 *scripted) { n2.loses = 1 }, fault.Invalid, `node "n2" listed 2 rows`},
		{"a listing that lacks the row that differs, on both nodes", plan.PhaseCompare, func(n1, n2 *scripted) { n1.loses, n2.loses = 2, 2 }, fault.Invalid, `node "n1" listed 1 rows`},
		{"a node that panics while it is digested", plan.PhaseCompare, func(n1, _ *scripted) { n1.panics = "Sums" }, fault.Internal, ""},
		{"a node that panics while it is listed", plan.PhaseCompare, func(n1, _ *scripted) { n1.panics = "List" }, fault.Internal, ""},
		{"rows that break off", plan.PhaseConfirm, func(_, n2 *scripted) {
			n2.states = []rows{{1: "x", 7: "b", 8: "x"}}
			n2.breaks = 2
		}, fault.Unavailable, "the connection was lost"},
		{"an unknown phase", "repair", func(_, _ *scripted) {}, fault.Internal, "no phase"},
	}

	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n1, n2 := twoNodes()
			s := newStage(t, store, "td_"+strconv.Itoa(i), n1, n2)
			s.publish(t)
			tt.spoil(n1, n2)
			if tt.phase == plan.PhaseConfirm {
				s.do(t, s.unit(plan.PhaseCompare))
			}

			u := s.unit(tt.phase)
			totals, err := s.worker.Do(t.Context(), u)
			if fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), tt.says) {
				t.Errorf("got %+v, error %v; want code %s and %q", totals, err, tt.code, tt.says)
			}
			if _, err := plan.ReadTotals(t.Context(), store, u); !errors.Is(err, archive.ErrNotFound) {
				t.Errorf("after the error there is a part: %v", err)
			}

			s.checkClosed(t)
		})
	}
}

func TestWorker_AnswersARepeatedUnitFromItsPart(t *testing.T) {
	n1, n2 := twoNodes()
	s := newStage(t, memstore.New(t), "td_1", n1, n2)
	s.publish(t)
	first := s.do(t, s.unit(plan.PhaseCompare))
	n2.states = []rows{{1: "same", 7: "a", 8: "same"}}
	again := s.do(t, s.unit(plan.PhaseCompare))
	if again.Candidates != first.Candidates || n1.begun != 1 || n2.begun != 1 {
		t.Errorf("the second time %+v after %d snapshots, the first time %+v", again, n2.begun, first)
	}
}

func TestWorker_TheFirstPartOfAUnitCounts(t *testing.T) {
	real := memstore.New(t)
	n1, n2 := twoNodes()
	winner := newStage(t, real, "td_1", n1, n2)
	winner.publish(t)

	store := faulty.Wrap(real)
	m1, m2 := twoNodes()
	m2.states = []rows{{1: "same", 7: "b", 8: "other"}} // written meanwhile
	loser := newStage(t, store, "td_1", m1, m2)
	loser.plan = winner.plan
	store.On(faulty.Commit, winner.unit(plan.PhaseCompare).PartKey(), func(int) faulty.Outcome {
		winner.do(t, winner.unit(plan.PhaseCompare))
		return faulty.Pass
	})

	if got := loser.do(t, loser.unit(plan.PhaseCompare)); got.Candidates != 1 {
		t.Errorf("the loser answers %d candidates, want the winner's 1", got.Candidates)
	}
}

func TestWorker_RefusesAUnitOfAnotherPlan(t *testing.T) {
	s := newStage(t, memstore.New(t), "td_1", &scripted{states: []rows{{}}}, &scripted{states: []rows{{}}})
	s.publish(t)
	u := s.unit(plan.PhaseCompare)
	u.PlanHash = "00"
	if _, err := s.worker.Do(t.Context(), u); fault.CodeOf(err) != fault.Internal || s.nodes[0].begun != 0 {
		t.Errorf("got %v after %d snapshots, want an Internal error before any", err, s.nodes[0].begun)
	}

	u = s.unit(plan.PhaseCompare)
	u.TaskID = "td_2"
	if _, err := s.worker.Do(t.Context(), u); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a unit without a plan: %v, want NotFound", err)
	}
}

func TestWorker_SplitsARangeThatHoldsFarMoreThanABlock(t *testing.T) {
	many, other := rows{}, rows{}
	for id := range 10_000 { // all in the last chunk
		many[200+id], other[200+id] = "v", "v"
	}

	other[5000] = "w"
	delete(other, 9999)
	s := newStage(t, memstore.New(t), "td_1", &scripted{states: []rows{many}}, &scripted{states: []rows{other}})
	s.publish(t)
	got := s.do(t, s.unit(plan.PhaseCompare))
	if got.Candidates != 2 || got.Keys != 10_000 || got.RowsPerNode[0] != 10_000 || got.RowsPerNode[1] != 9_999 {
		t.Errorf("found %+v, want 2 candidates of 10000 keys", got)
	}
}

func TestWorker_HoldsFewRowsInMemoryForBlocksOfAnySize(t *testing.T) {
	here, there := rows{}, rows{}
	const many = maxListed + 10_000
	for id := range many {
		here[200+id], there[200+id] = "v", "w"
	}

	s := newStage(t, memstore.New(t), "td_1", &scripted{states: []rows{here}}, &scripted{states: []rows{there}})
	s.plan.BlockRows = 1_000_000
	s.publish(t)
	if got := s.do(t, s.unit(plan.PhaseCompare)); got.Candidates != many || got.Keys != many {
		t.Errorf("found %d candidates of %d keys, want all %d", got.Candidates, got.Keys, many)
	}
	if s.nodes[0].most > maxListed {
		t.Errorf("up to %d rows were listed at once, want %d at most", s.nodes[0].most, maxListed)
	}
}

func TestWorker_SplitsChunksThatHaveGrownSinceTheScan(t *testing.T) {
	many, other := rows{}, rows{}
	for id := range 10_000 {
		many[id], other[id] = "v", "v"
	}

	other[5000] = "w"
	s := newStage(t, memstore.New(t), "td_1", &scripted{states: []rows{many}}, &scripted{states: []rows{other}})
	s.plan.Strategy = plan.Pages
	s.publish(t)
	u := s.unit(plan.PhaseCompare)
	u.Chunks, u.Rows = []int{2}, []int64{100} // the chunk has 9800 rows by now
	got := s.do(t, u)
	if got.Candidates != 1 || got.Keys != 9800 {
		t.Errorf("found %d candidates of %d keys, want 1 of 9800", got.Candidates, got.Keys)
	}
}
