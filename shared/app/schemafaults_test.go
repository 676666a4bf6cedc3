//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// fiveTables creates public.t1 to public.t5 with a few rows each. Tables with more rows
// are compared first, so t5 is the last.
func fiveTables(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	for i := range 5 {
		c.ExecAll(t, fmt.Sprintf(`CREATE TABLE t%d (id int PRIMARY KEY, v text); INSERT INTO t%[1]d SELECT i, 'v' FROM generate_series(1, %d) i; ANALYZE t%[1]d`,
			i+1, 100*(9-i)))
	}
}

// onFirstUnit returns an invoker that calls do once, before the first unit of work.
func onFirstUnit(do func(context.Context)) func(tablediff.Invoker) tablediff.Invoker {
	var once sync.Once
	return around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		once.Do(func() { do(ctx) })
		return next.Invoke(ctx, u)
	})
}

// all returns the verdicts of the tables of fiveTables, in their order.
func all(verdicts ...string) map[string]string {
	of := map[string]string{}
	for i, verdict := range verdicts {
		of[fmt.Sprintf("public.t%d", i+1)] = verdict
	}
	return of
}

// What happens to one table, or to a node, never makes a match, and never hides the
// result of another table.
func TestSchemaDiff_WhatFailsIsNeverAMatch(t *testing.T) {
	t.Parallel()
	const same, failed = api.SetIdentical, api.SetFailed
	for _, tt := range []struct {
		name  string
		fault func(t *testing.T, c *pgtest.Cluster) func(context.Context) // may change the role of c
		want  map[string]string
		error string
	}{
		{
			name: "a table is dropped on a node",
			fault: func(t *testing.T, c *pgtest.Cluster) func(context.Context) {
				return func(context.Context) { c.Exec(t, 1, `DROP TABLE t5`) }
			},
			want: all(same, same, same, same, failed), error: "t5",
		},
		{
			name: "a table is dropped on all nodes",
			fault: func(t *testing.T, c *pgtest.Cluster) func(context.Context) {
				return func(context.Context) { c.ExecAll(t, `DROP TABLE t5`) }
			},
			want: all(same, same, same, same, failed), error: "t5",
		},
		{
			name: "a table is locked for ever",
			fault: func(t *testing.T, c *pgtest.Cluster) func(context.Context) {
				lock := c.Connect(t, 1)
				return func(ctx context.Context) {
					if _, err := lock.Exec(ctx, `BEGIN; LOCK TABLE t3 IN ACCESS EXCLUSIVE MODE`); err != nil {
						t.Error(err)
					}
				}
			},
			want: all(same, same, failed, same, same), error: "t3",
		},
		{
			name: "a node is lost",
			fault: func(t *testing.T, c *pgtest.Cluster) func(context.Context) {
				admin := *c
				admin.ExecAll(t, `CREATE ROLE reader_of_lost_node LOGIN PASSWORD 'secret' IN ROLE pg_read_all_data`)
				c.User, c.Password = "reader_of_lost_node", "secret"
				return func(context.Context) {
					admin.Exec(t, 1, `ALTER ROLE reader_of_lost_node CONNECTION LIMIT 0`,
						`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader_of_lost_node'`)
				}
			},
			want: all(failed, failed, failed, failed, failed), error: `node "n2"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			fiveTables(t, c)
			as := *c
			invoker := onFirstUnit(tt.fault(t, &as))
			s := apptest.New(t, &as, apptest.Options{Timeout: 2 * time.Second, Patience: 300 * time.Millisecond, Invoker: invoker})
			end := s.SchemaEnd(t, s.SubmitSchema(t, "public", "compare", "data", "max_tables_at_once", "1"))
			if diff := gocmp.Diff(tt.want, end.Verdicts()); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
			if end.Status.Status != api.StatusFailed || end.Result.Verdict != "" || !strings.Contains(end.Status.Error, tt.error) {
				t.Errorf("it ended %s: %s\n%s", end.Status.Status, end.Status.Error, end.Status.Result)
			}
		})
	}
}

func TestSchemaDiff_IsCancelledWithItsTables(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	fiveTables(t, c)
	reached, hold := make(chan struct{}), make(chan struct{})
	s := apptest.New(t, c, apptest.Options{Invoker: onFirstUnit(func(ctx context.Context) {
		close(reached)
		select {
		case <-hold:
		case <-ctx.Done():
		}
	})})
	defer close(hold)
	id := s.SubmitSchema(t, "public", "compare", "data")
	<-reached

	var status api.TaskStatus
	s.Get(t, "/ace/task-cancel/"+id, nil, &status)
	end := s.SchemaEnd(t, id)
	if end.Status.Status != api.StatusCancelled || end.Result.Verdict == api.VerdictMatch || end.Result.DiffFile != "" {
		t.Errorf("it ended %s: %s", end.Status.Status, end.Status.Result)
	}
	var list api.TaskList
	s.Get(t, "/ace/tasks", map[string][]string{"parent": {id}}, &list)
	if len(list.Tasks) == 0 || len(list.Tasks) > 4 {
		t.Errorf("there are %d tasks of tables", len(list.Tasks))
	}
	for _, of := range list.Tasks {
		if ended := s.Wait(t, of.TaskID); ended.Status == api.StatusFailed {
			t.Errorf("the task of %s ended %s: %s", of.TableName, ended.Status, ended.Error)
		}
	}
}

// Another request is executed although a schema of many tables is waiting.
func TestSchemaDiff_DoesNotDelayAnotherRequest(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	fiveTables(t, c)
	c.ExecAll(t, `CREATE SCHEMA other; CREATE TABLE other.t (id int PRIMARY KEY)`)
	var gates sync.Map // by task id; a task waits until its gate is closed
	gate := func(taskID string) chan struct{} {
		g, _ := gates.LoadOrStore(taskID, make(chan struct{}))
		return g.(chan struct{})
	}
	all := make(chan struct{})
	reached := make(chan string, 100)
	s := apptest.New(t, c, apptest.Options{Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		reached <- u.TaskID
		select {
		case <-gate(u.TaskID):
		case <-all:
		case <-ctx.Done():
		}
		return next.Invoke(ctx, u)
	})})
	id := s.SubmitSchema(t, "public", "compare", "data", "max_tables_at_once", "64")
	table := <-reached
	<-reached // both slots of the queue have a table

	single := s.Submit(t, "other.t")
	close(gate(single))
	close(gate(table))
	if status := s.Wait(t, single); status.Status != api.StatusCompleted {
		t.Errorf("it ended %s: %s", status.Status, status.Error)
	}
	var status api.TaskStatus
	if s.Get(t, "/ace/task-status/"+id, nil, &status); status.Status != api.StatusRunning {
		t.Errorf("the schema-diff was %s when the other request ended", status.Status)
	}

	close(all)
	if end := s.SchemaEnd(t, id); end.Result.Verdict != api.VerdictMatch {
		t.Errorf("it ended %s: %s", end.Status.Status, end.Status.Result)
	}
}
