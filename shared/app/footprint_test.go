//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// scatteredTable returns SQL that creates a table that is large enough to be read in
// physical order.
func scatteredTable() string {
	return `CREATE TABLE scattered (id uuid PRIMARY KEY, filler text);
		INSERT INTO scattered SELECT md5(i::text)::uuid, repeat('f', 140) FROM generate_series(1, 60000) i`
}

// max_cpu_ratio bounds the sessions and workers on a node, even if the planner would use
// parallel workers for every query.
func TestTableDiff_ConnectionsAndLocksStayWithinTheirBounds(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, eagerForWorkers()...)
	c.ExecAll(t, scatteredTable())
	c.ExecAll(t, `CREATE TABLE ordered (id int PRIMARY KEY, filler text); INSERT INTO ordered SELECT i, repeat('f', 140) FROM generate_series(1, 30000) i`)
	c.Exec(t, 0, `DELETE FROM scattered WHERE filler IS NOT NULL AND id::text LIKE '00%'; DELETE FROM ordered WHERE id % 1000 = 0`)
	if plan := fmt.Sprint(c.QueryStrings(t, 0, `EXPLAIN SELECT count(*) FROM scattered`)); !strings.Contains(plan, "Workers Planned") {
		t.Errorf("the node does not want to use parallel workers: %s", plan)
	}
	var first atomic.Pointer[func()] // called when the first unit of a comparison begins
	s := apptest.New(t, c, apptest.Options{Parallel: 4, Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		if begun := first.Swap(nil); begun != nil {
			(*begun)()
		}
		return next.Invoke(ctx, u)
	})})
	for _, tt := range []struct {
		ratio   string
		workers int
	}{{"0.25", 1}, {"0.6", 2}, {"1", 4}} { // ascending, since connections are kept for a while
		for _, table := range []string{"public.ordered", "public.scattered"} {
			what := fmt.Sprintf("%s with a ratio of %s", table, tt.ratio)
			o := newObservation(t, c, table, tt.workers)
			first.Store(&o.begin)
			s.Diff(t, table, "block_rows", "1000", "batch_size", "4", "max_cpu_ratio", tt.ratio)
			for node, seen := range o.end() {
				seen.check(t, fmt.Sprintf("%s on node %d", what, node+1), tt.workers)
				left := c.QueryStrings(t, node, `SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ace%' AND state <> 'idle'`)
				if len(left) > 0 {
					t.Errorf("node %d: after the run sessions are left in %v", node+1, left)
				}
			}
		}
	}
}

// observation polls the service's sessions on each node during a comparison.
//
// A transaction takes milliseconds. On a busy machine the observer could miss all of
// them. Therefore begin locks the table on each node until the observer has seen the
// sessions that wait for it, or for 5 s.
type observation struct {
	begin func()
	end   func() []observed // ends the observation; call it once, after the comparison
}

func newObservation(t *testing.T, c *pgtest.Cluster, table string, workers int) observation {
	t.Helper()
	observers := make([]*observer, len(c.Nodes))
	locks := make([]*pgx.Conn, len(c.Nodes))
	for node := range c.Nodes {
		observers[node] = observe(t, c, node)
		locks[node] = c.Connect(t, node)
	}

	var lockers sync.WaitGroup
	begin := func() {
		for node, lock := range locks {
			lockers.Go(func() {
				if _, err := lock.Exec(t.Context(), `BEGIN; LOCK TABLE `+table+` IN ACCESS EXCLUSIVE MODE`); err != nil {
					t.Errorf("locking %s on node %d: %v", table, node+1, err)
				}
				for deadline := time.Now().Add(5 * time.Second); !observers[node].now().atWork(workers) && time.Now().Before(deadline); {
					time.Sleep(2 * time.Millisecond)
				}
				if _, err := lock.Exec(t.Context(), `ROLLBACK`); err != nil {
					t.Errorf("unlocking %s on node %d: %v", table, node+1, err)
				}
			})
		}
	}

	end := func() []observed {
		lockers.Wait()
		var seen []observed
		for node, o := range observers {
			seen = append(seen, o.end())
			_ = locks[node].Close(t.Context())
		}
		return seen
	}
	return observation{begin, end}
}

// eagerForWorkers makes the planner choose parallel workers for every query.
func eagerForWorkers() []pgtest.Option {
	var options []pgtest.Option
	for name, value := range map[string]string{
		"max_parallel_workers_per_gather": "4", "min_parallel_table_scan_size": "0", "min_parallel_index_scan_size": "0",
		"parallel_setup_cost": "0", "parallel_tuple_cost": "0",
	} {
		options = append(options, pgtest.DatabaseSetting(pgtest.AllNodes, name, value))
	}
	return options
}

// observed is what a node reported about the service's sessions: the greatest number of
// sessions, of active sessions and of parallel workers at the same time, and their locks
// on user tables and indexes.
type observed struct {
	connections, active, parallel int
	locks                         map[string]bool
}

// atWork reports whether the required number of sessions and a lock were observed.
func (o observed) atWork(workers int) bool {
	return o.connections >= min(2, workers) && len(o.locks) > 0
}

