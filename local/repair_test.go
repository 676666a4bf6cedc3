//go:build !unit

package main_test

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// repair submits a table-repair of public.t on n2 from a document.
func (s *service) repair(t testing.TB, c *pgtest.Cluster, diffFile string) (id string) {
	t.Helper()
	query := url.Values{"cluster_name": {c.Name}, "table_name": {"public.t"}, "diff_file": {diffFile}, "source_of_truth": {"n1"}}
	var submitted api.Submitted
	s.read(t, "/ace/table-repair", query.Encode(), &submitted)
	return submitted.TaskID
}

// repaired waits for a repair or an undo and returns its result for n2.
func (s *service) repaired(t testing.TB, id string) api.NodeRepair {
	t.Helper()
	var result api.RepairResult
	status := s.end(t, id)
	if err := json.Unmarshal(status.Result, &result); err != nil || status.Status != api.StatusCompleted {
		t.Fatalf("%s %s: %s (%v)", id, status.Status, status.Error, err)
	}
	return result.Nodes["n2"]
}

// halt makes the next repair of n2 stop at a certain step. reached reports whether a
// repair has stopped there, and release lets it continue.
type halt func(t *testing.T, c *pgtest.Cluster) (reached func() bool, release func())

// atLock stops the repair when it waits for a row that another transaction has locked.
// The archive has nothing of the attempt yet.
func atLock(t *testing.T, c *pgtest.Cluster) (reached func() bool, release func()) {
	t.Helper()
	other := c.Connect(t, 1)
	exec := func(sql string) {
		if _, err := other.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`BEGIN; SELECT FROM t WHERE id = 7 FOR UPDATE`)
	return func() bool { return sessions(t, c, ` AND wait_event_type = 'Lock'`) > 0 }, func() { exec(`ROLLBACK`) }
}

// atWrite stops the repair between its changes. The before-images are in the archive, and
// the transaction is open.
func atWrite(t *testing.T, c *pgtest.Cluster) (reached func() bool, release func()) {
	t.Helper()
	other := c.Connect(t, 1)
	for _, sql := range []string{
		`CREATE OR REPLACE FUNCTION stand_still() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END'`,
		`CREATE TRIGGER stand_still BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.id = 7) EXECUTE FUNCTION stand_still()`,
		`ALTER TABLE t ENABLE ALWAYS TRIGGER stand_still`, `SELECT pg_advisory_lock(42)`,
	} {
		if _, err := other.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	release = func() {
		if _, err := other.Exec(t.Context(), `SELECT pg_advisory_unlock(42)`); err != nil {
			t.Fatal(err)
		}
	}
	return func() bool { return sessions(t, c, ` AND wait_event = 'advisory'`) > 0 }, release
}

// atCommit stops the repair in COMMIT, which waits for a standby that does not exist. The
// transaction is committed, but the service receives no answer.
func atCommit(t *testing.T, c *pgtest.Cluster) (reached func() bool, release func()) {
	t.Helper()
	release = c.HoldCommits(t, 1)
	return func() bool { return c.CommitIsHeld(t, 1) }, release
}

func TestRepair_SurvivesKillNine(t *testing.T) {
	parent := t
	t.Parallel()
	c := pgtest.Own(t)
	const rows = `SELECT t::text FROM t ORDER BY id`
	h := newHome(t, c)
	s := h.serve(t, nil)
	for name, stand := range map[string]halt{"before the row locks": atLock, "among the changes": atWrite, "in COMMIT": atCommit} {
		t.Run(name, func(t *testing.T) {
			c.ExecAll(t, `DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v text)`)
			c.Exec(t, 0, `INSERT INTO t SELECT i, 'right' FROM generate_series(1, 3000) i`)
			c.Exec(t, 1, `INSERT INTO t SELECT i, 'wrong' FROM generate_series(3, 3005) i`)
			before := c.QueryStrings(t, 1, rows)
			diff := s.completed(t, s.submit(t, c, "public.t"))
			reached, release := stand(t, c)
			id := s.repair(t, c, diff.DiffFile)
			eventually(t, taskTimeout, "the repair stands still", reached)
			s.kill()
			s = h.serve(parent, nil) // the service is also for the next subtest
			release()
			want := api.NodeRepair{Inserted: 2, Updated: 2998, Deleted: 5, Outcome: "committed"}
			if diff := cmp.Diff(want, s.repaired(t, id)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.QueryStrings(t, 0, rows), c.QueryStrings(t, 1, rows)); diff != "" {
				t.Errorf("n2 is not as n1:\n%.1000s", diff)
			}
			var submitted api.Submitted
			s.read(t, "/ace/table-undo", "task_id="+id, &submitted)
			if s.repaired(t, submitted.TaskID); !cmp.Equal(before, c.QueryStrings(t, 1, rows)) {
				t.Error("the undo does not bring back what there was")
			}
		})
	}
}
