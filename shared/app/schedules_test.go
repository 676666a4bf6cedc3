//go:build !unit

package app_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/schedule"
)

// Case O-P34, see docs/RELIABILITY.md. Of the tables of the schema one matches, one is
// excluded, three have no key that all nodes have, and one is missing on a node.
func TestSchedules_ASweepReportsWhatItCannotCompare(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE SCHEMA sweep`, `CREATE TABLE sweep.equal (id int PRIMARY KEY)`, `CREATE TABLE sweep.no_key (id int)`,
		`CREATE TABLE sweep.nullable (id int UNIQUE)`, `CREATE TABLE sweep.scratch (id int)`)
	c.Exec(t, 0, `CREATE TABLE sweep.one_key (id int PRIMARY KEY)`, `INSERT INTO sweep.scratch VALUES (1)`)
	c.Exec(t, 1, `CREATE TABLE sweep.one_key (id int NOT NULL)`)
	s := apptest.New(t, c, apptest.Options{})

	last := sweepOnce(t, s, "skip_tables: [scr*]")
	if last.Verdict != api.VerdictIncomplete || len(last.Tasks) != 1 || last.Tasks[0].TableName != "sweep.equal" || last.Tasks[0].Verdict != api.VerdictMatch {
		t.Errorf("the run is %+v", last)
	}
	var reasons []string
	for _, n := range last.NotCompared {
		if !strings.Contains(n.Reason, "skip_tables") {
			t.Errorf("%s: the reason is %s", n.TableName, n.Reason)
		}
		reasons = append(reasons, n.TableName)
	}
	const want = "sweep.no_key, sweep.nullable, sweep.one_key"
	if got := strings.Join(reasons, ", "); got != want || strings.Join(last.SkippedTables, ", ") != "sweep.scratch" {
		t.Errorf("not compared are %s, want %s; skipped are %v", got, want, last.SkippedTables)
	}

	// A table that a node does not have is a difference, even if the others have no key.
	c.Exec(t, 1, `DROP TABLE sweep.no_key`)
	if last = sweepOnce(t, s, "skip_tables: scratch"); last.Verdict != api.VerdictDiffer || len(last.Tasks) != 2 ||
		last.Tasks[1].TableName != "sweep.no_key" || !strings.Contains(last.Tasks[1].Error, "n2") {
		t.Errorf("with a missing table the run is %+v", last)
	}
}

// sweepOnce runs a job over all tables of the schema sweep and returns its run.
func sweepOnce(t *testing.T, s *apptest.Service, fields string) *api.ScheduledRun {
	t.Helper()
	name := strings.Trim(strings.NewReplacer(" ", "", "_", "", ":", "", "[", "", "]", "", "*", "").Replace(fields), " ")
	jobs, err := schedule.Parse("ace.yaml", []byte("jobs: [{name: a"+name+", cluster_name: "+s.Cluster.Name+", table_name: sweep.*, run_frequency: 1h, args: {confirm_delay: 0}, "+fields+"}]"))
	if err != nil {
		t.Fatal(err)
	}
	scheduler := s.App.Scheduler(jobs, s.Queue, slog.New(slog.NewTextHandler(t.Output(), nil)))
	now := time.Now()
	scheduler.Now = func() time.Time { return now }
	scheduler.Step(t.Context())
	now = now.Add(time.Hour)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		scheduler.Step(t.Context())
		list, err := scheduler.List(t.Context(), api.SchedulesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if last := list.Schedules[0].LastRun; last != nil && last.Verdict != "" {
			return last
		}
	}
	t.Fatal("the run did not end within a minute")
	return nil
}
