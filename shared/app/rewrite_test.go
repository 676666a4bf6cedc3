//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// rewriter rewrites a table in transactions that each stay open until a reader waits for
// the table.
type rewriter struct {
	t    *testing.T
	conn []*pgx.Conn // of each node
	sql  string
	wait sync.WaitGroup
}

// newRewriter connects to the nodes. sql rewrites the table t.
func newRewriter(t *testing.T, c *pgtest.Cluster, sql string) *rewriter {
	t.Helper()
	r := &rewriter{t: t, sql: sql}
	for node := range c.Nodes {
		r.conn = append(r.conn, c.Connect(t, node))
	}
	t.Cleanup(r.wait.Wait)
	return r
}

// rewrite rewrites the table on the given nodes and returns when all are rewritten. It
// commits each rewrite once a session of the node waits for a table.
func (r *rewriter) rewrite(nodes ...int) {
	var rewritten sync.WaitGroup
	rewritten.Add(len(nodes))
	for _, node := range nodes {
		r.wait.Go(func() {
			_, err := r.conn[node].Exec(r.t.Context(), "BEGIN; "+r.sql)
			rewritten.Done()
			if err != nil {
				r.t.Errorf("rewriting the table: %v", err)
				return
			}
			r.commit(node)
		})
	}
	rewritten.Wait()
}

const waitsForTable = `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
	WHERE NOT l.granted AND l.locktype = 'relation' AND a.datname = current_database() AND a.application_name LIKE 'ace%')`

// commit commits the rewrite on a node as soon as a session of the node waits for a
// table.
func (r *rewriter) commit(node int) {
	ctx := r.t.Context()
	for waits := false; !waits; time.Sleep(20 * time.Millisecond) {
		if err := r.conn[node].QueryRow(ctx, waitsForTable).Scan(&waits); err != nil {
			if ctx.Err() == nil {
				r.t.Errorf("looking for a session that waits: %v", err)
			}
			return
		}
	}
	if _, err := r.conn[node].Exec(ctx, "COMMIT"); err != nil && ctx.Err() == nil {
		r.t.Errorf("committing the rewrite: %v", err)
	}
}

// beforeUnit returns an invoker that calls do once, before the unit of a phase with this
// index.
func beforeUnit(phase string, index int, do func()) func(tablediff.Invoker) tablediff.Invoker {
	var once sync.Once
	return around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		if u.Phase == phase && u.Index == index {
			once.Do(do)
		}
		return next.Invoke(ctx, u)
	})
}

const (
	rowsByKey     = `CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20000) i`
	rowsScattered = `CREATE TABLE t (id uuid PRIMARY KEY, v text, filler text);
		INSERT INTO t SELECT md5(i::text)::uuid, 'v', repeat('f', 140) FROM generate_series(1, 60000) i; ANALYZE t`
	rowsInPartitions = `CREATE TABLE t (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id);
		CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10000); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10000) TO (30000);
		INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20000) i`
	rowsOfParent = `CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20000) i;
		CREATE TABLE child (extra int) INHERITS (t); INSERT INTO child VALUES (-1, 'not a row of t')`
	hundredDiffer = `UPDATE t SET v = 'other' WHERE id IN (SELECT id FROM t ORDER BY md5(id::text) LIMIT 100)`
)

