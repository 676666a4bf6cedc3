//go:build !unit

package app_test

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// trouble is a temporary error of a server. begin causes it on the second node and
// returns a function that ends it.
type trouble struct {
	name     string
	settings []pgtest.Option
	begin    func(t *testing.T, c *pgtest.Cluster) (end func())
	says     string
}

const reader = "reader" // the role of the service

// cutOff ends all sessions of the service.
const cutOff = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ace%'`

func troubles() []trouble {
	return []trouble{
		{"too many connections", nil, func(t *testing.T, c *pgtest.Cluster) func() {
			c.Exec(t, 1, "ALTER ROLE "+reader+" CONNECTION LIMIT 0", cutOff)
			return func() { c.Exec(t, 1, "ALTER ROLE "+reader+" CONNECTION LIMIT -1") }
		}, "too many connections for role"},
		{"out of shared memory", []pgtest.Option{
			pgtest.ServerSetting("max_locks_per_transaction", "10"), pgtest.ServerSetting("max_connections", "20"),
		}, func(t *testing.T, c *pgtest.Cluster) func() {
			hog := c.Connect(t, 1)
			take := func(ctx context.Context, from int) error { // also takes the locks that other sessions have released
				_, err := hog.Exec(ctx, `SELECT pg_advisory_lock($1::int, i) FROM generate_series(1, 1000000) i`, from)
				return err
			}
			if err := take(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "53200") {
				t.Errorf("a million locks: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var taking sync.WaitGroup
			taking.Go(func() {
				for from := 1; ctx.Err() == nil; from++ {
					_ = take(ctx, from)
				}
			})
			end := sync.OnceFunc(func() {
				cancel()
				taking.Wait()
				_ = hog.Close(context.WithoutCancel(t.Context()))
			})
			t.Cleanup(end)
			return end
		}, "out of shared memory"},
		{"shutting down", nil, func(t *testing.T, c *pgtest.Cluster) func() {
			last := c.Connect(t, 1) // the server waits for it to end
			pid, err := strconv.Atoi(c.QueryStrings(t, 1, `SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)`)[0][0])
			err = errors.Join(err, syscall.Kill(pid, syscall.SIGTERM))
			if _, cutErr := last.Exec(t.Context(), cutOff); err != nil || cutErr != nil {
				t.Error(err, cutErr)
			}
			return func() {
				if err := c.Nodes[1].Server.Restart(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}, "the database system is shutting down"},
	}
}

// partitionedTable creates public.t, with many partitions and 8000 rows, of which the
// second node lacks every thousandth.
func partitionedTable(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)`, `DO $$ BEGIN
			FOR i IN 0..40 LOOP
				EXECUTE format('CREATE TABLE t%s PARTITION OF t FOR VALUES FROM (%s) TO (%s)', i, i * 200, i * 200 + 200);
			END LOOP;
		END $$`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 8000) i`,
		"CREATE ROLE "+reader+" LOGIN PASSWORD 'reader'; GRANT pg_read_all_data TO "+reader)
	c.Exec(t, 1, `DELETE FROM t WHERE id % 1000 = 0`)
}

// The trouble begins before the task starts, and then while units of work are done.
//
// Case O-P10, see docs/RELIABILITY.md.
func TestTableDiff_WaitsForAFailingServerAndThenReportsIt(t *testing.T) {
	t.Parallel()
	for _, tt := range troubles() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.Own(t, tt.settings...)
			partitionedTable(t, c)
			troubledPlanning(t, c, tt)
			s, status := troubled(t, c, tt, 2, 0)
			if status.Status != api.StatusCompleted {
				t.Fatalf("ended %s: %s", status.Status, status.Error)
			}
			if d := s.Document(t, status); countsOf(d, 0) != (counts{8, 0, 0}) || d.Result.TotalRows != 8000 {
				t.Errorf("%d rows, %+v, want 8000 and 8 on the first node only", d.Result.TotalRows, countsOf(d, 0))
			}
			s, status = troubled(t, c, tt, 0, time.Second)
			for _, want := range []string{`"n2"`, regexp.QuoteMeta(tt.says), `\(keys (from|below) \('`} {
				if status.Status != api.StatusFailed || !regexp.MustCompile(want).MatchString(status.Error) {
					t.Errorf("ended %s: %q, want FAILED saying %q", status.Status, status.Error, want)
				}
			}
			invisible(t, s, status.TaskID)
		})
	}
}

