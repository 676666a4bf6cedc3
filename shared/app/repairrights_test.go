package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/shared/api"
	"ace/shared/app/apptest"
	"ace/shared/pg/pgtest"
)

// asRole gives a cluster whose definition logs in as a role that may do what is granted, and no more.
func asRole(t *testing.T, c *pgtest.Cluster, grants ...string) *pgtest.Cluster {
	t.Helper()
	role := "role_of_" + c.Name[:min(len(c.Name), 40)]
	c.ExecAll(t, "DROP ROLE IF EXISTS "+role, "CREATE ROLE "+role+" LOGIN PASSWORD 'plain'")
	t.Cleanup(func() { c.ExecAll(t, "DROP OWNED BY "+role, "DROP ROLE "+role) })
	for _, grant := range grants {
		c.ExecAll(t, strings.ReplaceAll(grant, "ROLE", role))
	}
	plain := *c
	plain.User, plain.Password = role, "plain"
	return &plain
}

func TestTableRepair_ARoleThatMayNotIsToldWhatToGrant(t *testing.T) {
	t.Parallel()
	const all = "GRANT SELECT, INSERT, UPDATE, DELETE ON t TO ROLE"
	tests := []struct {
		name   string
		major  int
		grants []string
		change func(*api.TableRepairRequest)
		says   string // "" if it works
	}{
		{"may only read", pgtest.Oldest, []string{"GRANT SELECT ON t TO ROLE"}, nil, "GRANT INSERT ON public.t"},
		{"may not delete", pgtest.Oldest, []string{"GRANT SELECT, INSERT, UPDATE ON t TO ROLE"}, nil, "GRANT DELETE ON public.t"},
		{"may not keep triggers quiet", pgtest.Oldest, []string{all}, nil, "GRANT SET ON PARAMETER session_replication_role"},
		{"row-level security", pgtest.Oldest, []string{all, "ALTER TABLE t ENABLE ROW LEVEL SECURITY"}, nil, "row-level security"},
		{"need not delete", pgtest.Oldest, []string{"GRANT SELECT, INSERT, UPDATE ON t TO ROLE"}, func(r *api.TableRepairRequest) { r.UpsertOnly, r.FireTriggers = true, true }, ""},
		{"need only insert", pgtest.Oldest, []string{"GRANT SELECT, INSERT ON t TO ROLE"}, func(r *api.TableRepairRequest) { r.InsertOnly, r.FireTriggers = true, true }, ""},
		{"may set the parameter", pgtest.Newest, []string{all, "GRANT SET ON PARAMETER session_replication_role TO ROLE"}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Majors(tt.major, tt.major))
			c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
			c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
			c.Exec(t, 1, `INSERT INTO t VALUES (2, 'x'), (3, 'y')`)
			s := apptest.New(t, c, apptest.Options{})
			id := s.Diff(t, "public.t").TaskID
			plain := apptest.New(t, asRole(t, c, tt.grants...), apptest.Options{Store: s.Store})
			dry := repair(t, plain, id, "n1", func(r *api.TableRepairRequest) {
				if tt.change != nil {
					tt.change(r)
				}
				r.DryRun = true
			})
			r := repair(t, plain, id, "n1", tt.change)
			if failed := r.Status == api.StatusFailed; failed != (tt.says != "") || !strings.Contains(r.Error, tt.says) || dry.Status != r.Status {
				t.Errorf("dry run %s %s, repair %s %s", dry.Status, dry.Error, r.Status, r.Error)
			}
		})
	}
}

func TestTableRepair_WaitsForWhatReplicationOwes(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE t`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p WITH (copy_data = false)`)
	t.Cleanup(func() {
		c.Exec(t, 1, `ALTER SUBSCRIPTION s DISABLE`, `ALTER SUBSCRIPTION s SET (slot_name = NONE)`, `DROP SUBSCRIPTION s`)
	})
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

