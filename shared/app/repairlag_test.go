//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

func TestTableRepair_WaitsForPendingReplication(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE t`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p WITH (copy_data = false)`)
	dropAtEnd(t, c, 1, "s")
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 1, `ALTER SUBSCRIPTION s DISABLE`)
	c.Exec(t, 0, `INSERT INTO t SELECT i, 'a' FROM generate_series(1, 100) i`)
	d := s.Diff(t, "public.t")
	if d.Result.MismatchedRows != 100 {
		t.Fatalf("%d rows differ", d.Result.MismatchedRows)
	}
	r := repair(t, s, d.TaskID, "n1", nil)
	if r.Status != api.StatusFailed || !strings.Contains(r.Error, `subscription "s"`) || !strings.Contains(r.Error, "allow_lag") || r.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" {
		t.Errorf("%s %s", r.Status, r.Error)
	}
	dry := repair(t, s, d.TaskID, "n1", dryRun)
	if dry.Status != api.StatusCompleted || !strings.Contains(strings.Join(dry.Warnings, " "), `subscription "s"`) {
		t.Errorf("dry run %s %s, warnings %v", dry.Status, dry.Error, dry.Warnings)
	}
	c.Exec(t, 1, `ALTER SUBSCRIPTION s ENABLE`)
	r = repair(t, s, d.TaskID, "n1", nil)
	if r.counts("n2") != "+0 ~0 -0 =100 /0 committed" {
		t.Errorf("%s %s: a repair that waits finds nothing to do", r.counts("n2"), r.Error)
	}
}

// A subscription is enabled but makes no progress, because another session holds a lock.
func TestTableRepair_ADryRunReportsTheLagOfASubscription(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `CREATE TABLE held (id int PRIMARY KEY)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE t, held`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p WITH (copy_data = false)`)
	dropAtEnd(t, c, 1, "s")
	holder := c.Connect(t, 1)
	if _, err := holder.Exec(t.Context(), `BEGIN; LOCK TABLE held`); err != nil {
		t.Fatal(err)
	}
	c.Exec(t, 0, `INSERT INTO held VALUES (1)`, `INSERT INTO t VALUES (1, 'a')`)
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")
	dry := repair(t, s, d.TaskID, "n1", dryRun)
	if warnings := strings.Join(dry.Warnings, " "); !strings.Contains(warnings, `subscription "s"`) || !strings.Contains(warnings, "bytes of log") {
		t.Errorf("dry run %s %s, warnings %v", dry.Status, dry.Error, dry.Warnings)
	}
	id := submitRepair(t, s, d.TaskID, "n1", nil)
	time.Sleep(time.Second)
	if _, err := holder.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if status := s.Wait(t, id); status.Status != api.StatusCompleted || !strings.Contains(string(status.Result), `"unchanged":1`) {
		t.Errorf("%s %s %s", status.Status, status.Error, status.Result)
	}
}

// Without the wait, the subscription would copy rows that the repair has already
// inserted, and would stop with an error.
func TestTableRepair_WaitsForTheFirstCopyOfASubscription(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"), pgtest.ServerSetting("max_sync_workers_per_subscription", "0"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE t`, `INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p`)
	dropAtEnd(t, c, 1, "s")
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")
	dry := repair(t, s, d.TaskID, "n1", dryRun)
	if warnings := strings.Join(dry.Warnings, " "); !strings.Contains(warnings, `subscription "s"`) || !strings.Contains(warnings, "has not finished the initial copy") {
		t.Errorf("dry run %s %s, warnings %v", dry.Status, dry.Error, dry.Warnings)
	}
	id := submitRepair(t, s, d.TaskID, "n1", nil)
	time.Sleep(time.Second)
	c.Exec(t, 1, `ALTER SYSTEM SET max_sync_workers_per_subscription = 2`, `SELECT pg_reload_conf()`)
	if status := s.Wait(t, id); status.Status != api.StatusCompleted || !strings.Contains(string(status.Result), `"unchanged":1`) {
		t.Errorf("%s %s %s", status.Status, status.Error, status.Result)
	}
}