func (o observed) check(t *testing.T, what string, workers int) {
	t.Helper()
	if !o.atWork(workers) || o.connections > workers || o.active > workers || o.parallel > 0 {
		t.Errorf("%s: %d connections at once, %d of them at work, %d parallel workers; want %d at most and no parallel worker",
			what, o.connections, o.active, o.parallel, workers)
	}
	if len(o.locks) != 1 || !o.locks["AccessShareLock"] {
		t.Errorf("%s: locks %v, want AccessShareLock alone", what, o.locks)
	}
}

// observer polls the service's sessions on a node until end is called.
type observer struct {
	conn    *pgx.Conn
	done    chan struct{}
	polling sync.WaitGroup

	mu   sync.Mutex
	seen observed
}

func observe(t *testing.T, c *pgtest.Cluster, node int) *observer {
	t.Helper()
	o := &observer{conn: c.Connect(t, node), done: make(chan struct{}), seen: observed{locks: map[string]bool{}}}
	o.polling.Go(func() {
		for {
			if err := o.poll(t.Context()); err != nil {
				t.Errorf("observing node %d: %v", node+1, err)
				return
			}
			select {
			case <-o.done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	return o
}

func (o *observer) poll(ctx context.Context) error {
	var now observed
	var locks []string
	err := o.conn.QueryRow(ctx, `SELECT count(DISTINCT a.pid) FILTER (WHERE a.backend_type = 'client backend'),
		count(DISTINCT a.pid) FILTER (WHERE a.backend_type = 'client backend' AND a.state = 'active'),
		count(DISTINCT a.pid) FILTER (WHERE a.backend_type = 'parallel worker'),
		coalesce(array_agg(DISTINCT l.mode) FILTER (WHERE l.mode IS NOT NULL), '{}')
		FROM pg_stat_activity a LEFT JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'relation' AND l.relation >= 16384
		WHERE a.datname = current_database() AND a.application_name LIKE 'ace%'`).Scan(&now.connections, &now.active, &now.parallel, &locks)

	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen.connections = max(o.seen.connections, now.connections)
	o.seen.active = max(o.seen.active, now.active)
	o.seen.parallel = max(o.seen.parallel, now.parallel)
	for _, mode := range locks {
		o.seen.locks[mode] = true
	}
	return err
}

// now returns what has been observed so far.
func (o *observer) now() observed {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.seen
	seen.locks = maps.Clone(o.seen.locks)
	return seen
}

// end stops the observer and returns what it observed.
func (o *observer) end() observed {
	close(o.done)
	o.polling.Wait()
	_ = o.conn.Close(context.Background())
	return o.now()
}

func TestTableDiff_WritesNothingOnTheNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("autovacuum", "off"), pgtest.ServerSetting("wal_level", "minimal"), pgtest.ServerSetting("max_wal_senders", "0"))
	differingTable(t, c)
	c.ExecAll(t, scatteredTable())
	c.Exec(t, 1, `UPDATE scattered SET filler = 'g' WHERE id::text LIKE '00%'`)
	c.ExecAll(t, `VACUUM ANALYZE`, `VACUUM`, `CHECKPOINT`) // otherwise the first session that reads a page would change it
	traces := func(node int) string {
		return fmt.Sprint(c.QueryStrings(t, node, `SELECT pg_snapshot_xmax(pg_current_snapshot()), pg_current_wal_lsn(),
			(SELECT sum(temp_files) FROM pg_stat_database), (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid())`))
	}
	before := []string{traces(0), traces(1)}
	s := apptest.New(t, c, apptest.Options{})
	filter := "filler <> 'x' AND id::text <> '' -- a filter that no index knows"
	for _, args := range [][]string{{"public.t"}, {"public.scattered"}, {"public.scattered", "table_filter", filter}, {"public.t", "checksum", "sha256"}} {
		if d := s.Diff(t, args[0], append(args[1:], "block_rows", "1000")...); d.Result.MismatchedRows < 8 {
			t.Errorf("%v: %d rows mismatched", args, d.Result.MismatchedRows)
		}
	}
	s.App.Close()
	for node := range c.Nodes {
		waitForNoSession(t, c, node) // a session reports its statistics when it ends
		if after := traces(node); after != before[node] {
			t.Errorf("node %d: transactions, WAL, temporary files, relations and locks were %s and are %s", node+1, before[node], after)
		}
	}
}

// waitForNoSession waits until the service has no session on a node.
func waitForNoSession(t *testing.T, c *pgtest.Cluster, node int) {
	t.Helper()
	left := func() [][]string {
		return c.QueryStrings(t, node, `SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ace%'`)
	}
	for deadline := time.Now().Add(time.Minute); len(left()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("node %d still has sessions in %v", node+1, left())
		}
	}
}

// An error must not leave an open transaction in the pool.
func TestTableDiff_LeavesNoTransactionOpenAfterAFailure(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	differingTable(t, c)
	s := apptest.New(t, c, apptest.Options{})
	s.Fail(t, "public.t", "table_filter", "1 / (id - 4000) > 0")
	for node := range c.Nodes {
		open := c.QueryStrings(t, node, `SELECT count(*) FILTER (WHERE state LIKE 'idle in transaction%' OR state = 'active') FROM pg_stat_activity
			WHERE datname = current_database() AND application_name LIKE 'ace%'`)
		if n, err := strconv.Atoi(open[0][0]); err != nil || n > 0 {
			t.Errorf("node %d has %v open transactions", node+1, open)
		}
	}
}
