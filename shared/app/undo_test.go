//go:build !unit

package app_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// undone is how an undo ended.
type undone struct {
	api.UndoResult
	TaskID, Status, Error string
}

// undo undoes a repair and waits for the end of the task.
func undo(t *testing.T, s *apptest.Service, repairID string, change func(*api.TableUndoRequest)) undone {
	t.Helper()
	req := api.TableUndoRequest{TaskID: repairID}
	if change != nil {
		change(&req)
	}
	var submitted api.Submitted
	s.Get(t, "/ace/table-undo", parameters(t, req), &submitted)
	status := s.Wait(t, submitted.TaskID)
	u := undone{TaskID: status.TaskID, Status: status.Status, Error: status.Error}
	if status.Result != nil {
		if err := json.Unmarshal(status.Result, &u.UndoResult); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func TestTableUndo_RestoresRowsThatAreUnchangedSinceTheRepair(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text, n int GENERATED ALWAYS AS IDENTITY, u int UNIQUE, g int GENERATED ALWAYS AS (id + 1) STORED)`)
	c.Exec(t, 0, `INSERT INTO t (id, v, u) SELECT i, 'a' || i, i FROM generate_series(1, 20) i WHERE i NOT IN (7, 8)`)
	c.Exec(t, 1, `INSERT INTO t (id, v, u) SELECT i, 'b', 1 + i % 20 FROM generate_series(1, 20) i WHERE i NOT IN (9, 10)`)
	before := content(t, c, 1, "t")
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	if got := r.counts("n2"); got != "+2 ~16 -2 =0 /0 committed" {
		t.Fatalf("%s %s", got, r.Error)
	}
	after := content(t, c, 1, "t")
	if dry := undo(t, s, r.TaskID, func(r *api.TableUndoRequest) { r.DryRun = true }); dry.Nodes["n2"].Deleted != 2 || !cmp.Equal(after, content(t, c, 1, "t")) {
		t.Errorf("dry run: %+v", dry)
	}
	u := undo(t, s, r.TaskID, nil)
	if !strings.HasPrefix(u.TaskID, "tu_") {
		t.Errorf("the undo is task %s", u.TaskID)
	}
	if n := u.Nodes["n2"]; n.Inserted != 2 || n.Updated != 16 || n.Deleted != 2 || n.Skipped != 0 || n.Outcome != api.OutcomeCommitted {
		t.Errorf("%+v %s", n, u.Error)
	}
	if diff := cmp.Diff(before, content(t, c, 1, "t")); diff != "" {
		t.Error(diff)
	}
	if again := undo(t, s, r.TaskID, nil); again.Nodes["n2"].Unchanged != 20 {
		t.Errorf("a second undo: %+v", again)
	}
}

func TestTableUndo_SkipsRowsChangedSinceTheRepair(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t SELECT i, 'a' FROM generate_series(1, 6) i`)
	c.Exec(t, 1, `INSERT INTO t VALUES (1, 'b'), (2, 'b'), (11, 'b'), (12, 'b')`)
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	c.Exec(t, 1, `UPDATE t SET v = 'mine' WHERE id IN (1, 3)`, `DELETE FROM t WHERE id = 4`, `INSERT INTO t VALUES (11, 'mine')`)
	u := undo(t, s, r.TaskID, nil)
	n := u.Nodes["n2"]
	if n.Updated != 1 || n.Inserted != 1 || n.Deleted != 2 || n.Skipped != 3 || n.Unchanged != 1 {
		t.Errorf("%+v %s", n, u.Error)
	}
	if diff := cmp.Diff([][]string{{"1"}, {"3"}, {"11"}}, n.SkippedKeys); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]string{{"(1,mine)"}, {"(11,mine)"}, {"(12,b)"}, {"(2,b)"}, {"(3,mine)"}}, content(t, c, 1, "t")); diff != "" {
		t.Error(diff)
	}
}

