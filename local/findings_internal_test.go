package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ace/shared/app"
	"ace/shared/config"
	"ace/shared/fault"
	"ace/shared/table"
)

// reported returns what is reported on nodes of one cluster.
func reported(checks ...app.NodeCheck) string {
	var out bytes.Buffer
	f := &findings{out: &out}
	reportClocks(f, checks)
	for _, check := range checks {
		f.subsection("node %s", check.Login.Node)
		reportNode(f, check)
	}
	return out.String()
}

// checked returns the check of a node whose clock differs from this host's by skew. The
// round trip took 0.4 s.
func checked(node string, skew time.Duration) app.NodeCheck {
	check := app.NodeCheck{Login: table.Login{Node: node, Address: node + "/d", Version: "18.1", Role: "ace"}}
	check.Condition = table.Condition{
		CommitTimestamps: true, ClockSkew: skew, ClockError: 200 * time.Millisecond,
		Tables: []table.Usability{{Schema: "public", Name: "t", HasKey: true, Readable: true}},
	}
	return check
}

func TestReportClocks_AllowsForTheRoundTrip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		n1   time.Duration
		n2   time.Duration
		want []string
	}{
		{"equal", 0, 0, nil},
		{"perhaps one second", 1100 * time.Millisecond, 0, nil},
		{"later", 0, 1300 * time.Millisecond, []string{"its clock is 1.3 s ahead of this host's"}},
		{"earlier", -3200 * time.Millisecond, 0, []string{"the clock of node n2 is 3.2 s ahead of that of node n1", "this host's clock is 3.2 s ahead of that of this node"}},
		{"both, in opposite directions", -800 * time.Millisecond, 800 * time.Millisecond, []string{"the clock of node n2 is 1.6 s ahead of that of node n1"}},
		{"this host is wrong", time.Hour, time.Hour, []string{"its clock is 3600.0 s ahead of this host's", "its clock is 3600.0 s ahead of this host's"}},
	} {
		text := reported(checked("n1", tt.n1), checked("n2", tt.n2))
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: want %q:\n%s", tt.name, want, text)
			}
		}
		if got := strings.Count(text, "warning  "); got != len(tt.want) || strings.Count(text, synchronise) != got {
			t.Errorf("%s: %d warnings, want %d:\n%s", tt.name, got, len(tt.want), text)
		}
	}
}

func TestReportNode_NamesEachDoubtWithItsRemedy(t *testing.T) {
	t.Parallel()
	check := checked("n1", 0)
	var closed []table.Usability
	for _, schema := range []string{"a", "b", "C", "d", "e"} {
		closed = append(closed, table.Usability{Schema: schema, Name: "t", HasKey: true})
	}
	check.Condition.Tables = append(closed, table.Usability{Schema: "a", Name: "part", Partition: true}, table.Usability{Schema: "a", Name: "srs", Extension: true})
	check.Condition.Collations = []table.StaleCollation{{Database: "d", Recorded: "1", Actual: "2", Indexes: 5, First: []string{"a.x", "a.y", "a.z"}}}
	check.Condition.Subscriptions = []table.Subscription{
		{Name: "runs", Enabled: true, Running: true}, {Name: "failed", Enabled: true, Running: true, Errors: 1},
		{Name: "fails", Enabled: true, Errors: 2}, {Name: "stands", Enabled: true},
	}
	standby := checked("n2", 0)
	standby.Condition.Standby, standby.Condition.Subscriptions = true, []table.Subscription{{Name: "not here"}}
	slow := checked("n3", 0)
	slow.UnreadErr = fault.New(fault.Unavailable, "no answer within 5s")

	want := `  node n1
    ok       n1/d: PostgreSQL 18.1, role "ace"
    warning  none of 5 tables can be compared
    warning  the role may not read 5 tables: a.t, b.t, "C".t and 2 more
             GRANT USAGE ON SCHEMA "a", "b", "C" TO "ace"; GRANT SELECT ON ALL TABLES IN SCHEMA "a", "b", "C" TO "ace";
             and so on for 2 further schemas
    warning  the default collation of the database was version 1 and is version 2 now; 5 indexes may be out of order: a.x, a.y, a.z and 2 more
             run REINDEX DATABASE CONCURRENTLY d, then ALTER DATABASE d REFRESH COLLATION VERSION
    ok       subscription "runs" runs
    warning  subscription "failed" runs, but has failed before (1 error)
             find the reason in the server's log. If it has passed, pg_stat_reset_subscription_stats sets the counter to 0
    warning  subscription "fails" fails (2 errors): changes of its publisher do not arrive
             the reason is in the server's log
    warning  subscription "stands" has no worker: changes of its publisher do not arrive
             the reason is in the server's log

  node n2
    ok       n2/d: PostgreSQL 18.1, role "ace"
    note     the node is a standby: it can be compared, but not repaired
    ok       1 of 1 table can be compared

  node n3
    ok       n3/d: PostgreSQL 18.1, role "ace"
    warning  tables, collations, subscriptions and the clock were not checked: no answer within 5s
`
	if got := reported(check, standby, slow); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// If the definitions cannot be listed, it is not known whether a job's cluster exists.
func TestCheckSchedules_BlamesNoJobIfTheClustersCannotBeListed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "schedules.yaml")
	if err := os.WriteFile(path, []byte("jobs:\n  - {name: nightly, cluster_name: demo, table_name: public.t, run_frequency: 1d}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	services := filepath.Join(dir, "pg_service.conf")
	if err := os.WriteFile(services, []byte("host=no.section\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	var out bytes.Buffer
	f := &findings{out: &out}
	c := config.Config{Schedules: path, Clusters: filepath.Join(dir, "clusters")}
	checkSchedules(f, c, checkClusters(t.Context(), f, c, []config.ServiceFile{{Path: services, Named: true}}))
	text := out.String()
	if want := "the clusters and tables of the jobs were not checked"; f.errors != 1 || f.warnings != 1 || !strings.Contains(text, services) || !strings.Contains(text, want) {
		t.Errorf("%d errors, %d warnings, want one error about %s and %q:\n%s", f.errors, f.warnings, services, want, text)
	}
}
