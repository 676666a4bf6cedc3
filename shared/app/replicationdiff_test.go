//go:build !unit

package app_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/replication"
)

// replicationDiff runs a replication-diff and returns its end, its result and its
// document. args are alternately names and values of parameters.
func replicationDiff(t *testing.T, s *apptest.Service, args ...string) (api.TaskStatus, api.ReplicationResult, replication.Document) {
	t.Helper()
	query := url.Values{"cluster_name": {s.Cluster.Name}, "confirm_delay": {"0"}}
	for i := 0; i+1 < len(args); i += 2 {
		query.Set(args[i], args[i+1])
	}
	var submitted api.Submitted
	s.Get(t, "/ace/replication-diff", query, &submitted)
	status := s.Wait(t, submitted.TaskID)
	var result api.ReplicationResult
	var document replication.Document
	if len(status.Result) > 0 {
		_, body := saved(t, s, "/ace/reports/"+status.TaskID)
		for raw, into := range map[string]any{string(status.Result): &result, body: &document} {
			if err := json.Unmarshal([]byte(raw), into); err != nil {
				t.Fatalf("%v in %s", err, raw)
			}
		}
		if strings.Contains(body, s.Cluster.Password) {
			t.Errorf("the document has a password: %s", body)
		}
	}
	return status, result, document
}

// found returns the findings in short: rank, kind and object.
func found(d replication.Document) []string {
	texts := []string{}
	for _, f := range d.Findings {
		texts = append(texts, fmt.Sprintf("%s %s %s", f.Rank, f.Kind, f.Object))
	}
	return texts
}

// twoWay returns two nodes that replicate two tables to each other.
func twoWay(t *testing.T) *pgtest.Cluster {
	t.Helper()
	c := pgtest.Own(t, pgtest.Majors(pgtest.Newest, pgtest.Newest), pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `CREATE TABLE u (id int PRIMARY KEY, v text)`, `CREATE PUBLICATION p FOR TABLE t, u`)
	for to, from := range []int{1, 0} {
		c.Exec(t, to, fmt.Sprintf(`CREATE SUBSCRIPTION s%d CONNECTION '%s' PUBLICATION p WITH (copy_data = false, origin = none)`, to+1, c.DSN(from)))
		dropAtEnd(t, c, to, fmt.Sprint("s", to+1))
	}
	return c
}

// eventually repeats a comparison of replication until its findings are as wanted,
// because the state of workers changes in the background.
func eventually(t *testing.T, s *apptest.Service, want []string, args ...string) replication.Document {
	t.Helper()
	var document replication.Document
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var status api.TaskStatus
		status, _, document = replicationDiff(t, s, args...)
		if got := found(document); cmp.Equal(want, got) || time.Now().After(deadline) {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s, findings (-want +got):\n%s\n%+v", status.Status, status.Error, diff, document.Findings)
			}
			return document
		}
	}
}