func TestTableRepair_WithAllowLagRepairsAnyway(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE t`, `INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p WITH (copy_data = false)`, `ALTER SUBSCRIPTION s DISABLE`)
	dropAtEnd(t, c, 1, "s")
	s := apptest.New(t, c, apptest.Options{})
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", func(r *api.TableRepairRequest) { r.AllowLag = true })
	if r.counts("n2") != "+1 ~0 -0 =0 /0 committed" || len(unprivileged(r.Warnings)) == 0 {
		t.Errorf("%s %s, warnings %v", r.counts("n2"), r.Error, r.Warnings)
	}
}

// Both nodes subscribe to each other and skip changes with an origin, so a repair of one
// node is not replicated to the other.
func TestTableRepair_BetweenNodesThatReplicateToEachOtherNothingIsUndone(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Majors(pgtest.Newest, pgtest.Newest), pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `CREATE PUBLICATION p FOR TABLE t`)
	for to, from := range []int{1, 0} {
		c.Exec(t, to, fmt.Sprintf(`CREATE SUBSCRIPTION s%d CONNECTION '%s' PUBLICATION p WITH (copy_data = false, origin = none)`, to, c.DSN(from)))
		dropAtEnd(t, c, to, fmt.Sprint("s", to))
	}
	// Changes with an origin are not replicated, so the nodes become different.
	differ := []string{`SELECT pg_replication_origin_create('test')`, `SELECT pg_replication_origin_session_setup('test')`}
	c.Exec(t, 0, append(differ, `INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`)...)
	c.Exec(t, 1, append(differ, `INSERT INTO t VALUES (2, 'x'), (3, 'c'), (4, 'y')`)...)
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")

	// A role that may not set an origin cannot let the other node skip the repair.
	plain := apptest.New(t, asRole(t, c, "GRANT SELECT, INSERT, UPDATE, DELETE ON t TO ROLE", "GRANT SET ON PARAMETER session_replication_role TO ROLE"), apptest.Options{Store: s.Store})
	for _, change := range []func(*api.TableRepairRequest){dryRun, nil} {
		if r := repair(t, plain, d.TaskID, "n1", change); r.Status != api.StatusFailed || !strings.Contains(r.Error, "allow the role to set a replication origin") {
			t.Errorf("without the right to set an origin: %s %s", r.Status, r.Error)
		}
	}

	r := repair(t, s, d.TaskID, "n1", nil)
	if r.counts("n2") != "+1 ~1 -1 =0 /0 committed" || len(unprivileged(r.Warnings)) > 0 {
		t.Errorf("%s %s, warnings %v", r.counts("n2"), r.Error, r.Warnings)
	}
	for node := range c.Nodes {
		c.Exec(t, node, fmt.Sprintf(`INSERT INTO t VALUES (%d, 'new'); UPDATE t SET v = v || '!' WHERE id = %d`, 10+node, 1+node))
	}
	want := [][]string{{"(1,a!)"}, {"(10,new)"}, {"(11,new)"}, {"(2,b!)"}, {"(3,c)"}}
	for node := range c.Nodes {
		var got [][]string
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && !cmp.Equal(want, got); time.Sleep(20 * time.Millisecond) {
			got = content(t, c, node, "t")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("node %d: replication has not gone on:\n%s", node, diff)
		}
	}
}

// dropAtEnd drops a subscription at the end of the test, even if its publisher is gone.
func dropAtEnd(t *testing.T, c *pgtest.Cluster, node int, subscription string) {
	t.Helper()
	t.Cleanup(func() {
		c.Exec(t, node, `ALTER SUBSCRIPTION `+subscription+` DISABLE`, `ALTER SUBSCRIPTION `+subscription+` SET (slot_name = NONE)`, `DROP SUBSCRIPTION `+subscription)
	})
}

// backwards makes the first node, which is the source of truth, subscribe to the second.
// A lock on the table held of the first node blocks the changes that the first node
// applies.
func backwards(t *testing.T) *pgtest.Cluster {
	t.Helper()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'old'), (2, 'gone')`, `CREATE TABLE held (id int PRIMARY KEY)`)
	c.Exec(t, 1, `CREATE PUBLICATION p FOR TABLE t, held`)
	c.Exec(t, 0, `CREATE SUBSCRIPTION back CONNECTION '`+c.DSN(1)+`' PUBLICATION p WITH (copy_data = false)`)
	dropAtEnd(t, c, 0, "back")
	return c
}

