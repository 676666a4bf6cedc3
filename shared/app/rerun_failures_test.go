//go:build !unit

package app_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/endpoint"
	"ace/shared/table"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

func TestTableRerun_AnErrorThatNeedsADatabaseFailsTheTask(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	for _, name := range []string{"gone", "keyed", "renamed", "typed"} {
		c.ExecAll(t, `CREATE TABLE `+name+` (id int PRIMARY KEY, other int NOT NULL UNIQUE)`)
		c.Exec(t, 0, `INSERT INTO `+name+` VALUES (1, 1)`)
	}
	diffs := map[string]string{}
	for _, name := range []string{"gone", "keyed", "renamed", "typed"} {
		diffs[name] = s.Diff(t, "public."+name).TaskID
	}
	c.ExecAll(t, `DROP TABLE gone`, `ALTER TABLE keyed DROP CONSTRAINT keyed_pkey`, `ALTER TABLE renamed RENAME id TO key`,
		`ALTER TABLE typed ALTER id TYPE uuid USING gen_random_uuid()`)
	withText := s.Import(t, []byte(`{"diffs": {"n1/n2": {"n1": [{"id": "x", "other": 1}], "n2": []}}}`))
	withoutKey := s.Import(t, []byte(`{"diffs": {"n1/n2": {"n1": [{"other": 1}], "n2": []}}}`))
	ofOthers := s.Import(t, []byte(`{"diffs": {"n1/n2": {"n1": [{"id": 1}], "n2": []}}, "summary": {"schema": "public", "table": "gone"}}`))
	ofUnknown := s.Import(t, []byte(`{"diffs": {"n1/n9": {"n1": [{"id": 1}], "n9": []}}}`))
	cutOff := s.Import(t, []byte(`{"diffs": {"n1/n2": {"n1": [{"id": 1}, {"id`))
	c.ExecAll(t, `CREATE TABLE whole (id int PRIMARY KEY, other int)`)
	for name, tt := range map[string]struct{ file, table, says string }{
		"the table is gone":                {diffs["gone"], "gone", "table public.gone does not exist"},
		"the key is another":               {diffs["keyed"], "keyed", `no primary key or unique index on (id), by which rows were matched so far, can serve as the key on every node: node "n1" has "keyed_other_key" on (other);`},
		"the key has another name":         {diffs["renamed"], "renamed", `no primary key or unique index on (id), by which rows were matched so far, can serve as the key on every node: node "n1" has "renamed_pkey" on (key)`},
		"the key has another type":         {diffs["typed"], "typed", "invalid input syntax for type uuid"},
		"a key is not of its type":         {withText, "whole", "invalid input syntax for type"},
		"rows without the key":             {withoutKey, "whole", `lack column "id" of the table's key (id)`},
		"a document of another table":      {ofOthers, "whole", "diff_file is of table public.gone, table_name is public.whole"},
		"a document of unknown nodes":      {ofUnknown, "whole", "diff_file is of the nodes n1, n9, cluster"},
		"a document that is not all there": {cutOff, "whole", "the document is truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, behavior := range behaviors() {
				if text := s.FailRerun(t, tt.file, "public."+tt.table, "behavior", behavior); !strings.Contains(text, tt.says) {
					t.Errorf("%s: failed with %q, want %q", behavior, text, tt.says)
				}
			}
		})
	}
}

func TestTableRerun_RejectsAChangedDocument(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	differingTable(t, c)
	diff := s.Diff(t, "public.t")
	changed := bytes.Replace(diff.Raw, []byte(`{"id":1000,`), []byte(`{"id":1001,`), 1)
	if bytes.Equal(changed, diff.Raw) {
		t.Fatal("nothing was changed")
	}
	if _, err := s.Store.Put(t.Context(), diff.Result.DiffFile, "application/json", changed); err != nil {
		t.Fatal(err)
	}
	if text := s.FailRerun(t, diff.TaskID, "public.t"); !strings.Contains(text, "it was changed") {
		t.Errorf("failed with %q", text)
	}
}

// listedTable creates public.t, returns a document of 21000 of its keys in three blocks,
// and makes nine of ten rows equal again.
func listedTable(t *testing.T, c *pgtest.Cluster, s *apptest.Service) apptest.Diff {
	t.Helper()
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 21000) i`)
	diff := s.Diff(t, "public.t")
	c.Exec(t, 1, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 21000) i WHERE i % 10 > 0`)
	return diff
}

const listedAnswer = `"total_rows":21000,"mismatched_rows":2100,`