// Two nodes replicate to each other, and are then changed in one way after the other.
func TestReplicationDiff_FindsWhatIsBrokenInAMesh(t *testing.T) {
	t.Parallel()
	c := twoWay(t)
	s := apptest.New(t, c, apptest.Options{})

	healthy := eventually(t, s, []string{})
	var list api.TaskList
	s.Get(t, "/ace/tasks", url.Values{"task_type": {"replication-diff"}, "limit": {"1"}}, &list)
	if len(list.Tasks) != 1 || list.Tasks[0].TableName != "(replication)" {
		t.Errorf("the list of tasks has %+v", list.Tasks)
	}
	if healthy.Summary.Verdict != api.VerdictMatch || len(healthy.Nodes) != 2 {
		t.Errorf("%+v", healthy.Summary)
	}
	if sub := healthy.Nodes["n2"].Subscriptions[0]; sub.Provider != "n1" || !sub.Running || sub.LagBytes == nil {
		t.Errorf("subscription %+v", sub)
	}

	for _, step := range []struct {
		name       string
		node       int
		sql        []string
		want       []string
		undo       []string
		parameters []string
	}{
		{
			name: "a row filter and a missing table", node: 0, sql: []string{`ALTER PUBLICATION p SET TABLE t WHERE (id > 0)`},
			want: []string{"broken table public.u", "asymmetric table public.t", "asymmetric table public.u"}, undo: []string{`ALTER PUBLICATION p SET TABLE t, u`},
		},
		{
			name: "other operations and a column list", node: 1, sql: []string{`ALTER PUBLICATION p SET TABLE t (id), u`, `ALTER PUBLICATION p SET (publish = 'insert')`},
			want: []string{"asymmetric publication p", "asymmetric table public.t"},
			undo: []string{`ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate')`, `ALTER PUBLICATION p SET TABLE t, u`},
		},
		{
			name: "an ignored kind", node: 1, sql: []string{`ALTER PUBLICATION p SET (publish = 'insert')`}, parameters: []string{"ignore", "publication"},
			want: []string{}, undo: []string{`ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate')`},
		},
		{
			name: "a table that the subscription does not have", node: 0, sql: []string{`CREATE TABLE w (id int PRIMARY KEY)`, `ALTER PUBLICATION p ADD TABLE w`},
			want: []string{"broken table public.w", "asymmetric table public.w"}, undo: []string{`DROP TABLE w`},
		},
		{
			name: "changes of any origin", node: 1, sql: []string{`ALTER SUBSCRIPTION s2 SET (origin = any)`},
			want: []string{"broken loop s2", "different settings s2, s1"}, undo: []string{`ALTER SUBSCRIPTION s2 SET (origin = none)`},
		},
		{
			name: "unused slots", node: 0, sql: []string{`SELECT pg_create_logical_replication_slot('spare', 'pgoutput')`, `SELECT pg_create_physical_replication_slot('standby', true)`},
			want: []string{"behind slot standby", "asymmetric slot spare"}, undo: []string{`SELECT pg_drop_replication_slot('spare')`, `SELECT pg_drop_replication_slot('standby')`},
		},
		{
			name: "a subscription without a slot on its provider", node: 1,
			sql:  []string{`ALTER SUBSCRIPTION s2 DISABLE`, `ALTER SUBSCRIPTION s2 SET (slot_name = 'gone')`},
			want: []string{"broken slot gone", "broken subscription s2", "asymmetric slot s2"}, undo: []string{`ALTER SUBSCRIPTION s2 SET (slot_name = 's2')`, `ALTER SUBSCRIPTION s2 ENABLE`},
		},
		{
			name: "a disabled subscription with its slot", node: 1, sql: []string{`ALTER SUBSCRIPTION s2 DISABLE`},
			want: []string{"broken subscription s2", "behind slot s2"}, undo: []string{`ALTER SUBSCRIPTION s2 ENABLE`},
		},
		{
			name: "a worker that cannot connect", node: 1, sql: []string{`ALTER SUBSCRIPTION s2 CONNECTION 'host=/nowhere'`},
			want: []string{"broken subscription s2", "behind slot s2"}, undo: []string{`ALTER SUBSCRIPTION s2 CONNECTION '` + c.DSN(0) + `'`},
		},
	} {
		c.Exec(t, step.node, step.sql...)
		d := eventually(t, s, step.want, step.parameters...)
		for _, f := range d.Findings {
			if f.Detail == "" || len(f.Nodes) == 0 {
				t.Errorf("%s: finding without a reason: %+v", step.name, f)
			}
		}
		c.Exec(t, step.node, step.undo...)
	}
	eventually(t, s, []string{})

	// A role that sees less finds the same, and what it does not see is counted.
	check, _ := c.Roles(t)
	if status, result, _ := replicationDiff(t, apptest.New(t, check, apptest.Options{Store: s.Store})); result.Verdict != api.VerdictMatch || result.Unknown == 0 {
		t.Errorf("as a role that only compares: %s %s %+v", status.Status, status.Error, result)
	}

	// A node that cannot be reached: the rest is still shown.
	half := *c
	half.Nodes = slices.Clone(c.Nodes)
	half.Nodes[1].Port = 1
	status, result, document := replicationDiff(t, apptest.New(t, &half, apptest.Options{Store: s.Store, Patience: time.Nanosecond}))
	if status.Status != api.StatusFailed || !strings.Contains(status.Error, `node "n2"`) || !strings.Contains(status.Error, "firewall") || result.Verdict != "" ||
		len(result.UnreadNodes) != 1 || len(document.Nodes["n1"].Publications) != 1 || len(found(document)) > 0 {
		t.Errorf("%s %s %+v, findings %v", status.Status, status.Error, result, found(document))
	}
}

