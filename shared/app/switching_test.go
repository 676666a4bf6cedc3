//go:build !unit

package app_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
)

// afterPlan is a store that calls a function once, when a task has stored its plan.
type afterPlan struct {
	archive.Store
	once sync.Once
	then func()
}

// PutIfAbsent stores an object.
func (s *afterPlan) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	info, err := s.Store.PutIfAbsent(ctx, key, contentType, body)
	if strings.HasSuffix(key, "/plan.json") {
		s.once.Do(s.then)
	}
	return info, err
}

// switchedOperations are the operations for a service whose second node is another server
// as soon as the plan is stored. Each returns the error of its task.
func switchedOperations() map[string]func(t *testing.T, s *apptest.Service, diffID, repairID string) string {
	return map[string]func(t *testing.T, s *apptest.Service, diffID, repairID string) string{
		"diff": func(t *testing.T, s *apptest.Service, _, _ string) string {
			return s.Wait(t, s.Submit(t, "public.t")).Error
		},
		"incremental": func(t *testing.T, s *apptest.Service, _, _ string) string {
			return s.Wait(t, s.Submit(t, "public.t", "baseline", "last")).Error
		},
		"rerun": func(t *testing.T, s *apptest.Service, diffID, _ string) string {
			return s.Wait(t, s.SubmitRerun(t, diffID, "public.t")).Error
		},
		"repair": func(t *testing.T, s *apptest.Service, diffID, _ string) string {
			r := repair(t, s, diffID, "n1", nil)
			if r.Nodes["n2"].Outcome != "rolled_back" {
				t.Errorf("the outcome is %q", r.Nodes["n2"].Outcome)
			}
			return r.Error
		},
		"dry run": func(t *testing.T, s *apptest.Service, diffID, _ string) string {
			return repair(t, s, diffID, "n1", dryRun).Error
		},
		"undo": func(t *testing.T, s *apptest.Service, _, repairID string) string {
			u := undo(t, s, repairID, nil)
			if u.Nodes["n2"].Outcome != "rolled_back" {
				t.Errorf("the outcome is %q", u.Nodes["n2"].Outcome)
			}
			return u.Error
		},
	}
}

// Cases O-F1 and O-F5, see docs/RELIABILITY.md. An address leads to another server once
// the task is planned: to one with the same table, or to the standby of a primary that
// failed.
func TestServers_AnotherServerInTheMiddleOfATaskIsAnError(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(3))
	sameTable(t, c)
	c.Exec(t, 2, `UPDATE t SET v = 'x' WHERE id IN (5, 6)`)
	c.AddCopy(t, 1, "n4", true)
	proxy := pgtest.NewProxy(t, c.Nodes[1])
	right := pointed(c, 1, "127.0.0.1", proxy.Port())
	right.Nodes = right.Nodes[:2]
	store := apptest.Store(t)
	s := apptest.New(t, right, apptest.Options{Store: store})
	first := s.Diff(t, "public.t")
	done := repair(t, s, first.TaskID, "n1", nil)
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id IN (15, 16)`)
	d := s.Diff(t, "public.t")
	for name, other := range map[string]pgtest.Node{"another server": c.Nodes[2], "its standby": c.Nodes[3]} {
		for operation, run := range switchedOperations() {
			if name == "its standby" && operation != "repair" && operation != "undo" {
				continue
			}
			t.Run(operation+" on "+name, func(t *testing.T) {
				proxy.Switch(c.Nodes[1])
				switching := apptest.New(t, right, apptest.Options{Store: &afterPlan{Store: store, then: func() {
					proxy.Switch(other)
					time.Sleep(1100 * time.Millisecond) // the pool checks only older connections
				}}})
				message := run(t, switching, d.TaskID, done.TaskID)
				for _, want := range []string{`node "n2" (127.0.0.1:`, "is not the server that this began with", "expected the server started", "found the"} {
					if !strings.Contains(message, want) {
						t.Errorf("the task says %q, want %q", message, want)
					}
				}
			})
		}
	}
	proxy.Switch(c.Nodes[1])
	if got := c.QueryStrings(t, 2, `SELECT count(*) FROM t WHERE v = 'x'`)[0][0]; got != "2" {
		t.Errorf("%s rows of the other server are as they were, want 2", got)
	}
	if r := repair(t, s, d.TaskID, "n1", nil); r.Status != api.StatusCompleted || r.Nodes["n2"].Updated != 2 {
		t.Errorf("the repair of the right server: %+v", r)
	}
}
