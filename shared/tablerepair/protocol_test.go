//go:build !unit

package tablerepair_test

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

func newDiffering(t *testing.T) *bench {
	t.Helper()
	c := pgtest.NewCluster(t)
	differing(t, c)
	return newBench(t, c)
}

// wantRepaired checks that this attempt repaired n2.
func (b *bench) wantRepaired(t *testing.T, r tablerepair.Result, err error, attempt string) {
	t.Helper()
	if err != nil || len(r.Nodes) != 1 || r.Nodes[0].Outcome != tablerepair.Committed {
		t.Fatalf("result %+v, error %v", r, err)
	}
	if n := r.Nodes[0].Totals; n.Inserted != 1 || n.Updated != 1 || n.Deleted != 1 {
		t.Errorf("counts are %+v", n)
	}
	if got := b.rows(t); got != wanted {
		t.Errorf("n2 has %s", got)
	}
	if objects := b.objects(t); !slices.Contains(objects, attempt+"/manifest.json") || !slices.Contains(objects, attempt+"/outcome.json") {
		t.Errorf("the archive has %v", objects)
	}
}

func TestRepair_DeterminesTheOutcomeAfterALostCommitResponse(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.commit = func(ctx context.Context, real func(context.Context) error) error {
		if err := real(ctx); err != nil {
			return err
		}
		return fault.Wrap(errLost, fault.Unavailable, "the connection was lost")
	}
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "1")
	if b.sent != 1 {
		t.Errorf("%d attempts were made", b.sent)
	}
}

// Such an attempt cannot report what it finds after COMMIT. Its warnings say so, and
// include what it knew before.
func TestRepair_WarnsOfForeignKeysAndSequencesAfterALostCommitResponse(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.cluster.ExecAll(t, `CREATE SEQUENCE s`, `ALTER TABLE t ALTER id SET DEFAULT nextval('s')`, `CREATE TABLE child (t int REFERENCES t)`)
	b.commit = func(ctx context.Context, real func(context.Context) error) error {
		if err := real(ctx); err != nil {
			return err
		}
		return fault.Wrap(errLost, fault.Unavailable, "the connection was lost")
	}
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "1")
	warnings := strings.Join(r.Warnings, "\n")
	for _, want := range []string{
		`foreign key "child_t_fkey" of public.child may not have been checked: the repair was interrupted after COMMIT; this lists the rows that violate it: SELECT`,
		"values were written up to 1",
	} {
		if !strings.Contains(warnings, want) {
			t.Errorf("the warnings are %q, want %q", warnings, want)
		}
	}
}

func TestRepair_WarnsOfForeignKeysIfTheirCheckCannotBegin(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.cluster.ExecAll(t, `CREATE TABLE child (t int REFERENCES t)`)
	b.commit = func(ctx context.Context, real func(context.Context) error) error {
		b.begin = fault.New(fault.Unavailable, "no connection is free")
		return real(ctx)
	}
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "1")
	want := `node n2: foreign key "child_t_fkey" of public.child was not checked: no connection is free; this lists the rows that violate it: SELECT`
	if !slices.ContainsFunc(r.Warnings, func(text string) bool { return strings.HasPrefix(text, want) }) {
		t.Errorf("the warnings are %q, want %q", r.Warnings, want)
	}
}

// The store fails after the outcome of the attempt is known, for longer than the repair
// waits. The result is the known outcome.
func TestRepair_ReportsACommitAlthoughItsOutcomeCannotBeReadAgain(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.commit = func(ctx context.Context, real func(context.Context) error) error {
		if err := real(ctx); err != nil {
			return err
		}
		b.store.On(faulty.List, "repairs/", faulty.Always(faulty.FailBefore))
		return fault.Wrap(errLost, fault.Unavailable, "the connection was lost")
	}
	r, _ := b.run(t.Context(), t)
	b.store.Heal()
	b.wantRepaired(t, r, nil, "1")
}

func TestRepair_RetriesACommitThatNeverArrived(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.commit = func(context.Context, func(context.Context) error) error {
		b.commit = nil
		return fault.Wrap(errLost, fault.Unavailable, "the connection was lost")
	}
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "2")
	if !slices.Contains(b.objects(t), "1/outcome.json") {
		t.Errorf("the archive has %v", b.objects(t))
	}
}