// Without the wait, a repair would revert changes of the target that the source of truth
// has not received yet, and the source would receive these changes afterwards.
func TestTableRepair_WaitsUntilTheSourceHasTheChangesOfTheTarget(t *testing.T) {
	t.Parallel()
	c := backwards(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `ALTER SUBSCRIPTION back DISABLE`)
	c.Exec(t, 1, `UPDATE t SET v = 'newer' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 'new')`)
	d := s.Diff(t, "public.t")
	if d.Result.MismatchedRows != 3 {
		t.Fatalf("%d rows differ", d.Result.MismatchedRows)
	}
	r := repair(t, s, d.TaskID, "n1", nil)
	if r.Status != api.StatusFailed || !strings.Contains(r.Error, `node "n1": subscription "back"`) || !strings.Contains(r.Error, "allow_lag") || r.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" {
		t.Errorf("%s %s %s", r.Status, r.counts("n2"), r.Error)
	}
	dry := repair(t, s, d.TaskID, "n1", dryRun)
	if dry.Status != api.StatusCompleted || !strings.Contains(strings.Join(dry.Warnings, " "), `subscription "back", which brings`) {
		t.Errorf("dry run %s %s, warnings %v", dry.Status, dry.Error, dry.Warnings)
	}
	c.Exec(t, 0, `ALTER SUBSCRIPTION back ENABLE`)
	r = repair(t, s, d.TaskID, "n1", nil)
	if r.counts("n2") != "+0 ~0 -0 =3 /0 committed" {
		t.Errorf("%s %s: a repair that waits finds nothing to do", r.counts("n2"), r.Error)
	}
	for node := range c.Nodes {
		if diff := cmp.Diff([][]string{{"(1,newer)"}, {"(3,new)"}}, content(t, c, node, "t")); diff != "" {
			t.Errorf("node %d:\n%s", node, diff)
		}
	}
}

// The repair also waits for changes that are written while it waits for a row's lock,
// before it reads the source.
func TestTableRepair_WaitsForChangesWrittenJustBeforeItsLocks(t *testing.T) {
	t.Parallel()
	c := backwards(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `UPDATE t SET v = 'other' WHERE id = 1`)
	d := s.Diff(t, "public.t")
	writer, holder := c.Connect(t, 1), c.Connect(t, 0)
	execOn(t, writer, `BEGIN; UPDATE t SET v = 'newer' WHERE id = 1`)
	id := submitRepair(t, s, d.TaskID, "n1", nil)
	awaitLock(t, c, 1)
	execOn(t, holder, `BEGIN; LOCK TABLE held`)
	c.Exec(t, 1, `INSERT INTO held VALUES (1)`)
	execOn(t, writer, `COMMIT`)
	time.Sleep(time.Second)
	if got := content(t, c, 1, "t")[0][0]; got != "(1,newer)" {
		t.Errorf("while the source lags the row was made %s", got)
	}
	execOn(t, holder, `ROLLBACK`)
	if status := s.Wait(t, id); status.Status != api.StatusCompleted || !strings.Contains(string(status.Result), `"unchanged":1`) {
		t.Errorf("%s %s %s", status.Status, status.Error, status.Result)
	}
	for node := range c.Nodes {
		if got := content(t, c, node, "t")[0][0]; got != "(1,newer)" {
			t.Errorf("node %d has %s", node, got)
		}
	}
}

