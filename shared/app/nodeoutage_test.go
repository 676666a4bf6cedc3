//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// Nodes refuse the service's connections for a while: from before the task starts, after
// a unit of work of some phase is done, or after a repair or undo has stored
// before-images.
//
// Case O-P10, see docs/RELIABILITY.md.
func TestTasks_NodesWithoutAFreeConnectionOnlyDelayThem(t *testing.T) {
	t.Parallel()
	diff, rerun, repairing, undoing := anyTasks()[0], anyTasks()[1], anyTasks()[2], anyTasks()[3]
	for i, tt := range []struct {
		op   anyTask
		from string
	}{
		{diff, "start"},
		{diff, "compare"},
		{diff, "confirm"},
		{rerun, "start"},
		{rerun, "confirm"},
		{repairing, "start"},
		{repairing, "before-images"},
		{undoing, "start"},
		{undoing, "before-images"},
	} {
		t.Run(tt.op.name+" from "+tt.from, func(t *testing.T) {
			t.Parallel() // most of the time goes by waiting
			role := fmt.Sprintf("patient%d", i)
			c, refuse, refused := refusing(t, role)
			var armed atomic.Bool
			store := faulty.Wrap(apptest.Store(t))
			as := *c
			as.User, as.Password = role, "secret"
			s := apptest.New(t, &as, apptest.Options{Store: store, Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
				totals, err := next.Invoke(ctx, u)
				if armed.Load() && u.Phase == tt.from {
					refuse()
				}
				return totals, err
			})})
			diffID, repairID := s.Diff(t, "public.t").TaskID, ""
			if tt.op.name == "undo" {
				repairID = repair(t, s, diffID, "n1", nil).TaskID
			}

			armed.Store(true)
			switch tt.from {
			case "start":
				refuse()
			case "before-images":
				store.On(faulty.PutIfAbsent, "repairs/", func(int) faulty.Outcome {
					refuse()
					return faulty.Pass
				})
			}
			id := tt.op.submit(t, s, diffID, repairID)
			if tt.from == "start" {
				awaitRetrying(t, s, id)
			}
			status := s.Wait(t, id)
			if got := lacking(t, c); status.Status != api.StatusCompleted || got != tt.op.after {
				t.Errorf("%s %s; n2 lacks %d rows, want %d", status.Status, status.Error, got, tt.op.after)
			}
			if !refused() {
				t.Error("no connection was refused")
			}
		})
	}
}

// refusing returns a cluster with differing tables that belong to a role of its own. The
// first call of refuse ends the role's sessions on the nodes and makes them refuse its
// connections for 1.5 seconds. refused reports whether that has happened.
func refusing(t *testing.T, role string) (c *pgtest.Cluster, refuse func(), refused func() bool) {
	t.Helper()
	c = pgtest.NewCluster(t)
	differingTable(t, c)
	each := func(sql string) { c.ExecAll(t, strings.ReplaceAll(sql, "ROLE_NAME", role)) }
	each(`CREATE ROLE ROLE_NAME LOGIN PASSWORD 'secret'; ALTER TABLE t OWNER TO ROLE_NAME;
		GRANT SET ON PARAMETER session_replication_role TO ROLE_NAME`)
	var refusals sync.WaitGroup
	t.Cleanup(refusals.Wait)
	var met atomic.Bool
	refuse = sync.OnceFunc(func() {
		met.Store(true)
		each("ALTER ROLE ROLE_NAME CONNECTION LIMIT 0")
		each("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ROLE_NAME'")
		each(`DO $$ BEGIN
				WHILE EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'ROLE_NAME') LOOP
					PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
				END LOOP;
			END $$`)
		refusals.Go(func() {
			time.Sleep(1500 * time.Millisecond)
			each("ALTER ROLE ROLE_NAME CONNECTION LIMIT -1")
		})
	})
	return c, refuse, met.Load
}

// awaitRetrying waits until the status of a task shows the error of a node that refuses
// connections.
func awaitRetrying(t *testing.T, s *apptest.Service, id string) {
	t.Helper()
	var status api.TaskStatus
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		s.Get(t, "/ace/task-status/"+id, nil, &status)
		if status.Progress != nil && status.Progress.Retrying != "" {
			return
		}
		if status.Status == api.StatusCompleted {
			break
		}
	}
	t.Errorf("the status does not show why the task waits: %+v", status.Progress)
}

// A standby cancels statements because of recovery conflicts, while keys are sampled and
// later.
//
// Case O-P10, see docs/RELIABILITY.md.
func TestTableDiff_RecoveryConflictsOnAStandbyOnlyDelayIt(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(1), pgtest.ServerSetting("max_standby_streaming_delay", "0"))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 1000) i`)
	c.AddCopy(t, 0, "n2", true)
	s := apptest.New(t, c, apptest.Options{})

	conflicts := func() string {
		t.Helper()
		return c.QueryStrings(t, 1, `SELECT confl_snapshot + confl_lock + confl_bufferpin FROM pg_stat_database_conflicts WHERE datname = current_database()`)[0][0]
	}
	id := s.Submit(t, "public.t", "table_filter", "pg_sleep(0.002) IS NOT NULL")
	for deadline := time.Now().Add(30 * time.Second); conflicts() == "0" && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		c.Exec(t, 0, `UPDATE t SET v = v WHERE id % 10 = 0`, `VACUUM t`)
	}
	status := s.Wait(t, id)
	if status.Status != api.StatusCompleted || !strings.Contains(string(status.Result), api.VerdictMatch) {
		t.Errorf("%s %s: %s", status.Status, status.Error, status.Result)
	}
	if conflicts() == "0" {
		t.Error("no statement was cancelled")
	}
}