// A subscription that is enabled but stands still, since somebody holds a lock there.
func TestTableRepair_ADryRunTellsHowFarASubscriptionIsBehind(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `CREATE TABLE held (id int PRIMARY KEY)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE t, held`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p WITH (copy_data = false)`)
	t.Cleanup(func() {
		c.Exec(t, 1, `ALTER SUBSCRIPTION s DISABLE`, `ALTER SUBSCRIPTION s SET (slot_name = NONE)`, `DROP SUBSCRIPTION s`)
	})
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

// What a subscription has yet to copy it would insert again, and stop for ever.
func TestTableRepair_WaitsForTheFirstCopyOfASubscription(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"), pgtest.ServerSetting("max_sync_workers_per_subscription", "0"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE t`, `INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p`)
	t.Cleanup(func() {
		c.Exec(t, 1, `ALTER SUBSCRIPTION s DISABLE`, `ALTER SUBSCRIPTION s SET (slot_name = NONE)`, `DROP SUBSCRIPTION s`)
	})
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")
	dry := repair(t, s, d.TaskID, "n1", dryRun)
	if warnings := strings.Join(dry.Warnings, " "); !strings.Contains(warnings, `subscription "s"`) || !strings.Contains(warnings, "has not copied") {
		t.Errorf("dry run %s %s, warnings %v", dry.Status, dry.Error, dry.Warnings)
	}
	id := submitRepair(t, s, d.TaskID, "n1", nil)
	time.Sleep(time.Second)
	c.Exec(t, 1, `ALTER SYSTEM SET max_sync_workers_per_subscription = 2`, `SELECT pg_reload_conf()`)
	if status := s.Wait(t, id); status.Status != api.StatusCompleted || !strings.Contains(string(status.Result), `"unchanged":1`) {
		t.Errorf("%s %s %s", status.Status, status.Error, status.Result)
	}
}

func TestTableRepair_WithAllowLagItRepairsAllTheSame(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE t`, `INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p WITH (copy_data = false)`, `ALTER SUBSCRIPTION s DISABLE`)
	t.Cleanup(func() { c.Exec(t, 1, `ALTER SUBSCRIPTION s SET (slot_name = NONE)`, `DROP SUBSCRIPTION s`) })
	s := apptest.New(t, c, apptest.Options{})
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", func(r *api.TableRepairRequest) { r.AllowLag = true })
	if r.counts("n2") != "+1 ~0 -0 =0 /0 committed" || len(r.Warnings) == 0 {
		t.Errorf("%s %s, warnings %v", r.counts("n2"), r.Error, r.Warnings)
	}
}

// Both nodes subscribe to each other and skip what has an origin: the repair of one stays there.
func TestTableRepair_BetweenNodesThatReplicateToEachOtherNothingComesBack(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Majors(pgtest.Newest, pgtest.Newest), pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `CREATE PUBLICATION p FOR TABLE t`)
	for to, from := range []int{1, 0} {
		c.Exec(t, to, fmt.Sprintf(`CREATE SUBSCRIPTION s%d CONNECTION '%s' PUBLICATION p WITH (copy_data = false, origin = none)`, to, c.DSN(from)))
		t.Cleanup(func() {
			c.Exec(t, to, fmt.Sprintf(`ALTER SUBSCRIPTION s%d DISABLE`, to), fmt.Sprintf(`ALTER SUBSCRIPTION s%d SET (slot_name = NONE)`, to), fmt.Sprintf(`DROP SUBSCRIPTION s%d`, to))
		})
	}
	// What has an origin is not replicated: so the nodes come to differ.
	differ := []string{`SELECT pg_replication_origin_create('test')`, `SELECT pg_replication_origin_session_setup('test')`}
	c.Exec(t, 0, append(differ, `INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`)...)
	c.Exec(t, 1, append(differ, `INSERT INTO t VALUES (2, 'x'), (3, 'c'), (4, 'y')`)...)
	s := apptest.New(t, c, apptest.Options{})
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	if r.counts("n2") != "+1 ~1 -1 =0 /0 committed" || len(r.Warnings) > 0 {
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

func TestTableRepair_WarnsWhereASubscriptionBringsTheRepairToAnotherNode(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 1, `CREATE PUBLICATION p FOR TABLE t`)
	c.Exec(t, 0, `CREATE SUBSCRIPTION back CONNECTION '`+c.DSN(1)+`' PUBLICATION p WITH (copy_data = false)`)
	t.Cleanup(func() {
		c.Exec(t, 0, `ALTER SUBSCRIPTION back DISABLE`, `ALTER SUBSCRIPTION back SET (slot_name = NONE)`, `DROP SUBSCRIPTION back`)
	})
	s := apptest.New(t, c, apptest.Options{})
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", dryRun)
	if r.Status != api.StatusCompleted || !strings.Contains(strings.Join(r.Warnings, " "), `subscription "back" of node n1`) {
		t.Errorf("%s %s, warnings %v", r.Status, r.Error, r.Warnings)
	}
}