// crashed runs the repair and ends it as a shutdown does: nothing is concluded.
func (b *bench) crashed(t *testing.T, commit func(ctx context.Context, real func(context.Context) error) error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	b.commit = func(ctx context.Context, real func(context.Context) error) error {
		err := commit(ctx, real)
		cancel(fault.New(fault.Unavailable, "the process has gone"))
		b.store.On(faulty.PutIfAbsent, archive.RepairKey(b.job.TaskID, "n2", 1, "outcome.json"), faulty.First(1, faulty.FailBefore))
		if err == nil {
			err = errLost
		}
		return err
	}
	if r, err := b.run(ctx, t); err == nil || len(r.Nodes) != 0 {
		t.Fatalf("result %+v, error %v", r, err)
	}
	b.commit = nil
	b.store.Heal()
	if objects := b.objects(t); slices.Contains(objects, "1/outcome.json") || !slices.Contains(objects, "1/manifest.json") {
		t.Fatalf("the archive has %v", objects)
	}
}

func TestRepair_StartsAgainAfterACrashBetweenManifestAndCommit(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.crashed(t, func(context.Context, func(context.Context) error) error { return errLost })
	if got := b.rows(t); got != before {
		t.Errorf("n2 has %s", got)
	}
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "2")
}

func TestRepair_RepeatsNothingIfItCrashesAfterTheCommit(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.crashed(t, func(ctx context.Context, real func(context.Context) error) error { return real(ctx) })
	b.sent = 0
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "1")
	if b.sent != 0 {
		t.Error("another attempt was made")
	}
}

// asOfAnotherServer changes the manifest so that the transaction's number has no meaning
// on this server.
func (b *bench) asOfAnotherServer(t *testing.T) {
	t.Helper()
	key := archive.RepairKey(b.job.TaskID, "n2", 1, "manifest.json")
	object, err := b.store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(object.Body)
	object.Body.Close()
	var m map[string]any
	if err != nil || json.Unmarshal(body, &m) != nil {
		t.Fatal(err)
	}
	m["timeline"] = "0000BEEF"
	if body, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Put(t.Context(), key, "application/json", body); err != nil {
		t.Fatal(err)
	}
}

func TestRepair_DeterminesTheOutcomeFromTheRowsAfterAFailover(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		committed bool
		since     string
		check     func(t *testing.T, b *bench, r tablerepair.Result, err error)
	}{
		{"all as after", true, ``, func(t *testing.T, b *bench, r tablerepair.Result, err error) { b.wantRepaired(t, r, err, "1") }},
		{"all as before", false, ``, func(t *testing.T, b *bench, r tablerepair.Result, err error) { b.wantRepaired(t, r, err, "2") }},
		{"neither", true, `UPDATE t SET v = 'mine' WHERE id = 2`, func(t *testing.T, b *bench, r tablerepair.Result, err error) {
			if err == nil || r.Nodes[0].Outcome != tablerepair.Unknown || !strings.Contains(fault.PublicMessage(err), "cannot be determined") {
				t.Errorf("result %+v, error %v", r, err)
			}
			if got := b.rows(t); got != "(1,a) (2,mine) (3,c)" {
				t.Errorf("n2 has %s", got)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newDiffering(t)
			b.crashed(t, func(ctx context.Context, real func(context.Context) error) error {
				if tt.committed {
					return real(ctx)
				}
				return errLost
			})
			b.asOfAnotherServer(t)
			if tt.since != "" {
				b.cluster.Exec(t, 1, tt.since)
			}
			r, err := b.run(t.Context(), t)
			tt.check(t, b, r, err)
		})
	}
}

func TestRepair_ARunnerReplacedBeforeItsLastLeaseCheckWritesNothing(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	old := b.acquire(t)
	b.acquire(t) // another runner's
	if r, err := b.runAs(t.Context(), old); err == nil || b.rows(t) != before {
		t.Errorf("result %+v, error %v, n2 has %s", r, err, b.rows(t))
	}
}

func TestRepair_ANewRunnerWaitsForACommitInProgress(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	paused, goOn := make(chan struct{}), make(chan struct{})
	b.commit = func(ctx context.Context, real func(context.Context) error) error {
		close(paused) // the lease was checked; now the process pauses
		<-goOn
		return real(ctx)
	}
	ended := make(chan struct{})
	old := b.acquire(t)
	go func() {
		defer close(ended)
		_, _ = b.runAs(t.Context(), old)
	}()
	<-paused
	done := make(chan struct{})
	var r tablerepair.Result
	var err error
	held := b.acquire(t)
	go func() {
		defer close(done)
		r, err = b.runAs(t.Context(), held)
	}()
	select {
	case <-done:
		t.Errorf("the new runner concluded %+v, %v while the old one could still commit", r, err)
	case <-time.After(time.Second):
	}
	close(goOn)
	<-ended
	<-done
	b.wantRepaired(t, r, err, "1")
	if b.sent != 1 {
		t.Errorf("%d attempts were made", b.sent)
	}
}

