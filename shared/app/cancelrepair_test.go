//go:build !unit

package app_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/api"
	"ace/shared/task"
)

// cancelBefore requests the cancellation of the open task, if there is one, before the
// nth call of the store. The returned function reports whether there was such a call.
func cancelBefore(t *testing.T, store *faulty.Store, tasks *task.Registry, nth int) (met func() bool) {
	t.Helper()
	var called atomic.Bool
	store.On(faulty.Any, "", func(n int) faulty.Outcome {
		if n != nth {
			return faulty.Pass
		}
		called.Store(true)
		ids, err := tasks.Open(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Error(err)
		}
		for _, id := range ids {
			_, _ = tasks.RequestCancel(context.WithoutCancel(t.Context()), id) // the task may have ended
		}
		return faulty.Pass
	})
	return called.Load
}

// Each task is cancelled before another call of the store (in a short test, before every
// third call). It must end CANCELLED without any change, or COMPLETED because its only
// node had committed.
//
// Case O-F6, see docs/RELIABILITY.md.
func TestTaskCancel_EndsARepairOrUndoAsCancelledAtWhateverStep(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20) i`)
	drift := []string{`DELETE FROM t WHERE id = 1`, `UPDATE t SET v = 'x' WHERE id = 2`, `INSERT INTO t VALUES (21, 'extra')`}
	equal := []string{`INSERT INTO t VALUES (1, 'v')`, `UPDATE t SET v = 'v' WHERE id = 2`, `DELETE FROM t WHERE id = 21`}
	c.Exec(t, 1, drift...)

	store := faulty.Wrap(apptest.Store(t))
	s := apptest.New(t, c, apptest.Options{Store: store})
	diff := s.Diff(t, "public.t")
	repairID := ""
	for _, tt := range []struct {
		name   string
		submit func() string
		reset  []string // restores the rows as they were before the task
	}{
		{"repair", func() string { return submitRepair(t, s, diff.TaskID, "n1", nil) }, drift},
		{"undo", func() string {
			var submitted api.Submitted
			s.Get(t, "/ace/table-undo", parameters(t, api.TableUndoRequest{TaskID: repairID}), &submitted)
			return submitted.TaskID
		}, equal},
	} {
		cancelled := 0
		for nth, more := 1, true; more; nth += max(1, 3/soak.Rounds(t, 1, 3)) {
			before := content(t, c, 1, "t")
			met := cancelBefore(t, store, s.App.Tasks(), nth)
			status := s.Wait(t, tt.submit())
			store.Heal()
			same := cmp.Equal(before, content(t, c, 1, "t"))

			switch status.Status {
			case api.StatusCancelled:
				cancelled++
				if !same || status.Error != "" || strings.Contains(string(status.Result), api.OutcomeCommitted) {
					t.Errorf("%s, call %d: %q, result %s, nothing changed: %t", tt.name, nth, status.Error, status.Result, same)
				}
			case api.StatusCompleted:
				if same {
					t.Errorf("%s, call %d: COMPLETED without a change", tt.name, nth)
				}
				if more = met(); more {
					c.Exec(t, 1, tt.reset...)
				}
				if tt.name == "repair" {
					repairID = status.TaskID
				}
			default:
				t.Errorf("%s, call %d: %s: %s", tt.name, nth, status.Status, status.Error)
			}
		}
		if cancelled < 3 {
			t.Errorf("only %d of the %ss were cancelled", cancelled, tt.name)
		}
	}
}