// Changes wait for a lock on the subscriber, an initial copy waits for a lock, and an
// update finds no row.
func TestReplicationDiff_FindsWhatIsLateAndCountsConflicts(t *testing.T) {
	t.Parallel()
	c := twoWay(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE w (id int PRIMARY KEY)`)
	holder := c.Connect(t, 1)
	if _, err := holder.Exec(t.Context(), `BEGIN; LOCK TABLE u`); err != nil {
		t.Fatal(err)
	}
	c.Exec(t, 0, `INSERT INTO u SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i`)
	eventually(t, s, []string{"behind lag s2"}, "max_lag_bytes", "50000")
	eventually(t, s, []string{})

	if _, err := holder.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	c.ExecAll(t, `ALTER PUBLICATION p ADD TABLE w`)
	if _, err := holder.Exec(t.Context(), `BEGIN; LOCK TABLE w IN SHARE MODE`); err != nil { // the copy waits
		t.Fatal(err)
	}
	c.Exec(t, 0, `ALTER SUBSCRIPTION s1 REFRESH PUBLICATION WITH (copy_data = false)`)
	c.Exec(t, 1, `ALTER SUBSCRIPTION s2 REFRESH PUBLICATION`)
	eventually(t, s, []string{"behind initial_copy s2"})
	if _, err := holder.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, []string{}, "max_lag_bytes", "50000")

	// The row does not exist on n2, because changes with an origin are not replicated.
	c.Exec(t, 0, `SELECT pg_replication_origin_create('test')`, `SELECT pg_replication_origin_session_setup('test')`, `INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 0, `UPDATE t SET v = 'b'`)
	d := eventually(t, s, []string{"asymmetric conflicts s2"})
	if len(d.Findings) == 1 && (!strings.Contains(d.Findings[0].Nodes["n2"], "update_missing 1") || d.Findings[0].Fix["n2"] == "") {
		t.Errorf("%+v", d.Findings)
	}
	c.Exec(t, 1, d.Findings[0].Fix["n2"])
	eventually(t, s, []string{})
}

// Two nodes replicate to each other with pglogical, whose connection strings have
// passwords.
func TestReplicationDiff_ReadsPglogical(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"), pgtest.ServerSetting("shared_preload_libraries", "pglogical"),
		pgtest.ServerSetting("output_plugin_libraries", "pgoutput, pglogical_output"))
	c.ExecAll(t, `CREATE EXTENSION pglogical`, `CREATE TABLE t (id int PRIMARY KEY)`, `CREATE TABLE u (id int PRIMARY KEY)`)
	for node := range c.Nodes {
		c.Exec(t, node, fmt.Sprintf(`SELECT pglogical.create_node('node%d', '%s')`, node+1, c.DSN(node)), `SELECT pglogical.replication_set_add_table('default', 't')`)
	}
	for to, from := range []int{1, 0} {
		c.Exec(t, to, fmt.Sprintf(`SELECT pglogical.create_subscription('s%d', '%s', synchronize_data := false, forward_origins := '{}')`, to+1, c.DSN(from)))
	}
	s := apptest.New(t, c, apptest.Options{})
	healthy := eventually(t, s, []string{})
	if sub := healthy.Nodes["n2"].Subscriptions[0]; sub.System != replication.PGLogical || sub.Provider != "n1" || !sub.Running || sub.LagBytes == nil || sub.Origin != "none" {
		t.Errorf("subscription %+v", sub)
	}

	c.Exec(t, 0, `SELECT pglogical.replication_set_add_table('default', 'u')`)
	c.Exec(t, 1, `SELECT pglogical.alter_subscription_disable('s2', true)`)
	d := eventually(t, s, []string{"broken subscription s2", "behind slot " + healthy.Nodes["n2"].Subscriptions[0].Slot, "asymmetric table public.u"})
	if len(d.Findings) == 3 {
		c.Exec(t, 1, d.Findings[0].Fix["n2"], `SELECT pglogical.replication_set_add_table('default', 'u')`)
	}
	eventually(t, s, []string{})

	// A role that may not read the schema of pglogical gets no verdict.
	check, _ := c.Roles(t)
	status, result, _ := replicationDiff(t, apptest.New(t, check, apptest.Options{Store: s.Store}))
	if status.Status != api.StatusFailed || !strings.Contains(status.Error, "GRANT USAGE ON SCHEMA pglogical") || len(result.UnreadNodes) != 2 || result.Verdict != "" {
		t.Errorf("%s %s %+v", status.Status, status.Error, result)
	}
}
