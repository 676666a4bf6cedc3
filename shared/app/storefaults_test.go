//go:build !unit

package app_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/api"
	"ace/shared/endpoint"
	"ace/shared/task"
)

// In each run, another call of the store fails once (in a short test, every second call),
// before or after it takes effect. The task completes with the correct verdict.
//
// Case O-F8, see docs/RELIABILITY.md.
func TestTableDiff_AFaultOfTheStoreChangesNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	differingTable(t, c)
	backing := apptest.Store(t)
	for _, op := range []faulty.Op{
		faulty.PutIfAbsent, faulty.PutIfMatch, faulty.Create, faulty.Commit, faulty.Get, faulty.GetRange, faulty.Stat, faulty.List,
	} {
		for _, outcome := range []faulty.Outcome{faulty.FailBefore, faulty.FailAfter} {
			if outcome == faulty.FailAfter && !writes(op) {
				continue // a call that only reads has no effect, so both outcomes are the same
			}
			t.Run(fmt.Sprintf("%s, outcome %d", op, outcome), func(t *testing.T) {
				t.Parallel() // most of the time goes by waiting
				store := faulty.Wrap(backing)
				s := apptest.New(t, c, apptest.Options{Store: store})
				for nth, more := 1, true; more; nth += max(1, 2/soak.Rounds(t, 1, 2)) {
					before := store.Count(op, "")
					store.On(op, "", faulty.Nth(nth, outcome))
					judge(t, s, store, fmt.Sprintf("call %d", nth))
					more = store.Count(op, "")-before >= nth
				}
			})
		}
	}
}

func writes(op faulty.Op) bool {
	return op == faulty.PutIfAbsent || op == faulty.PutIfMatch || op == faulty.Commit
}

// judge submits a comparison whose correct result is 8 mismatched rows, and checks the
// outcome.
func judge(t *testing.T, s *apptest.Service, store *faulty.Store, what string) {
	t.Helper()
	query := url.Values{"cluster_name": {s.Cluster.Name}, "table_name": {"public.t"}, "confirm_delay": {"0"}}
	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: "/ace/table-diff", RawQuery: query.Encode()})
	if response.Status != 200 {
		if response.Status != 503 {
			t.Errorf("%s: submission answers %d: %s", what, response.Status, response.Body)
		}
		store.Heal()
		return
	}
	id := strings.SplitN(string(response.Body), `"`, 5)[3]
	status := outcome(t, s, store, id)
	switch {
	case status.Status != api.StatusCompleted:
		t.Errorf("%s: ended %s: %s", what, status.Status, status.Error)
	default:
		if d := s.Document(t, status); d.Result.MismatchedRows != 8 || d.Result.TotalRows != 8000 || len(d.Rows) != 8 {
			t.Errorf("%s: %d of %d rows mismatched and %d in the document, want 8 of 8000", what, d.Result.MismatchedRows, d.Result.TotalRows, len(d.Rows))
		}
	}
}

// outcome waits for a task's end. If the fault has prevented the start or the end of the
// task, outcome resumes the task, as the next start of the service would.
func outcome(t *testing.T, s *apptest.Service, store *faulty.Store, id string) api.TaskStatus {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		rec, err := s.App.Tasks().Get(t.Context(), id)
		if err != nil {
			continue // the read failed because of the fault
		}
		if rec.Status.Terminal() {
			store.Heal()
			return s.Wait(t, id)
		}
		if rec.Status == task.Queued || rec.Lease == nil {
			s.Queue.Resume(id, true)
		}
	}
	t.Fatalf("task %s did not end", id)
	return api.TaskStatus{}
}