// mesh makes three nodes subscribe to each other. A lock on the table held of a node
// blocks the changes that the node applies.
func mesh(t *testing.T) *pgtest.Cluster {
	t.Helper()
	c := pgtest.Own(t, pgtest.Nodes(3), pgtest.Majors(pgtest.Newest, pgtest.Newest, pgtest.Newest), pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'old'), (2, 'gone')`,
		`CREATE TABLE held (id int PRIMARY KEY)`, `CREATE PUBLICATION p FOR TABLE t, held`)
	for to := range c.Nodes {
		for from := range c.Nodes {
			if from == to {
				continue
			}
			name := fmt.Sprintf("s%d%d", from+1, to+1)
			c.Exec(t, to, fmt.Sprintf(`CREATE SUBSCRIPTION %s CONNECTION '%s' PUBLICATION p WITH (copy_data = false, origin = none)`, name, c.DSN(from)))
			dropAtEnd(t, c, to, name)
		}
	}
	return c
}

// execOn runs statements in a session.
func execOn(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// awaitLock waits until a session waits for a lock.
func awaitLock(t *testing.T, c *pgtest.Cluster, node int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if len(c.QueryStrings(t, node, `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)) > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the repair does not wait for the row's lock")
		}
	}
}

// driftOfOne changes one row on the second node of a mesh, without replication to the
// others, and compares.
func driftOfOne(t *testing.T, c *pgtest.Cluster, s *apptest.Service) apptest.Diff {
	t.Helper()
	c.Exec(t, 1, `SELECT pg_replication_origin_create('test')`, `SELECT pg_replication_origin_session_setup('test')`, `UPDATE t SET v = 'other' WHERE id = 1`)
	d := s.Diff(t, "public.t")
	if d.Result.MismatchedRows != 1 {
		t.Fatalf("%d rows differ", d.Result.MismatchedRows)
	}
	return d
}

// awaitContent waits until a table has the given rows on a node.
func awaitContent(t *testing.T, c *pgtest.Cluster, node int, want [][]string) {
	t.Helper()
	var got [][]string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got = content(t, c, node, "t"); cmp.Equal(want, got) {
			return
		}
	}
	t.Fatalf("node %d has %v, want %v", node, got, want)
}

// Without the wait, a repair would revert the changes of a third node that the target has
// received and the source of truth has not.
func TestTableRepair_WaitsUntilTheSourceHasTheChangesOfAThirdNode(t *testing.T) {
	t.Parallel()
	c := mesh(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `ALTER SUBSCRIPTION s31 DISABLE`)
	c.Exec(t, 2, `UPDATE t SET v = 'newer' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 'new')`)
	want := [][]string{{"(1,newer)"}, {"(3,new)"}}
	awaitContent(t, c, 1, want)
	d := s.Diff(t, "public.t")
	r := repair(t, s, d.TaskID, "n1", nil)
	if r.Status != api.StatusFailed || !strings.Contains(r.Error, `node "n1": subscription "s31"`) || !strings.Contains(r.Error, `from node "n3"`) || r.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" {
		t.Errorf("%s %s %s", r.Status, r.counts("n2"), r.Error)
	}
	dry := repair(t, s, d.TaskID, "n1", dryRun)
	if dry.Status != api.StatusCompleted || strings.Count(strings.Join(dry.Warnings, " "), `subscription "s31", which brings`) != 1 {
		t.Errorf("dry run %s %s, warnings %v", dry.Status, dry.Error, dry.Warnings)
	}
	c.Exec(t, 0, `ALTER SUBSCRIPTION s31 ENABLE`)
	r = repair(t, s, d.TaskID, "n1", nil)
	if r.counts("n2") != "+0 ~0 -0 =3 /0 committed" || r.counts("n3") != "+0 ~0 -0 =3 /0 committed" {
		t.Errorf("%s %s %s: a repair that waits finds nothing to do", r.counts("n2"), r.counts("n3"), r.Error)
	}
	for node := range c.Nodes {
		awaitContent(t, c, node, want)
	}
}

