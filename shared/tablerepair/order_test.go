//go:build !unit

package tablerepair_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
)

// followed returns a cluster whose second node subscribes to the first node's public.t.
func followed(t *testing.T) *pgtest.Cluster {
	t.Helper()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"), pgtest.ServerSetting("wal_retrieve_retry_interval", "100ms"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE arrived (n serial PRIMARY KEY)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE t, arrived`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p WITH (copy_data = false)`)
	t.Cleanup(func() {
		c.Exec(t, 1, `ALTER SUBSCRIPTION s DISABLE`, `ALTER SUBSCRIPTION s SET (slot_name = NONE)`, `DROP SUBSCRIPTION s`)
	})
	return c
}

// publish changes rows on the first node and waits until the second node has applied the
// change or waits for a lock. It reports whether the change was applied.
func publish(t *testing.T, c *pgtest.Cluster, sql string) (applied bool) {
	t.Helper()
	n := c.QueryStrings(t, 0, `WITH i AS (INSERT INTO arrived DEFAULT VALUES RETURNING n) SELECT n + 1 FROM i`)[0][0]
	c.Exec(t, 0, sql+`; INSERT INTO arrived DEFAULT VALUES`)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		state := c.QueryStrings(t, 1, `SELECT EXISTS (SELECT 1 FROM arrived WHERE n = $1),
			EXISTS (SELECT 1 FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%' AND wait_event_type = 'Lock')`, n)[0]
		if state[0] == "t" || state[1] == "t" {
			return state[0] == "t"
		}
	}
	t.Fatal("the subscriber neither applies nor waits")
	return false
}

// seams are the calls before which a test can act.
var seams = []string{"n2 TryAdvisoryLock", "n2 Lock", "n1 Rows", "n2 Rows", "n2 Mark", "n2 Delete", "n2 Update", "n2 Insert", "n1 Digests", "n2 Digests", "n2 Commit"}

// A change is made at the source and replicated to the target at each seam of the repair.
// In the end the target's rows are never different from the source's, and the
// subscription continues. The next repair inserts rows that were left out.
func TestRepair_NeverOverwritesAConcurrentReplicatedChange(t *testing.T) {
	t.Parallel()
	c := followed(t)
	changes := map[string]struct{ target, source string }{
		"written":  {``, `UPDATE t SET v = 'new' WHERE id = 1; INSERT INTO t VALUES (5, 'new'); UPDATE t SET v = 'new' WHERE id = 2`},
		"deleted":  {``, `DELETE FROM t WHERE id IN (1, 2)`},
		"inserted": {`DELETE FROM t WHERE id = 4`, `INSERT INTO t VALUES (4, 'new')`},
	}
	for _, seam := range []string{"n2 Lock", "n1 Rows", "n2 Rows", "n2 Insert", "n2 Commit"} {
		for name, change := range changes {
			t.Run(name+" before "+seam, func(t *testing.T) {
				publish(t, c, `DELETE FROM t; INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
				c.Exec(t, 1, `DELETE FROM t; INSERT INTO t VALUES (2, 'x'), (3, 'c'), (4, 'y')`)
				b := newBench(t, c)
				other, met := c.Connect(t, 1), false
				b.once(seam, func() {
					met = true
					if _, err := other.Exec(t.Context(), `SET lock_timeout = '50ms'; `+change.target); err == nil {
						publish(t, c, change.source)
					}
				})
				r, err := b.run(t.Context(), t)
				if err != nil || !met {
					t.Fatalf("result %+v, error %v", r, err)
				}
				if !publish(t, c, `SELECT`) {
					t.Fatal("the subscription stands still")
				}
				source, target := rowsByKey(t, c, 0), rowsByKey(t, c, 1)
				for id, row := range source {
					if got, is := target[id]; got != row && (is || r.Nodes[0].Totals.Skipped == 0) {
						t.Errorf("the source has %s, the target %q", row, got)
					}
				}
				if again, err := newBench(t, c).run(t.Context(), t); err != nil || !cmp.Equal(source, rowsByKey(t, c, 1)) {
					t.Errorf("after another repair the target has %v: %+v, error %v", rowsByKey(t, c, 1), again, err)
				}
			})
		}
	}
}

// rowsByKey returns the rows of public.t on a node, ordered by their key.
func rowsByKey(t *testing.T, c *pgtest.Cluster, node int) map[string]string {
	t.Helper()
	rows := map[string]string{}
	for _, row := range c.QueryStrings(t, node, `SELECT id, t::text FROM t`) {
		rows[row[0]] = row[1]
	}
	return rows
}