func TestRepair_IsRolledBackIfCancelledBeforeCommit(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	b.commit = func(ctx context.Context, _ func(context.Context) error) error {
		cancel(fault.New(fault.Cancelled, "cancelled on request"))
		return context.Cause(ctx)
	}
	r, err := b.run(ctx, t)
	if fault.CodeOf(err) != fault.Cancelled || len(r.Nodes) != 1 || r.Nodes[0].Outcome != tablerepair.RolledBack || b.rows(t) != before {
		t.Errorf("result %+v, error %v, n2 has %s", r, err, b.rows(t))
	}
}

func TestRepair_ChecksForCancellationBeforeCommit(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	held := b.acquire(t)
	if _, err := b.tasks.RequestCancel(t.Context(), b.job.TaskID); err != nil {
		t.Fatal(err)
	}
	if r, err := b.runAs(t.Context(), held); fault.CodeOf(err) != fault.Cancelled || b.rows(t) != before {
		t.Errorf("result %+v, error %v, n2 has %s", r, err, b.rows(t))
	}
}

func TestRepair_WritesNothingWithoutAStoredManifest(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]faulty.Op{"manifest.json": faulty.PutIfAbsent, "undo-000000": faulty.Commit} {
		t.Run(name, func(t *testing.T) {
			b := newDiffering(t)
			for attempt := range 20 {
				b.store.On(op, archive.RepairKey(b.job.TaskID, "n2", attempt, name), faulty.Always(faulty.FailBefore))
			}
			b.commit = func(context.Context, func(context.Context) error) error {
				t.Error("it reached COMMIT")
				return errLost
			}
			r, err := b.run(t.Context(), t)
			if fault.CodeOf(err) != fault.Unavailable || r.Nodes[0].Outcome != tablerepair.RolledBack || b.rows(t) != before {
				t.Errorf("result %+v, error %v, n2 has %s", r, err, b.rows(t))
			}
		})
	}
}

func TestRepair_IsUnknownForANodeLostAfterTheManifest(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	differing(t, c)
	b := newBench(t, c)
	b.commit = func(context.Context, func(context.Context) error) error {
		if err := c.Nodes[1].Server.Kill(); err != nil {
			t.Error(err)
		}
		return fault.Wrap(errLost, fault.Unavailable, "the connection was lost")
	}
	r, err := b.run(t.Context(), t)
	if err == nil || r.Nodes[0].Outcome != tablerepair.Unknown || !strings.Contains(fault.PublicMessage(err), "unknown whether") {
		t.Fatalf("result %+v, error %v", r, err)
	}
	b.commit = nil
	if err := c.Nodes[1].Server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err = b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "2")
}

