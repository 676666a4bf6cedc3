//go:build !unit

package app_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/endpoint"
	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// invoker is a function of a test that replaces or wraps the invocation of a unit. next
// invokes the unit.
type invoker func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error)

type hooked struct {
	next tablediff.Invoker
	do   invoker
}

func (h hooked) Invoke(ctx context.Context, u plan.Unit) (plan.Totals, error) {
	return h.do(ctx, u, h.next)
}

func around(do invoker) func(tablediff.Invoker) tablediff.Invoker {
	return func(next tablediff.Invoker) tablediff.Invoker { return hooked{next, do} }
}

// oneByOne are parameters for many units that run one after the other.
func oneByOne() []string {
	return []string{"block_rows", "1000", "batch_size", "1", "max_cpu_ratio", "0.01"}
}

// differingTable creates public.t with 8000 rows, of which the second node lacks every
// thousandth.
func differingTable(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 8000) i`)
	c.Exec(t, 1, `DELETE FROM t WHERE id % 1000 = 0`)
}

// invisible checks that a task that did not complete has no visible document.
func invisible(t *testing.T, s *apptest.Service, taskID string) {
	t.Helper()
	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: "/ace/diffs/" + taskID})
	if response.Status != 404 || response.File != nil {
		t.Errorf("the document of %s is visible: status %d: %s", taskID, response.Status, response.Body)
	}
}

func TestTableDiff_ANodeKilledDuringTheRunFailsTheTask(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	differingTable(t, c)
	s := apptest.New(t, c, apptest.Options{Patience: time.Second, Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		if u.Phase == "compare" && u.Index == 3 {
			if err := c.Nodes[1].Server.Kill(); err != nil {
				return plan.Totals{}, err
			}
		}
		return next.Invoke(ctx, u)
	})})
	status := s.Wait(t, s.Submit(t, "public.t", oneByOne()...))
	if status.Status != api.StatusFailed || !strings.Contains(status.Error, `"n2"`) || !strings.Contains(status.Error, "keys from (") {
		t.Errorf("ended %s: %q, want FAILED naming n2 and the keys", status.Status, status.Error)
	}
	invisible(t, s, status.TaskID)
	if err := s.Store.List(t.Context(), "diffs/", "", func(info archive.Info) bool {
		t.Errorf("the archive has %s", info.Key)
		return true
	}); err != nil {
		t.Error(err)
	}
}

func TestTableDiff_ANodeRestartedDuringTheRunChangesNothing(t *testing.T) {
	t.Parallel()
	for _, phase := range []string{"compare", "confirm"} {
		t.Run(phase, func(t *testing.T) {
			c := pgtest.Own(t)
			differingTable(t, c)
			c.ExecAll(t, `CHECKPOINT`)
			s := apptest.New(t, c, apptest.Options{Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
				if u.Phase == phase && u.Index == 3 {
					if err := errors.Join(c.Nodes[1].Server.Kill(), c.Nodes[1].Server.Restart(ctx)); err != nil {
						return plan.Totals{}, err
					}
				}
				return next.Invoke(ctx, u)
			})})
			if d := s.Diff(t, "public.t", oneByOne()...); countsOf(d, 0) != (counts{8, 0, 0}) || d.Result.TotalRows != 8000 {
				t.Errorf("%d rows, %+v, want 8000 and 8 on the first node only", d.Result.TotalRows, countsOf(d, 0))
			}
		})
	}
}

func TestTableDiff_AStatementThatTakesTooLongFailsTheTask(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	differingTable(t, c)
	c.ExecAll(t, scatteredTable())
	for table, where := range map[string]string{"t": "(keys ", "scattered": `(the pages of "public"."scattered" `} {
		t.Run(table, func(t *testing.T) {
			lock := c.Connect(t, 1)
			s := apptest.New(t, c, apptest.Options{Timeout: time.Second, Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
				if u.Index == 2 {
					if _, err := lock.Exec(ctx, `BEGIN; LOCK TABLE `+table+` IN ACCESS EXCLUSIVE MODE`); err != nil {
						return plan.Totals{}, err
					}
				}
				return next.Invoke(ctx, u)
			})})
			status := s.Wait(t, s.Submit(t, "public."+table, oneByOne()...))
			for _, want := range []string{`"n2"`, "statement timeout", "1s (ACE_STATEMENT_TIMEOUT)", where} {
				if status.Status != api.StatusFailed || !strings.Contains(status.Error, want) {
					t.Errorf("ended %s: %q, want FAILED saying %q", status.Status, status.Error, want)
				}
			}
			invisible(t, s, status.TaskID)
		})
	}
}

// Whatever happens to a unit, the comparison never ends with a wrong verdict.
func TestTableDiff_ALostOrWrongUnitIsNeverAMatch(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	differingTable(t, c)
	c.Exec(t, 1, `UPDATE t SET v = 'w' WHERE id = 4500`)
	mixed := pgtest.NewCluster(t, pgtest.CreateDatabase(1, "ENCODING 'LATIN1'"))
	for _, c := range []*pgtest.Cluster{c, mixed} { // the nodes order keys differently; in the second cluster, they also store the same key as different bytes
		c.ExecAll(t, `CREATE TABLE scanned (id text PRIMARY KEY)`)
		c.Exec(t, 1, `DROP TABLE scanned; CREATE TABLE scanned (id text COLLATE "und-x-icu" PRIMARY KEY)`)
		c.Exec(t, 0, `INSERT INTO scanned SELECT generate_series(1, 2000)`)
	}

	none := plan.Totals{}
	ways := map[string]invoker{
		"an error": func(context.Context, plan.Unit, tablediff.Invoker) (plan.Totals, error) {
			return none, errors.New("lost")
		},
		"unreachable": func(context.Context, plan.Unit, tablediff.Invoker) (plan.Totals, error) {
			return none, fault.New(fault.Unavailable, "lost")
		},
		"cancelled": func(context.Context, plan.Unit, tablediff.Invoker) (plan.Totals, error) {
			return none, context.Canceled
		},
		"a panic": func(context.Context, plan.Unit, tablediff.Invoker) (plan.Totals, error) {
			panic("on purpose")
		},
		"nothing done": func(context.Context, plan.Unit, tablediff.Invoker) (plan.Totals, error) { return none, nil },
		"another phase": func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
			u.Phase = "merge"
			return next.Invoke(ctx, u)
		},
		"another plan": func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
			u.PlanHash = strings.Repeat("0", 64)
			return next.Invoke(ctx, u)
		},
		"an answer made up": func(_ context.Context, u plan.Unit, _ tablediff.Invoker) (plan.Totals, error) {
			return plan.Totals{From: u.From, To: u.To, Range: table.Range{}, RowsPerNode: []int64{0, 0}}, nil
		},
		"an answer made up after the work": func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
			_, err := next.Invoke(ctx, u)
			return plan.Totals{From: u.From, To: u.To, RowsPerNode: []int64{1000, 1000}, Keys: 1000}, err
		},
	}
	for name, way := range ways {
		for _, phase := range []string{"buckets", "scan", "compare", "confirm"} {
			t.Run(name+" in "+phase, func(t *testing.T) {
				t.Parallel()
				c, tableName, mismatched := c, "public.t", `"mismatched_rows":9,`
				switch phase {
				case "buckets":
					tableName, mismatched = "public.scanned", `"mismatched_rows":2000,`
				case "scan":
					c, tableName, mismatched = mixed, "public.scanned", `"mismatched_rows":2000,`
				}
				var met atomic.Bool
				s := apptest.New(t, c, apptest.Options{Patience: time.Second, Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
					if u.Phase != phase {
						return next.Invoke(ctx, u)
					}
					met.Store(true)
					return way(ctx, u, next)
				})})
				status := s.Wait(t, s.Submit(t, tableName, oneByOne()...))
				switch {
				case !met.Load():
					t.Error("no unit was tampered with")
				case status.Status == api.StatusFailed:
					invisible(t, s, status.TaskID)
				case status.Status != api.StatusCompleted || !strings.Contains(string(status.Result), mismatched):
					t.Errorf("ended %s with %s", status.Status, status.Result)
				}
			})
		}
	}
}

// The reply of one unit is returned for every unit.
func TestTableDiff_TheReplyOfAnotherUnitIsRejected(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	differingTable(t, c)
	for _, phase := range []string{"compare", "confirm"} {
		var first atomic.Pointer[plan.Totals]
		s := apptest.New(t, c, apptest.Options{Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
			totals, err := next.Invoke(ctx, u)
			if u.Phase == phase {
				own := totals // a copy, because totals changes while other units read the first reply
				first.CompareAndSwap(nil, &own)
				totals = *first.Load()
			}
			return totals, err
		})})
		status := s.Wait(t, s.Submit(t, "public.t", oneByOne()...))
		if status.Status == api.StatusCompleted && !strings.Contains(string(status.Result), `"mismatched_rows":8,`) {
			t.Errorf("%s: ended with %s, want 8 mismatched rows or FAILED", phase, status.Result)
		}
	}
}

// cancelLimit is much longer than a cancellation takes (2 to 3 s), for busy machines, and
// much shorter than the minute after which a statement times out.
const cancelLimit = 20 * time.Second

func TestTaskCancel_EndsTheQueriesOnTheNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	differingTable(t, c)
	c.ExecAll(t, scatteredTable())
	for _, table := range []string{"t", "scattered"} {
		t.Run(table, func(t *testing.T) { cancelWhileLocked(t, c, table) })
	}
}

// cancelWhileLocked cancels a comparison while one of its queries waits for a lock. Other
// workers may be between two units.
func cancelWhileLocked(t *testing.T, c *pgtest.Cluster, table string) {
	t.Helper()
	lock := c.Connect(t, 1)
	waiting := make(chan struct{})
	s := apptest.New(t, c, apptest.Options{Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		if u.Index == 2 {
			if _, err := lock.Exec(ctx, `BEGIN; LOCK TABLE `+table+` IN ACCESS EXCLUSIVE MODE`); err != nil {
				return plan.Totals{}, err
			}
			close(waiting)
		}
		return next.Invoke(ctx, u)
	})})
	id := s.Submit(t, "public."+table, "block_rows", "1000", "batch_size", "1", "max_cpu_ratio", "0.5")
	<-waiting
	active := fmt.Sprintf(`SELECT query FROM pg_stat_activity WHERE datname = '%s' AND application_name LIKE 'ace%%' AND state <> 'idle'`, c.DB)
	for deadline := time.Now().Add(cancelLimit); len(c.QueryStrings(t, 1, active+` AND wait_event_type = 'Lock'`)) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no query waits on the node")
		}
	}

	start := time.Now()
	var answer api.TaskStatus
	s.Get(t, "/ace/task-cancel/"+id, nil, &answer)
	status := s.Wait(t, id)
	if took := time.Since(start); status.Status != api.StatusCancelled || took > cancelLimit {
		t.Errorf("ended %s (%s) after %s, want CANCELLED within %s", status.Status, status.Error, took, cancelLimit)
	}
	invisible(t, s, id)
	for deadline := time.Now().Add(cancelLimit); ; time.Sleep(10 * time.Millisecond) {
		left := append(c.QueryStrings(t, 0, active), c.QueryStrings(t, 1, active)...)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s later the nodes still run %q", cancelLimit, left)
		}
	}
}
