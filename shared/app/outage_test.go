//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/embedded"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/api"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// failFrom makes every call of the store fail for some time, beginning with the nth. The
// returned function reports whether there was such a call.
func failFrom(store *faulty.Store, nth int, lasts time.Duration) (met func() bool) {
	var began atomic.Pointer[time.Time]
	store.On(faulty.Any, "", func(n int) faulty.Outcome {
		now := time.Now()
		if n >= nth {
			began.CompareAndSwap(nil, &now)
		}
		if from := began.Load(); from != nil && now.Sub(*from) < lasts {
			return faulty.FailBefore
		}
		return faulty.Pass
	})
	return func() bool { return began.Load() != nil }
}

// anyTask is one type of task on the table public.t, of which the second node lacks
// eight rows.
type anyTask struct {
	name   string
	submit func(t *testing.T, s *apptest.Service, diffID, repairID string) string
	after  int // rows that the second node lacks afterwards
}

func anyTasks() []anyTask {
	return []anyTask{
		{"diff", func(t *testing.T, s *apptest.Service, _, _ string) string { return s.Submit(t, "public.t") }, 8},
		{"rerun", func(t *testing.T, s *apptest.Service, diffID, _ string) string {
			return s.SubmitRerun(t, diffID, "public.t")
		}, 8},
		{"repair", func(t *testing.T, s *apptest.Service, diffID, _ string) string {
			return submitRepair(t, s, diffID, "n1", func(r *api.TableRepairRequest) { r.GenerateReport = true })
		}, 0},
		{"undo", func(t *testing.T, s *apptest.Service, _, repairID string) string {
			var submitted api.Submitted
			s.Get(t, "/ace/table-undo", parameters(t, api.TableUndoRequest{TaskID: repairID}), &submitted)
			return submitted.TaskID
		}, 8},
	}
}

func lacking(t *testing.T, c *pgtest.Cluster) int { return 8000 - len(content(t, c, 1, "t")) }

// The store fails for a second, beginning with each call after the submission (every
// twelfth in a short test), each in a task of its own.
//
// Case O-F8, see docs/RELIABILITY.md.
func TestTasks_AnOutageOfTheStoreLosesNothing(t *testing.T) {
	t.Parallel()
	for _, op := range anyTasks() {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel() // most of the time goes by waiting
			c := pgtest.NewCluster(t)
			differingTable(t, c)
			store := faulty.Wrap(apptest.Store(t))
			s := apptest.New(t, c, apptest.Options{Store: store})
			diffID := s.Diff(t, "public.t").TaskID
			repairID := ""
			if op.name == "undo" {
				repairID = repair(t, s, diffID, "n1", nil).TaskID
			}

			for nth, more := 1, true; more; nth += soak.Rounds(t, 12, 1) {
				id := op.submit(t, s, diffID, repairID)
				met := failFrom(store, nth, time.Second)
				status := outcome(t, s, store, id)
				more = met()
				if got := lacking(t, c); status.Status != api.StatusCompleted || got != op.after {
					t.Errorf("call %d: %s %s; n2 lacks %d rows, want %d", nth, status.Status, status.Error, got, op.after)
				}
				if strings.Contains(string(status.Result), api.OutcomeCommitted) != (op.name == "repair" || op.name == "undo") {
					t.Errorf("call %d: result %s", nth, status.Result)
				}
				switch op.name {
				case "repair":
					c.Exec(t, 1, `DELETE FROM t WHERE id % 1000 = 0`)
				case "undo":
					c.Exec(t, 1, `INSERT INTO t SELECT i * 1000, 'v' FROM generate_series(1, 8) i`)
				}
			}
		})
	}
}

