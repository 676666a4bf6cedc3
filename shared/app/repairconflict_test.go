//go:build !unit

package app_test

import (
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// awaitRows waits until a query on a node returns want.
func awaitRows(t *testing.T, c *pgtest.Cluster, node int, query, want string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got = c.QueryStrings(t, node, query)[0][0]; got == want {
			return
		}
	}
	t.Fatalf("node %d: %s is %s, want %s", node, query, got, want)
}

// Case O-F2, see docs/RELIABILITY.md. A publisher is repaired from its subscriber. The
// inserted rows would be replicated to the subscriber, which has them already, and the
// subscription would stop.
func TestTableRepair_OfAPublisherDoesNotStopTheSubscription(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 10) i`)
	c.Exec(t, 0, `DELETE FROM t WHERE id IN (3, 4)`, `CREATE PUBLICATION p FOR TABLE t`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p WITH (copy_data = false)`)
	dropAtEnd(t, c, 1, "s")
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")

	lag := func(r *api.TableRepairRequest) { r.AllowLag = true }
	for name, change := range map[string]func(*api.TableRepairRequest){"a dry run": dryRun, "a repair": nil, "with allow_lag": lag} {
		// With lag, a dry run does not predict the conflict: it cannot know which rows are on
		// their way.
		awaitRows(t, c, 0, `SELECT bool_and(active AND confirmed_flush_lsn >= pg_current_wal_insert_lsn()) FROM pg_replication_slots`, "t")
		r := repair(t, s, d.TaskID, "n2", change)
		if r.Status != api.StatusFailed || !strings.Contains(r.Error, `subscription "s" of node "n2"`) || !strings.Contains(r.Error, "allow_conflict=true") {
			t.Errorf("%s: %s %s", name, r.Status, r.Error)
		}
		want := "+0 ~0 -0 =0 /0 rolled_back"
		if r.DryRun {
			want = "+2 ~0 -0 =0 /0 "
		}
		if r.counts("n1") != want {
			t.Errorf("%s counts %s", name, r.counts("n1"))
		}
	}
	c.Exec(t, 0, `INSERT INTO t VALUES (11, 'new')`)
	awaitRows(t, c, 1, `SELECT count(*) FROM t`, "11")

	// Without insertions there is no conflict.
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id = 1`)
	if r := repair(t, s, s.Diff(t, "public.t", "table_filter", "id = 1").TaskID, "n2", nil); r.counts("n1") != "+0 ~1 -0 =0 /0 committed" {
		t.Errorf("an update: %s %s", r.counts("n1"), r.Error)
	}
	r := repair(t, s, d.TaskID, "n2", func(r *api.TableRepairRequest) { r.AllowConflict = true })
	if r.counts("n1") != "+2 ~0 -0 =0 /0 committed" || !strings.Contains(strings.Join(r.Warnings, "\n"), `subscription "s" of node n2`) {
		t.Errorf("with allow_conflict: %s %s, warnings %q", r.counts("n1"), r.Error, r.Warnings)
	}
}

// Case O-F2, see docs/RELIABILITY.md. A node that the repair leaves out subscribes to the
// target. The repair is refused if that node has the inserted rows. If that node lacks
// them, it gets them by replication.
func TestTableRepair_OfAPublisherChecksASubscriptionOfAThirdNode(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(3), pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 10) i`)
	c.Exec(t, 1, `DELETE FROM t WHERE id IN (5, 6)`, `CREATE PUBLICATION p FOR TABLE t`)
	c.Exec(t, 2, `DELETE FROM t WHERE id = 6`, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(1)+`' PUBLICATION p WITH (copy_data = false)`)
	dropAtEnd(t, c, 2, "s")
	s := apptest.New(t, c, apptest.Options{})
	only := func(r *api.TableRepairRequest) { r.Nodes = []string{"n2"} }

	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", only)
	if r.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" || !strings.Contains(r.Error, `subscription "s" of node "n3"`) || !strings.Contains(r.Error, "allow_conflict=true") {
		t.Errorf("n3 has a row: %s %s", r.counts("n2"), r.Error)
	}

	d := s.Diff(t, "public.t", "table_filter", "id = 6")
	if r := repair(t, s, d.TaskID, "n1", dryRun); !strings.Contains(r.Error, "(nodes=n2)") {
		t.Errorf("a dry run for all nodes of a chain: %s", r.Error)
	}
	if r := repair(t, s, d.TaskID, "n1", only); r.counts("n2") != "+1 ~0 -0 =0 /0 committed" {
		t.Errorf("the first node of a chain: %s %s", r.counts("n2"), r.Error)
	}
	awaitRows(t, c, 2, `SELECT count(*) FROM t`, "10")
}

// Case O-P13, see docs/RELIABILITY.md. The subscription to the target stops at a row that
// exists already. Waiting does not help, and inserted rows would add a second conflict.
func TestTableRepair_NamesASubscriptionThatFails(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"), pgtest.ServerSetting("wal_retrieve_retry_interval", "500ms"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE t`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p WITH (copy_data = false)`, `INSERT INTO t VALUES (500, 'local')`)
	dropAtEnd(t, c, 1, "s")
	c.Exec(t, 0, `INSERT INTO t VALUES (500, 'a')`, `INSERT INTO t VALUES (501, 'b')`)
	awaitRows(t, c, 1, `SELECT apply_error_count > 0 FROM pg_stat_subscription_stats`, "t")
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")

	lag := func(r *api.TableRepairRequest) { r.AllowLag = true }
	for name, change := range map[string]func(*api.TableRepairRequest){"a dry run": dryRun, "a repair": nil, "with allow_lag": lag} {
		began := time.Now()
		r := repair(t, s, d.TaskID, "n1", change)
		if r.Status != api.StatusFailed || !strings.Contains(r.Error, `subscription "s", which brings this table's changes from node "n1", fails`) ||
			!strings.Contains(r.Error, `ALTER SUBSCRIPTION "s" SKIP`) || strings.Contains(r.Error, "allow_") {
			t.Errorf("%s: %s %s", name, r.Status, r.Error)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}

	// When the conflict is removed, the subscription catches up and nothing is left to do.
	c.Exec(t, 1, `DELETE FROM t WHERE id = 500`)
	if r := repair(t, s, d.TaskID, "n1", nil); r.counts("n2") != "+0 ~0 -0 =2 /0 committed" {
		t.Errorf("after the conflict: %s %s", r.counts("n2"), r.Error)
	}
}
