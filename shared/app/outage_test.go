//go:build !unit

package app_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/minio"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/api"
	"ace/shared/task"
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

// In each task, the store fails for a second, beginning with another call after the
// submission (in a short test, with every twelfth call).
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

			for nth, more := 1, true; more; nth += max(1, 12/soak.Rounds(t, 1, 12)) {
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
	server := minio.Start(t)
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
			store := faulty.Wrap(server.Proxied(t, func(next http.Handler) http.Handler {
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

// The store fails for longer than a lease lasts. The process leaves the task, and a sweep
// continues it when the store is back.
//
// Case O-F8, see docs/RELIABILITY.md.
func TestTasks_AnOutageLongerThanTheLeaseLosesNothing(t *testing.T) {
	t.Parallel()
	for _, op := range anyTasks() {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel() // most of the time goes by waiting
			c := pgtest.NewCluster(t)
			differingTable(t, c)
			store := faulty.Wrap(apptest.Store(t))
			before := apptest.New(t, c, apptest.Options{Store: store})
			diffID, repairID := before.Diff(t, "public.t").TaskID, ""
			if op.name == "undo" {
				repairID = repair(t, before, diffID, "n1", nil).TaskID
			}
			s := apptest.New(t, c, apptest.Options{Store: store, Lease: 2 * time.Second})

			id := op.submit(t, s, diffID, repairID)
			met := failFrom(store, 20, 4*time.Second)
			var rec task.Record
			for deadline := time.Now().Add(time.Minute); (rec.Status == "" || !rec.Status.Terminal()) && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
				s.Queue.Resume(id, false) // as the sweep does
				rec, _ = s.App.Tasks().Get(t.Context(), id)
			}
			store.Heal()
			if got := lacking(t, c); rec.Status != task.Completed || got != op.after || rec.Attempts < 2 || !met() {
				t.Errorf("%s %s after %d attempts; n2 lacks %d rows, want %d; the outage began: %t",
					rec.Status, rec.Error, rec.Attempts, got, op.after, met())
			}
		})
	}
}