// The S3 server answers every request with an error for three seconds, beginning when the
// confirm units are listed.
//
// Case O-F8, see docs/RELIABILITY.md.
func TestTableDiff_ThreeSecondsOfErrorsOfTheS3ServerLoseNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	differingTable(t, c)
	for code, status := range map[string]int{"SlowDown": 503, "ExpiredToken": 403, "InternalError": 500} {
		t.Run(code, func(t *testing.T) {
			t.Parallel() // most of the time goes by waiting
			var mu sync.Mutex
			var until time.Time
			failing := func(r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				if until.IsZero() && strings.Contains(r.URL.RawQuery, "confirm-") {
					until = time.Now().Add(3 * time.Second)
				}
				return time.Now().Before(until)
			}
			store := faulty.Wrap(embedded.Proxied(t, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !failing(r) {
						next.ServeHTTP(w, r)
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					w.Header().Set("Content-Type", "application/xml")
					w.WriteHeader(status)
					_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code></Error>")
				})
			}))
			s := apptest.New(t, c, apptest.Options{Store: store})
			end := outcome(t, s, store, s.Submit(t, "public.t"))
			if end.Status != api.StatusCompleted {
				t.Fatalf("%s: %s", end.Status, end.Error)
			}
			d := s.Document(t, end)
			if countsOf(d, 0) != (counts{8, 0, 0}) || until.IsZero() {
				t.Errorf("%+v, want 8 rows on the first node only; the outage began: %t", countsOf(d, 0), !until.IsZero())
			}
		})
	}
}

// Nodes refuse the service's connections for a while: from before the task starts, after
// a unit of work of some phase is done, or after a repair or undo has stored
// before-images.
//
// Case O-P10, see docs/RELIABILITY.md.
func TestTasks_NodesWithoutAFreeConnectionOnlyDelayThem(t *testing.T) {
	t.Parallel()
	diff, rerun, repairing, undoing := anyTasks()[0], anyTasks()[1], anyTasks()[2], anyTasks()[3]
	for i, tt := range []struct {
		op   anyTask
		from string
	}{
		{diff, "start"},
		{diff, "compare"},
		{diff, "confirm"},
		{rerun, "start"},
		{rerun, "confirm"},
		{repairing, "start"},
		{repairing, "before-images"},
		{undoing, "start"},
		{undoing, "before-images"},
	} {
		t.Run(tt.op.name+" from "+tt.from, func(t *testing.T) {
			t.Parallel() // most of the time goes by waiting
			role := fmt.Sprintf("patient%d", i)
			c, refuse, refused := refusing(t, role)
			var armed atomic.Bool
			store := faulty.Wrap(apptest.Store(t))
			as := *c
			as.User, as.Password = role, "secret"
			s := apptest.New(t, &as, apptest.Options{Store: store, Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
				totals, err := next.Invoke(ctx, u)
				if armed.Load() && u.Phase == tt.from {
					refuse()
				}
				return totals, err
			})})
			diffID, repairID := s.Diff(t, "public.t").TaskID, ""
			if tt.op.name == "undo" {
				repairID = repair(t, s, diffID, "n1", nil).TaskID
			}

			armed.Store(true)
			switch tt.from {
			case "start":
				refuse()
			case "before-images":
				store.On(faulty.PutIfAbsent, "repairs/", func(int) faulty.Outcome {
					refuse()
					return faulty.Pass
				})
			}
			status := s.Wait(t, tt.op.submit(t, s, diffID, repairID))
			if got := lacking(t, c); status.Status != api.StatusCompleted || got != tt.op.after {
				t.Errorf("%s %s; n2 lacks %d rows, want %d", status.Status, status.Error, got, tt.op.after)
			}
			if !refused() {
				t.Error("no connection was refused")
			}
		})
	}
}

// refusing returns a cluster with differing tables that belong to a role of its own. The
// first call of refuse ends the role's sessions on the nodes and makes them refuse its
// connections for 1.5 seconds. refused reports whether that has happened.
func refusing(t *testing.T, role string) (c *pgtest.Cluster, refuse func(), refused func() bool) {
	t.Helper()
	c = pgtest.NewCluster(t)
	differingTable(t, c)
	each := func(sql string) { c.ExecAll(t, strings.ReplaceAll(sql, "ROLE_NAME", role)) }
	each(`CREATE ROLE ROLE_NAME LOGIN PASSWORD 'secret'; ALTER TABLE t OWNER TO ROLE_NAME;
		GRANT SET ON PARAMETER session_replication_role TO ROLE_NAME`)
	var refusals sync.WaitGroup
	t.Cleanup(refusals.Wait)
	var met atomic.Bool
	refuse = sync.OnceFunc(func() {
		met.Store(true)
		each("ALTER ROLE ROLE_NAME CONNECTION LIMIT 0")
		each("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ROLE_NAME'")
		refusals.Go(func() {
			time.Sleep(1500 * time.Millisecond)
			each("ALTER ROLE ROLE_NAME CONNECTION LIMIT -1")
		})
	})
	return c, refuse, met.Load
}