// troubledPlanning runs a comparison. The trouble begins before the comparison and lasts
// three seconds.
func troubledPlanning(t *testing.T, c *pgtest.Cluster, tt trouble) {
	t.Helper()
	asReader := *c
	asReader.User, asReader.Password = reader, "reader"
	s := apptest.New(t, &asReader, apptest.Options{Patience: 30 * time.Second})
	end := tt.begin(t, c)
	id := s.Submit(t, "public.t", oneByOne()...)
	time.Sleep(3 * time.Second)
	end()
	if status := s.Wait(t, id); status.Status != api.StatusCompleted || !strings.Contains(string(status.Result), `"mismatched_rows":8`) {
		t.Errorf("%s %s: %s", status.Status, status.Error, status.Result)
	}
}

// troubled runs a comparison during a trouble. The trouble begins with the first attempt
// at the fourth unit and ends after the given number of failed attempts at any unit, or
// never if that is 0.
func troubled(t *testing.T, c *pgtest.Cluster, tt trouble, failures int, patience time.Duration) (*apptest.Service, api.TaskStatus) {
	t.Helper()
	asReader := *c
	asReader.User, asReader.Password = reader, "reader"
	var mu sync.Mutex
	var end func()
	failed := 0
	s := apptest.New(t, &asReader, apptest.Options{Patience: patience, Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		mu.Lock()
		if u.Phase == "compare" && u.Index == 3 && end == nil {
			end = tt.begin(t, c)
		}
		mu.Unlock()
		totals, err := next.Invoke(ctx, u)
		mu.Lock()
		defer mu.Unlock()
		if err != nil && end != nil {
			if failed++; failed == failures {
				end()
			}
		}
		return totals, err
	})})
	return s, s.Wait(t, s.Submit(t, "public.t", oneByOne()...))
}

// A running statement is terminated, either by an administrator or with the whole node,
// which is back after some seconds.
func TestTableDiff_RetriesAStatementAfterALostConnection(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	differingTable(t, c)
	c.ExecAll(t, scatteredTable(), `CHECKPOINT`)
	c.Exec(t, 1, `DELETE FROM scattered WHERE id IN (SELECT md5((i * 7000)::text)::uuid FROM generate_series(1, 8) i)`)
	terminate := func() { c.Exec(t, 1, cutOff) }
	kill := func() {
		if err := c.Nodes[1].Server.Kill(); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		if err := c.Nodes[1].Server.Restart(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name, phase, table string
		rows               int64
		batch              string
		lose               func()
	}{
		{"terminated while ranges are compared", "compare", "t", 8000, "1", terminate},
		{"terminated while rows are read again", "confirm", "t", 8000, "1", terminate},
		{"terminated while pages are read", "buckets", "scattered", 60_000, "10", terminate},
		{"killed", "compare", "t", 8000, "1", kill},
	} {
		t.Run(tt.name, func(t *testing.T) {
			met := &waiting{t: t, c: c, table: tt.table, then: tt.lose}
			s := apptest.New(t, c, apptest.Options{Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
				if u.Phase != tt.phase || u.Index != 2 {
					return next.Invoke(ctx, u)
				}
				return met.invoke(ctx, u, next)
			})})
			d := s.Diff(t, "public."+tt.table, "block_rows", "1000", "batch_size", tt.batch, "max_cpu_ratio", "0.01")
			if countsOf(d, 0) != (counts{8, 0, 0}) || d.Result.TotalRows != tt.rows {
				t.Errorf("%d rows, %+v, want %d and 8 on the first node only", d.Result.TotalRows, countsOf(d, 0), tt.rows)
			}
			if !met.met {
				t.Error("no statement was interrupted")
			}
		})
	}
}

// waiting is a unit whose statement waits on the second node for a lock on the table. The
// test then terminates it.
type waiting struct {
	t     *testing.T
	c     *pgtest.Cluster
	table string
	then  func()
	met   bool
}

// invoke makes the first attempt at the unit wait. It holds the lock until the server is
// available again.
func (w *waiting) invoke(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
	if w.met {
		return next.Invoke(ctx, u)
	}
	lock := w.c.Connect(w.t, 1)
	if _, err := lock.Exec(ctx, `BEGIN; LOCK TABLE `+w.table+` IN ACCESS EXCLUSIVE MODE`); err != nil {
		return plan.Totals{}, err
	}
	var meanwhile sync.WaitGroup
	meanwhile.Go(func() {
		for deadline := time.Now().Add(20 * time.Second); !w.met && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			w.met = len(w.c.QueryStrings(w.t, 1, `SELECT FROM pg_stat_activity WHERE application_name LIKE 'ace%' AND wait_event_type = 'Lock'`)) > 0
		}
		w.then()
		_ = lock.Close(ctx)
	})
	totals, err := next.Invoke(ctx, u)
	meanwhile.Wait()
	return totals, err
}