// A snapshot that is older than a rewrite of the table sees no rows. A unit that waits
// for the rewrite must not read with such a snapshot: its rows would be taken for absent,
// on all nodes alike.
// Case T-F12, see docs/RELIABILITY.md.
func TestTableDiff_ARewrittenTableIsNeverReadAsEmpty(t *testing.T) {
	t.Parallel()
	const columnsOnly = "GRANT SELECT (id, v) ON t TO ROLE"
	for _, tt := range []struct {
		name   string
		create string
		phase  string // of the unit that waits
		sql    string
		grants []string // of the role that compares; nil: a superuser
		rows   int64
		fails  string // "": the outcome is right
	}{
		{"ranges of the key", rowsByKey, "compare", "ALTER TABLE t SET UNLOGGED", nil, 20000, ""},
		{"truncated and loaded", rowsByKey, "compare", "CREATE TEMP TABLE s ON COMMIT DROP AS TABLE t; TRUNCATE t; INSERT INTO t TABLE s", nil, 20000, ""},
		{"replaced", rowsByKey, "compare", "CREATE TABLE s (LIKE t INCLUDING ALL); INSERT INTO s TABLE t; ALTER TABLE t RENAME TO old; ALTER TABLE s RENAME TO t", nil, 20000, "altered during the comparison"},
		{"candidates", rowsByKey, "confirm", "ALTER TABLE t SET UNLOGGED", nil, 20000, ""},
		{"pages", rowsScattered, "buckets", "ALTER TABLE t SET UNLOGGED", nil, 60000, "rewritten while it was being compared"},
		{"one partition", rowsInPartitions, "compare", "ALTER TABLE t1 SET UNLOGGED", nil, 20000, ""},
		{"a table with children", rowsOfParent, "compare", "ALTER TABLE ONLY t SET UNLOGGED", nil, 20000, ""},
		{"a role that may not lock", rowsByKey, "compare", "ALTER TABLE t SET UNLOGGED", []string{columnsOnly}, 20000, "rewritten"},
		{"a role that may not lock partitions", rowsInPartitions, "compare", "ALTER TABLE t1 SET UNLOGGED", []string{columnsOnly}, 20000, "rewritten"},
		{"a role without rights on the partitions", rowsInPartitions, "compare", "ALTER TABLE t1 SET UNLOGGED", []string{"GRANT SELECT ON t TO ROLE"}, 20000, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
			c.ExecAll(t, tt.create)
			c.Exec(t, 1, hundredDiffer)
			by := c
			if tt.grants != nil {
				by = asRole(t, c, tt.grants...)
			}
			r := newRewriter(t, c, tt.sql)
			index := map[string]int{"compare": 1}[tt.phase]
			s := apptest.New(t, by, apptest.Options{Invoker: beforeUnit(tt.phase, index, func() { r.rewrite(0, 1) })})
			status := s.Wait(t, s.Submit(t, "public.t", "block_rows", "1000", "batch_size", "4", "max_cpu_ratio", "0.01"))
			if tt.fails != "" {
				if status.Status != api.StatusFailed || !strings.Contains(status.Error, tt.fails) {
					t.Errorf("%s: %q, want FAILED with %q", status.Status, status.Error, tt.fails)
				}
				return
			}
			if status.Status != api.StatusCompleted {
				t.Fatalf("%s: %s", status.Status, status.Error)
			}
			if d := s.Document(t, status); d.Summary.MismatchedRows != 100 || d.Summary.TotalRows != tt.rows {
				t.Errorf("%d of %d rows differ, want 100 of %d", d.Summary.MismatchedRows, d.Summary.TotalRows, tt.rows)
			}
		})
	}
}

// The source of a repair is read while it is being rewritten: its rows are not absent.
// Case T-F13, see docs/RELIABILITY.md.
func TestTableRepair_ARewrittenSourceDeletesNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 100000) i`)
	c.Exec(t, 1, hundredDiffer)
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")
	before := content(t, c, 1, "t")

	target, source := c.Connect(t, 1), c.Connect(t, 0)
	if _, err := target.Exec(t.Context(), `BEGIN; SELECT FROM t WHERE v = 'other' ORDER BY id LIMIT 1 FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	id := submitRepair(t, s, d.TaskID, "n1", nil)
	time.Sleep(time.Second) // the timing of the case
	if _, err := source.Exec(t.Context(), `BEGIN; ALTER TABLE t SET UNLOGGED`); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	(&rewriter{t: t, conn: []*pgx.Conn{source}}).commit(0)

	status := s.Wait(t, id)
	if status.Status != api.StatusFailed || !strings.Contains(status.Error, `node "n1": "public"."t" was altered since this was planned`) {
		t.Errorf("%s: %s %s", status.Status, status.Error, status.Result)
	}
	if got := content(t, c, 1, "t"); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("n2 has %d other rows than the %d before", len(got), len(before))
	}
	if r := repair(t, s, d.TaskID, "n1", nil); r.counts("n2") != "+0 ~100 -0 =0 /0 committed" {
		t.Errorf("the next repair: %s %s", r.counts("n2"), r.Error)
	}
}