// takeBack undoes the repair in a task of its own. It restores the before-images from the
// archive.
func (b *bench) takeBack(t *testing.T, nodes ...string) (tablerepair.Result, error) {
	t.Helper()
	rec, err := b.tasks.Create(t.Context(), task.New{
		Type: task.TableUndo, ClusterName: b.cluster.Name, DBName: b.cluster.DB, TableName: "public.t", Parameters: json.RawMessage(`{}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	repair := b.job
	defer func() { b.job = repair }()
	b.job = tablerepair.Request{
		TaskID: rec.TaskID, ClusterName: repair.ClusterName, Database: repair.Database, Schema: repair.Schema, Table: repair.Table,
		Undoes: repair.TaskID, Nodes: nodes, SubmittedAt: rec.SubmittedAt, StartedAt: rec.SubmittedAt,
	}
	return b.run(t.Context(), t)
}

// The undo determines from the rows whether the repair was committed. They have the
// source's column order.
func TestUndo_DeterminesTheOutcomeOnANodeWithAnotherColumnOrder(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
	c.Exec(t, 1, `CREATE TABLE t (v text, id int PRIMARY KEY); INSERT INTO t VALUES ('x', 2), ('c', 3), ('y', 4)`)
	b := newBench(t, c)
	b.crashed(t, func(ctx context.Context, real func(context.Context) error) error { return real(ctx) })
	b.asOfAnotherServer(t)
	r, err := b.takeBack(t, "n1", "n2")
	if err != nil || len(r.Nodes) != 1 || r.Nodes[0].Outcome != tablerepair.Committed {
		t.Errorf("result %+v, error %v", r, err)
	}
	if got := b.rows(t); got != "(x,2) (c,3) (y,4)" {
		t.Errorf("n2 has %s", got)
	}
}

// The working objects of the repair were deleted when it ended. An undo that determines
// the repair's outcome from the rows stores none again: nothing would delete them.
func TestUndo_StoresNoWorkingObjectOfTheRepair(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.crashed(t, func(ctx context.Context, real func(context.Context) error) error { return real(ctx) })
	parts := func() (keys []string) {
		err := b.store.List(t.Context(), archive.PartsRoot(b.job.TaskID), "", func(info archive.Info) bool {
			keys = append(keys, info.Key)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	for _, key := range parts() {
		if err := b.store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}

	r, err := b.takeBack(t, "n1", "n2")
	if err != nil || len(r.Nodes) != 1 || r.Nodes[0].Outcome != tablerepair.Committed {
		t.Fatalf("result %+v, error %v", r, err)
	}
	if left := parts(); len(left) > 0 {
		t.Errorf("the undo stored %v", left)
	}
}

func TestUndo_ReportsANodeThatLeftTheCluster(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	if _, err := b.run(t.Context(), t); err != nil {
		t.Fatal(err)
	}
	r, err := b.takeBack(t, "n1")
	if err == nil || len(r.Nodes) != 1 || !strings.Contains(fault.PublicMessage(err), `node "n2" was repaired, but is not an active node`) {
		t.Errorf("result %+v, error %v", r, err)
	}
}

// A unit that is delivered twice finds nothing to do the second time. Its second result
// must not count.
func TestRepair_AUnitDeliveredTwiceIsDoneOnce(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	worker := tablerepair.NewWorker(b.store, b, b.tasks)
	b.commit = func(ctx context.Context, real func(context.Context) error) error {
		b.commit = nil
		if err := real(ctx); err != nil {
			return err
		}
		if totals, err := worker.Do(ctx, b.unit); err == nil {
			t.Errorf("the second time it did %+v", totals)
		}
		return nil
	}
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "1")
}

// The process ends between the report and the end of the task. The next process writes a
// report of its own.
func TestRepair_TheReportStatesHowTheTaskEnded(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.job.Report, b.job.Arguments = true, json.RawMessage(`{}`)
	b.commit = func(context.Context, func(context.Context) error) error {
		return fault.New(fault.Invalid, "it is refused")
	}
	first, err := b.run(t.Context(), t)
	if err == nil || first.Report == nil {
		t.Fatalf("result %+v, error %v", first, err)
	}
	b.commit = nil
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "2")
	for key, outcome := range map[string]string{first.Report.Key: tablerepair.RolledBack, r.Report.Key: tablerepair.Committed} {
		object, err := b.store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(object.Body)
		object.Body.Close()
		if err != nil || !strings.Contains(string(body), `"outcome":"`+outcome+`"`) {
			t.Errorf("%s is %s, error %v; want the outcome %s", key, body, err, outcome)
		}
	}
}

// A column that the plan does not know would be lost with a deleted row: no before-image
// has it.
func TestRepair_RefusesATableAlteredAfterThePlan(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]string{
		"a column more":     `ALTER TABLE t ADD w text; UPDATE t SET w = 'mine'`,
		"another type":      `ALTER TABLE t ALTER v TYPE varchar(9)`,
		"another column":    `ALTER TABLE t RENAME v TO old; ALTER TABLE t ADD v text`,
		"generated instead": `ALTER TABLE t DROP v; ALTER TABLE t ADD v text GENERATED ALWAYS AS ('g') STORED`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newDiffering(t)
			altered := ""
			b.once("n2 TryAdvisoryLock", func() {
				b.cluster.Exec(t, 1, alter)
				altered = b.rows(t)
			})
			r, err := b.run(t.Context(), t)
			if err == nil || r.Nodes[0].Outcome != tablerepair.RolledBack || !strings.Contains(fault.PublicMessage(err), "altered") {
				t.Errorf("result %+v, error %v", r, err)
			}
			if got := b.rows(t); got != altered {
				t.Errorf("n2 has %s instead of %s", got, altered)
			}
		})
	}
}