// The source of truth has received a row from a third node, and the target has not. If
// the repair inserted it, the subscription of the target would stop.
func TestTableRepair_WaitsForPendingReplicationFromAThirdNode(t *testing.T) {
	t.Parallel()
	c := mesh(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 1, `ALTER SUBSCRIPTION s32 DISABLE`)
	c.Exec(t, 2, `INSERT INTO t VALUES (3, 'new')`)
	want := [][]string{{"(1,old)"}, {"(2,gone)"}, {"(3,new)"}}
	awaitContent(t, c, 0, want)
	d := s.Diff(t, "public.t")
	r := repair(t, s, d.TaskID, "n1", nil)
	if r.Status != api.StatusFailed || !strings.Contains(r.Error, `node "n2": subscription "s32"`) || !strings.Contains(r.Error, `from node "n3"`) || r.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" {
		t.Errorf("%s %s %s", r.Status, r.counts("n2"), r.Error)
	}
	c.Exec(t, 1, `ALTER SUBSCRIPTION s32 ENABLE`)
	if r = repair(t, s, d.TaskID, "n1", nil); r.counts("n2") != "+0 ~0 -0 =1 /0 committed" {
		t.Errorf("%s %s: a repair that waits finds nothing to do", r.counts("n2"), r.Error)
	}
	c.Exec(t, 2, `INSERT INTO t VALUES (4, 'on')`)
	for node := range c.Nodes {
		awaitContent(t, c, node, append(want, []string{"(4,on)"}))
	}
}

// The repair also waits for changes that a third node writes while it waits for a row's
// lock, before it reads the source.
func TestTableRepair_WaitsForChangesOfAThirdNodeWrittenJustBeforeItsLocks(t *testing.T) {
	t.Parallel()
	c := mesh(t)
	s := apptest.New(t, c, apptest.Options{})
	d := driftOfOne(t, c, s)
	writer, holder := c.Connect(t, 1), c.Connect(t, 0)
	execOn(t, writer, `BEGIN; SELECT FROM t WHERE id = 1 FOR KEY SHARE`) // this lock holds up the repair, but not the changes that replication applies
	id := submitRepair(t, s, d.TaskID, "n1", nil)
	awaitLock(t, c, 1)
	execOn(t, holder, `BEGIN; LOCK TABLE held`)
	c.Exec(t, 2, `INSERT INTO held VALUES (1)`, `INSERT INTO t VALUES (5, 'of the third')`)
	awaitContent(t, c, 1, [][]string{{"(1,other)"}, {"(2,gone)"}, {"(5,\"of the third\")"}})
	execOn(t, writer, `COMMIT`)
	time.Sleep(time.Second)
	if got := content(t, c, 1, "t"); len(got) != 3 || got[0][0] != "(1,other)" {
		t.Errorf("while the source lags the node was made %v", got)
	}
	execOn(t, holder, `ROLLBACK`)
	if status := s.Wait(t, id); status.Status != api.StatusCompleted {
		t.Errorf("%s %s %s", status.Status, status.Error, status.Result)
	}
	awaitContent(t, c, 0, [][]string{{"(1,old)"}, {"(2,gone)"}, {"(5,\"of the third\")"}})
	awaitContent(t, c, 1, [][]string{{"(1,old)"}, {"(2,gone)"}, {"(5,\"of the third\")"}})
}

// An unreachable third node does not prevent a repair, because it may be the reason for
// the repair. The result has a warning.
func TestTableRepair_WarnsOfAThirdNodeThatCannotBeQueried(t *testing.T) {
	t.Parallel()
	c := mesh(t)
	s := apptest.New(t, c, apptest.Options{Patience: time.Second})
	d := driftOfOne(t, c, s)
	third := c.Nodes[2].Server
	t.Cleanup(func() {
		if err := third.Restart(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := third.Kill(); err != nil {
		t.Fatal(err)
	}
	r := repair(t, s, d.TaskID, "n1", func(r *api.TableRepairRequest) { r.Nodes = []string{"n2"} })
	if r.counts("n2") != "+0 ~1 -0 =0 /0 committed" {
		t.Errorf("%s %s %s", r.Status, r.counts("n2"), r.Error)
	}
	warnings := strings.Join(r.Warnings, "\n")
	for _, says := range []string{`node n1: it is unknown whether replication has applied all changes of node n3`, `node n2: it is unknown whether replication has applied all changes of node n3`} {
		if !strings.Contains(warnings, says) {
			t.Errorf("the warnings do not say %q: %s", says, warnings)
		}
	}
}
