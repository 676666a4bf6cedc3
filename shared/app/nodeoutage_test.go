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

// Nodes refuse the service's connections for a while. In some cases the refusal begins
// before the task starts and ends when the task's status shows it. In the others it
// begins when a unit of some phase is done, or when a repair or undo has stored
// before-images, and lasts 1.5 seconds.
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
			c, outage := refusing(t, role)
			var armed atomic.Bool
			store := faulty.Wrap(apptest.Store(t))
			as := *c
			as.User, as.Password = role, "secret"
			s := apptest.New(t, &as, apptest.Options{Store: store, Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
				totals, err := next.Invoke(ctx, u)
				if armed.Load() && u.Phase == tt.from {
					outage.beginFor(1500 * time.Millisecond)
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
				outage.begin()
			case "before-images":
				store.On(faulty.PutIfAbsent, "repairs/", func(int) faulty.Outcome {
					outage.beginFor(1500 * time.Millisecond)
					return faulty.Pass
				})
			}
			id := tt.op.submit(t, s, diffID, repairID)
			if tt.from == "start" {
				awaitRetrying(t, s, id)
				outage.end()
			}
			status := s.Wait(t, id)
			if got := lacking(t, c); status.Status != api.StatusCompleted || got != tt.op.after {
				t.Errorf("%s %s; n2 lacks %d rows, want %d", status.Status, status.Error, got, tt.op.after)
			}
			if !outage.begun.Load() {
				t.Error("the nodes never refused connections")
			}
		})
	}
}

// refusal is a time in which the nodes of a cluster refuse the connections of a role.
type refusal struct {
	onNodes func(sql string)

	once   sync.Once
	begun  atomic.Bool
	ending sync.WaitGroup
}

// refusing returns a cluster with differing tables that belong to a role of its own, and
// a refusal of that role that has not begun.
func refusing(t *testing.T, role string) (*pgtest.Cluster, *refusal) {
	t.Helper()
	c := pgtest.NewCluster(t)
	differingTable(t, c)
	r := &refusal{onNodes: func(sql string) { c.ExecAll(t, strings.ReplaceAll(sql, "ROLE_NAME", role)) }}
	r.onNodes(`CREATE ROLE ROLE_NAME LOGIN PASSWORD 'secret'; ALTER TABLE t OWNER TO ROLE_NAME;
		GRANT SET ON PARAMETER session_replication_role TO ROLE_NAME`)
	t.Cleanup(r.ending.Wait)
	return c, r
}

// begin makes the nodes refuse the role's connections, and ends its sessions.
func (r *refusal) begin() {
	r.begun.Store(true)
	r.onNodes("ALTER ROLE ROLE_NAME CONNECTION LIMIT 0")
	r.onNodes("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ROLE_NAME'")
	r.onNodes(`DO $$ BEGIN
			WHILE EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'ROLE_NAME') LOOP
				PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
			END LOOP;
		END $$`)
}

func (r *refusal) end() {
	r.onNodes("ALTER ROLE ROLE_NAME CONNECTION LIMIT -1")
}

// beginFor begins the refusal, which ends after d. Only the first call has an effect.
func (r *refusal) beginFor(d time.Duration) {
	r.once.Do(func() {
		r.begin()
		r.ending.Go(func() {
			time.Sleep(d)
			r.end()
		})
	})
}

// awaitRetrying waits until the status of a task shows the error of a node that refuses
// connections.
func awaitRetrying(t *testing.T, s *apptest.Service, id string) {
	t.Helper()
	var status api.TaskStatus
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
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
