//go:build !unit

package app_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
)

// scatteredTable creates a public.t that is large enough to be read in physical order.
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
	s := apptest.New(t, c, apptest.Options{Parallel: 4})
	for _, tt := range []struct {
		ratio   string
		workers int
	}{{"0.25", 1}, {"0.6", 2}, {"1", 4}} { // ascending, since connections are kept for a while
		for _, table := range []string{"public.ordered", "public.scattered"} {
			what := fmt.Sprintf("%s with a ratio of %s", table, tt.ratio)
			for node, seen := range observeDiffs(t, s, table, tt.ratio, tt.workers) {
				seen.check(t, fmt.Sprintf("%s on node %d", what, node+1), tt.workers)
				left := c.QueryStrings(t, node, `SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ace' AND state <> 'idle'`)
				if len(left) > 0 {
					t.Errorf("node %d: after the run sessions are left in %v", node+1, left)
				}
			}
		}
	}
}

// observeDiffs compares a table while it observes the sessions of each node, and returns
// what it observed. A transaction takes milliseconds, so on a busy machine a comparison
// may end before the observer sees a session at work. It therefore repeats the comparison
// until it has seen each node at work. The bounds hold for all comparisons together.
func observeDiffs(t *testing.T, s *apptest.Service, table, ratio string, workers int) []observed {
	t.Helper()
	nodes := s.Cluster.Nodes
	seen := make([]observed, len(nodes))
	for deadline := time.Now().Add(time.Minute); ; {
		stop := make([]func() observed, len(nodes))
		for node := range nodes {
			stop[node] = observe(t, s.Cluster, node)
		}
		s.Diff(t, table, "block_rows", "1000", "batch_size", "4", "max_cpu_ratio", ratio)
		atWork := true
		for node := range nodes {
			seen[node] = seen[node].and(stop[node]())
			atWork = atWork && seen[node].atWork(workers)
		}
		if atWork || time.Now().After(deadline) {
			return seen
		}
	}
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

// and returns what was observed in two comparisons.
func (o observed) and(more observed) observed {
	locks := map[string]bool{}
	maps.Copy(locks, o.locks)
	maps.Copy(locks, more.locks)
	return observed{
		connections: max(o.connections, more.connections),
		active:      max(o.active, more.active),
		parallel:    max(o.parallel, more.parallel),
		locks:       locks,
	}
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

// observe polls a node's sessions until the returned function is called.
func observe(t *testing.T, c *pgtest.Cluster, node int) (stop func() observed) {
	t.Helper()
	conn := c.Connect(t, node)
	seen := observed{locks: map[string]bool{}}
	done := make(chan struct{})
	var observer sync.WaitGroup
	observer.Go(func() {
		for {
			var now observed
			var locks []string
			err := conn.QueryRow(t.Context(), `SELECT count(DISTINCT a.pid) FILTER (WHERE a.backend_type = 'client backend'),
				count(DISTINCT a.pid) FILTER (WHERE a.backend_type = 'client backend' AND a.state = 'active'),
				count(DISTINCT a.pid) FILTER (WHERE a.backend_type = 'parallel worker'),
				coalesce(array_agg(DISTINCT l.mode) FILTER (WHERE l.mode IS NOT NULL), '{}')
				FROM pg_stat_activity a LEFT JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'relation' AND l.relation >= 16384
				WHERE a.datname = current_database() AND a.application_name = 'ace'`).Scan(&now.connections, &now.active, &now.parallel, &locks)
			if err != nil {
				t.Errorf("observing node %d: %v", node+1, err)
				return
			}
			seen.connections, seen.active, seen.parallel = max(seen.connections, now.connections), max(seen.active, now.active), max(seen.parallel, now.parallel)
			for _, mode := range locks {
				seen.locks[mode] = true
			}
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	return func() observed {
		close(done)
		observer.Wait()
		return seen
	}
}

func TestTableDiff_WritesNothingOnTheNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("autovacuum", "off"), pgtest.ServerSetting("wal_level", "minimal"), pgtest.ServerSetting("max_wal_senders", "0"))
	differingTable(t, c)
	c.ExecAll(t, scatteredTable())
	c.Exec(t, 1, `UPDATE scattered SET filler = 'g' WHERE id::text LIKE '00%'`)
	c.ExecAll(t, `VACUUM ANALYZE`, `VACUUM`, `CHECKPOINT`) // else the first reader of a page tidies it up
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
		return c.QueryStrings(t, node, `SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ace'`)
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
			WHERE datname = current_database() AND application_name = 'ace'`)
		if n, err := strconv.Atoi(open[0][0]); err != nil || n > 0 {
			t.Errorf("node %d has %v open transactions", node+1, open)
		}
	}
}