func TestTableUndo_WithoutACommittedRepairThereIsNothingToUndo(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v varchar(3))`, `ALTER TABLE t ADD CHECK (v <> 'bad')`)
	c.Exec(t, 0, `ALTER TABLE t DROP CONSTRAINT t_v_check; INSERT INTO t VALUES (1, 'bad')`)
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	if r.Status != api.StatusFailed || !strings.Contains(r.Error, "t_v_check") {
		t.Errorf("the repair: %+v", r)
	}
	if u := undo(t, s, r.TaskID, nil); u.Status != api.StatusFailed || !strings.Contains(u.Error, "nothing to undo") {
		t.Errorf("the undo: %+v", u)
	}
}

func TestTableUndo_SkipsARowWhoseLocalColumnWasWrittenSinceTheRepair(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 1, `ALTER TABLE t ADD local text DEFAULT 'd'`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
	r := repair(t, s, s.Diff(t, "public.t", "ignore_columns", "local").TaskID, "n1", nil)
	c.Exec(t, 1, `UPDATE t SET local = 'mine' WHERE id = 1`)
	u := undo(t, s, r.TaskID, nil)
	if n := u.Nodes["n2"]; n.Deleted != 1 || n.Skipped != 1 || n.Outcome != api.OutcomeCommitted {
		t.Errorf("%+v %s", n, u.Error)
	}
	if diff := cmp.Diff([][]string{{"(1,a,mine)"}}, content(t, c, 1, "t")); diff != "" {
		t.Error(diff)
	}
}

// The repair of one node failed and another was repaired. The undo restores what was
// changed.
func TestTableUndo_OfARepairThatFailedOnOneNodeUndoesTheOthers(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
	c.Exec(t, 1, `ALTER TABLE t ADD CONSTRAINT good CHECK (v <> 'b')`)
	c.Exec(t, 2, `INSERT INTO t VALUES (2, 'x'), (3, 'c')`)
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	if r.Status != api.StatusFailed || r.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" || r.counts("n3") != "+1 ~1 -1 =0 /0 committed" {
		t.Errorf("%s n2 %s, n3 %s: %s", r.Status, r.counts("n2"), r.counts("n3"), r.Error)
	}
	u := undo(t, s, r.TaskID, nil)
	if n := u.Nodes["n3"]; u.Status != api.StatusCompleted || len(u.Nodes) != 1 || n.Inserted != 1 || n.Updated != 1 || n.Deleted != 1 {
		t.Errorf("%+v %s", u, u.Error)
	}
	if diff := cmp.Diff([][]string{{"(2,x)"}, {"(3,c)"}}, content(t, c, 2, "t")); diff != "" {
		t.Error(diff)
	}
}

// A repair that changes nothing on a node is committed there without before-images.
func TestTableUndo_IgnoresANodeThatTheRepairDidNotChange(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 1, `UPDATE t SET v = 'x'`)
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	if r.counts("n2") != "+0 ~1 -0 =0 /0 committed" || r.counts("n3") != "+0 ~0 -0 =0 /0 committed" {
		t.Fatalf("n2 %s, n3 %s: %s", r.counts("n2"), r.counts("n3"), r.Error)
	}
	u := undo(t, s, r.TaskID, nil)
	if u.Status != api.StatusCompleted || len(u.Nodes) != 1 || u.Nodes["n2"].Updated != 1 {
		t.Errorf("%+v", u)
	}
	if diff := cmp.Diff([][]string{{"(1,x)"}}, content(t, c, 1, "t")); diff != "" {
		t.Error(diff)
	}
}

func TestTableUndo_OfARepairWithoutChangesHasNothingToUndo(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')`)
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	if u := undo(t, s, r.TaskID, nil); u.Status != api.StatusFailed || !strings.Contains(u.Error, "nothing to undo") {
		t.Errorf("%+v", u)
	}
}

// A value in a column that was added after the repair exists nowhere else, so the undo
// does not delete the row.
func TestTableUndo_PreservesAColumnAddedAfterTheRepair(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, 'a'), (3, 'a')`)
	c.Exec(t, 1, `INSERT INTO t VALUES (3, 'x'), (4, 'y')`)
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	c.Exec(t, 1, `ALTER TABLE t ADD w text`, `UPDATE t SET w = 'mine' WHERE id <> 2`)
	u := undo(t, s, r.TaskID, nil)
	if n := u.Nodes["n2"]; n.Inserted != 1 || n.Updated != 1 || n.Deleted != 1 || n.Skipped != 1 || u.Status != api.StatusCompleted {
		t.Errorf("%+v %s", n, u.Error)
	}
	if diff := cmp.Diff([][]string{{"(1,a,mine)"}, {"(3,x,mine)"}, {"(4,y,)"}}, content(t, c, 1, "t")); diff != "" {
		t.Error(diff)
	}
}

func TestTableUndo_RefusesATableWithAnotherKey(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, other int NOT NULL, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 2, 'a'), (2, 1, 'a')`)
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	c.Exec(t, 1, `ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (other)`)
	if u := undo(t, s, r.TaskID, nil); u.Status != api.StatusFailed || !strings.Contains(u.Error, "no primary key or unique index on (id)") {
		t.Errorf("%+v", u)
	}
	if diff := cmp.Diff([][]string{{"(1,2,a)"}, {"(2,1,a)"}}, content(t, c, 1, "t")); diff != "" {
		t.Error(diff)
	}
}