// Whatever happens to a unit, a rerun never ends with a wrong verdict.
func TestTableRerun_ALostOrWrongUnitIsNeverResolved(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	store := apptest.Store(t)
	diff := listedTable(t, c, apptest.New(t, c, apptest.Options{Store: store}))
	none := plan.Totals{}
	ways := map[string]invoker{
		"nothing done": func(context.Context, plan.Unit, tablediff.Invoker) (plan.Totals, error) { return none, nil },
		"an answer made up": func(_ context.Context, u plan.Unit, _ tablediff.Invoker) (plan.Totals, error) {
			return plan.Totals{From: u.From, To: u.To, Keys: 10_000, Resolved: 10_000, Range: table.Range{}}, nil
		},
		"other blocks": func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
			u.From, u.To = 0, 1
			return next.Invoke(ctx, u)
		},
		"blocks that are not there": func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
			u.To++
			return next.Invoke(ctx, u)
		},
	}
	for name, way := range ways {
		for _, phase := range []string{"compare", "confirm"} {
			t.Run(name+" in "+phase, func(t *testing.T) {
				t.Parallel()
				var met atomic.Bool
				s := apptest.New(t, c, apptest.Options{Store: store, Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
					if u.Phase != phase || u.Index != 2 {
						return next.Invoke(ctx, u)
					}
					met.Store(true)
					return way(ctx, u, next)
				})})
				status := s.Wait(t, s.SubmitRerun(t, diff.TaskID, "public.t"))
				switch {
				case !met.Load():
					t.Error("no unit was tampered with")
				case phase == "confirm" && strings.Contains(name, "blocks"): // the numbers of blocks have no meaning in a confirm unit
					if status.Status != api.StatusCompleted || !strings.Contains(string(status.Result), listedAnswer) {
						t.Errorf("ended %s with %.300s", status.Status, status.Result)
					}
				case status.Status != api.StatusFailed:
					t.Errorf("ended %s with %.300s", status.Status, status.Result)
				default:
					invisible(t, s, status.TaskID)
				}
			})
		}
	}
}

// halting is a store that blocks at one write of a rerun until the rerun is stopped.
type halting struct {
	archive.Store
	at     string // what the key of that write begins with, after tasks/<id>/
	halted chan struct{}
	once   sync.Once
}

func (h *halting) halt(ctx context.Context, key string) error {
	_, rest, _ := strings.Cut(strings.TrimPrefix(key, "tasks/tr_"), "/")
	if !strings.HasPrefix(key, "tasks/tr_") || !strings.HasPrefix(rest, h.at) {
		return nil
	}
	h.once.Do(func() { close(h.halted) })
	<-ctx.Done()
	return context.Cause(ctx)
}

func (h *halting) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	if err := h.halt(ctx, key); err != nil {
		return archive.Info{}, err
	}
	return h.Store.PutIfAbsent(ctx, key, contentType, body)
}

func (h *halting) Create(ctx context.Context, key, contentType string) (archive.Writer, error) {
	w, err := h.Store.Create(ctx, key, contentType)
	return haltingWriter{w, h, key}, err
}

type haltingWriter struct {
	archive.Writer
	store *halting
	key   string
}

func (w haltingWriter) Commit(ctx context.Context) (archive.Info, error) {
	if err := w.store.halt(ctx, w.key); err != nil {
		w.Abort()
		return archive.Info{}, err
	}
	return w.Writer.Commit(ctx)
}

// A runner that is stopped at any point leaves its work to the next one, which repeats
// nothing.
func TestTableRerun_ResumesAnEarlierRun(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	backing := apptest.Store(t)
	whole := apptest.New(t, c, apptest.Options{Store: backing})
	diff := listedTable(t, c, whole)
	want := rendered(whole.Rerun(t, diff.TaskID, "public.t"))
	for _, behavior := range behaviors() {
		for what, at := range map[string]string{
			"before the plan":             "plan.json",
			"while keys are listed":       "parts/keys-000001",
			"before the list is complete": "parts/keylist",
			"while keys are compared":     "parts/compare",
			"while they are confirmed":    "parts/confirm",
		} {
			if behavior == api.BehaviorHostDB && !strings.Contains(at, "co") {
				continue // both behaviors do the same until the keys are compared
			}
			t.Run(behavior+" "+what, func(t *testing.T) {
				t.Parallel()
				store := &halting{Store: backing, at: at, halted: make(chan struct{})}
				first := apptest.New(t, c, apptest.Options{Store: store})
				id := first.SubmitRerun(t, diff.TaskID, "public.t", "behavior", behavior)
				<-store.halted
				first.Queue.Close()

				counted := faulty.Wrap(backing)
				second := apptest.New(t, c, apptest.Options{Store: counted})
				kept := partsOf(t, counted, id)
				second.Queue.Resume(id, true)
				status := second.Wait(t, id)
				if status.Status != api.StatusCompleted || !strings.Contains(string(status.Result), listedAnswer) {
					t.Fatalf("ended %s (%s) with %.300s", status.Status, status.Error, status.Result)
				}
				for _, part := range kept { // but keys may be listed again until all parts of them exist
					if n := counted.Count(faulty.Commit, part); n > 0 && !strings.Contains(part, "/keys-") {
						t.Errorf("%s was written again", part)
					}
				}
				if got := rendered(second.Document(t, status)); !slices.Equal(got, want) {
					t.Errorf("the document has %d rows, one in a single run %d; first difference: %s", len(got), len(want), firstDifference(got, want))
				}
				checkCleared(t, counted, id)
			})
		}
	}
}

// Every call of the store fails once, before or after it takes effect. The task then
// completes with the correct verdict or fails.
func TestTableRerun_AFaultOfTheStoreNeverMakesAWrongVerdict(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	backing := apptest.Store(t)
	differingTable(t, c)
	diff := apptest.New(t, c, apptest.Options{Store: backing}).Diff(t, "public.t")
	c.Exec(t, 1, `INSERT INTO t VALUES (2000, 'v'), (4000, 'v'), (6000, 'v')`)
	for _, op := range []faulty.Op{
		faulty.PutIfAbsent, faulty.PutIfMatch, faulty.Create, faulty.Commit, faulty.Get, faulty.GetRange, faulty.Stat, faulty.List,
	} {
		for _, way := range []faulty.Outcome{faulty.FailBefore, faulty.FailAfter} {
			if way == faulty.FailAfter && !writes(op) {
				continue // a call that only reads has no effect, so both outcomes are the same
			}
			t.Run(fmt.Sprintf("%s, outcome %d", op, way), func(t *testing.T) {
				t.Parallel() // most of the time goes by waiting
				store := faulty.Wrap(backing)
				s := apptest.New(t, c, apptest.Options{Store: store})
				for nth, more := 1, true; more; nth += max(1, 3/soak.Rounds(t, 1, 3)) { // every third call in a short test, because most calls are the same as in a comparison
					before := store.Count(op, "")
					store.On(op, "", faulty.Nth(nth, way))
					judgeRerun(t, s, store, diff, fmt.Sprintf("call %d", nth))
					more = store.Count(op, "")-before >= nth
				}
			})
		}
	}
}

// judgeRerun submits a rerun of a document of eight rows, of which five persist, and
// checks the result.
func judgeRerun(t *testing.T, s *apptest.Service, store *faulty.Store, diff apptest.Diff, what string) {
	t.Helper()
	query := url.Values{"cluster_name": {s.Cluster.Name}, "table_name": {"public.t"}, "confirm_delay": {"0"}, "diff_file": {diff.TaskID}}
	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: "/ace/table-rerun", RawQuery: query.Encode()})
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
	case status.Status == api.StatusFailed:
		invisible(t, s, id)
	case status.Status != api.StatusCompleted || !strings.Contains(string(status.Result), `"total_rows":8,"mismatched_rows":5,`):
		t.Errorf("%s: ended %s (%s) with %.300s", what, status.Status, status.Error, status.Result)
	}
}

func partsOf(t *testing.T, store archive.Store, id string) (keys []string) {
	t.Helper()
	err := store.List(t.Context(), archive.TaskPrefix(id)+"parts/", "", func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// checkCleared checks that the parts of a task are deleted soon after its end.
func checkCleared(t *testing.T, store archive.Store, id string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := partsOf(t, store, id)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("long after the end there are %v", left)
		}
	}
}

func TestTableRerun_IsCancelledWhileANodeAnswers(t *testing.T) {
	t.Parallel()
	for _, behavior := range behaviors() {
		c := pgtest.NewCluster(t)
		lock := c.Connect(t, 1)
		waiting := make(chan struct{})
		var locking atomic.Bool
		s := apptest.New(t, c, apptest.Options{Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
			if u.Phase == "compare" && locking.CompareAndSwap(true, false) {
				if _, err := lock.Exec(ctx, `BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE`); err != nil {
					return plan.Totals{}, err
				}
				close(waiting)
			}
			return next.Invoke(ctx, u)
		})})
		diff := listedTable(t, c, s)
		locking.Store(true)
		id := s.SubmitRerun(t, diff.TaskID, "public.t", "behavior", behavior)
		<-waiting
		s.Get(t, "/ace/task-cancel/"+id, nil, &api.TaskStatus{})
		if status := s.Wait(t, id); status.Status != api.StatusCancelled {
			t.Errorf("%s: ended %s (%s)", behavior, status.Status, status.Error)
		}
		invisible(t, s, id)
		checkCleared(t, s.Store, id)
		if _, err := lock.Exec(t.Context(), `ROLLBACK`); err != nil {
			t.Fatal(err)
		}
		if d := s.Rerun(t, diff.TaskID, "public.t"); d.Result.MismatchedRows != 2100 {
			t.Errorf("%s: afterwards %s", behavior, figures(d))
		}
	}
}

func TestTableRerun_UsesOneConnectionPerNodeInHostDB(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	diff := listedTable(t, c, s)
	other := apptest.New(t, c, apptest.Options{Store: s.Store, Parallel: 4})
	s.App.Close()
	o := newObservation(t, c, "public.t", 1)
	o.begin()
	other.Rerun(t, diff.TaskID, "public.t", "behavior", api.BehaviorHostDB, "max_cpu_ratio", "1")
	for node, seen := range o.end() {
		if seen.connections != 1 || len(seen.locks) != 1 || !seen.locks["AccessShareLock"] {
			t.Errorf("node %d had %d connections at once and locks %v", node+1, seen.connections, seen.locks)
		}
	}
}
