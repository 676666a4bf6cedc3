package retention_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/diffindex"
	"ace/shared/retention"
	"ace/shared/task"
)

const day = 24 * time.Hour

var noon = time.Date(2024, 3, 15, 12, 34, 56, 0, time.UTC)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a sweeper with an archive and a clock that the test sets.
type bench struct {
	*retention.Sweeper
	store *faulty.Store
	now   time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{store: faulty.Wrap(memstore.New(t)), now: noon}
	clock := func() time.Time { return b.now }
	b.Sweeper = &retention.Sweeper{
		Store: b.store, Tasks: task.NewRegistry(b.store, clock), Diffs: diffindex.New(b.store), Now: clock,
	}
	b.Tasks.OnPublished(b.Diffs.Add)
	return b
}

func (b *bench) put(t *testing.T, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, err := b.store.Put(t.Context(), key, "application/json", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
}

// submitted creates a waiting task.
func (b *bench) submitted(t *testing.T, n task.New) task.Record {
	t.Helper()
	n.ClusterName, n.DBName, n.TableName = "demo", "app", "public.users"
	rec, err := b.Tasks.Create(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// ended creates a task that ended now, with every object that a task may have.
func (b *bench) ended(t *testing.T, typ task.Type) task.Record {
	t.Helper()
	rec := b.submitted(t, task.New{Type: typ, Parameters: json.RawMessage("{}")})
	id := rec.TaskID
	held, err := b.Tasks.Acquire(t.Context(), id, "here", task.AcquireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := task.Outcome{Status: task.Completed, Result: json.RawMessage(`{}`)}
	if typ == task.TableRepair {
		b.put(t, archive.ReportKey(id, b.now, 1), archive.ReportKey(id, b.now, 2), archive.BeforeImagesKey(id, b.now), archive.BeforeImagesRecordKey(id, b.now),
			archive.RepairKey(id, "n1", 1, "manifest.json"), archive.RepairKey(id, "n2", 1, "undo-1"))
	} else {
		o.Document = &task.Document{Key: archive.DiffKey(id, b.now, "json"), Size: 2, SHA256: "ab"}
		b.put(t, o.Document.Key, archive.DiffKey(id, b.now, "html"), archive.BaselineKey(rec.ClusterName, rec.DBName, rec.TableName, id))
	}
	if _, err := held.Finish(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := held.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	return held.Record()
}

// keys returns the keys in the archive.
func (b *bench) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	err := b.store.List(t.Context(), "", "", func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (b *bench) sweep(t *testing.T, keep time.Duration, want retention.Removed) {
	t.Helper()
	if got, err := b.Sweep(t.Context(), keep); err != nil || got != want {
		t.Errorf("removed %+v, %v, want %+v", got, err, want)
	}
}

func TestSweep_DeletesEverythingOldAndNothingElse(t *testing.T) {
	b := newBench(t)
	b.ended(t, task.TableDiff)
	b.ended(t, task.TableRepair)
	old := b.keys(t)
	b.now = noon.Add(5 * day)
	b.ended(t, task.TableDiff)
	b.ended(t, task.TableRepair)
	young := slices.DeleteFunc(b.keys(t), func(key string) bool { return slices.Contains(old, key) && !strings.HasPrefix(key, "locks/") })
	b.now = noon.Add(10 * day)
	b.sweep(t, 10*day, retention.Removed{})
	b.now = b.now.Add(time.Millisecond)
	b.sweep(t, 10*day, retention.Removed{Tasks: 2})
	if left := b.keys(t); !slices.Equal(left, young) {
		t.Errorf("left are %v, want %v", left, young)
	}
	b.sweep(t, 10*day, retention.Removed{})
}

func TestSweep_KeepsEverythingByDefault(t *testing.T) {
	b := newBench(t)
	b.ended(t, task.TableDiff)
	b.put(t, archive.ImportKey("a"), archive.IncomingKey("b"))
	b.now = time.Now().Add(1000 * day) // objects have the time of the store's own clock
	before := b.keys(t)
	b.sweep(t, 0, retention.Removed{})
	if left := slices.DeleteFunc(before, func(key string) bool { return key == archive.IncomingKey("b") }); !slices.Equal(b.keys(t), left) {
		t.Errorf("left are %v, want %v", b.keys(t), left)
	}
}

func TestSweep_KeepsTheInputOfOpenTasks(t *testing.T) {
	b := newBench(t)
	diff, repair := b.ended(t, task.TableDiff), b.ended(t, task.TableRepair)
	b.put(t, archive.ImportKey("a"), archive.ImportKey("b"))
	b.now = time.Now().Add(1000 * day)
	b.submitted(t, task.New{Type: task.TableRerun, Input: diff.Document, Parameters: json.RawMessage("{}")})
	b.submitted(t, task.New{Type: task.TableRerun, Input: &task.Document{Key: archive.ImportKey("a")}, Parameters: json.RawMessage("{}")})
	b.submitted(t, task.New{Type: task.TableUndo, Parameters: json.RawMessage(`{"task_id": "` + repair.TaskID + `"}`)})
	b.put(t, archive.OpenKey("td_20240101_000000")) // a submission that failed
	b.sweep(t, day, retention.Removed{Imports: 1})
	for _, key := range []string{diff.Document.Key, archive.RepairKey(repair.TaskID, "n1", 1, "manifest.json"), archive.ImportKey("a")} {
		if !slices.Contains(b.keys(t), key) {
			t.Errorf("%s is gone", key)
		}
	}
}

func TestSweep_KeepsWhatKeepReturns(t *testing.T) {
	b := newBench(t)
	kept := b.ended(t, task.TableDiff)
	b.ended(t, task.TableDiff)
	b.now = noon.Add(1000 * day)
	b.Keep = func(context.Context) ([]string, error) { return []string{kept.Document.Key}, nil }
	b.sweep(t, day, retention.Removed{Tasks: 1})
	b.Keep = func(context.Context) ([]string, error) { return nil, errors.New("unknown") }
	if _, err := b.Sweep(t.Context(), day); err == nil {
		t.Error("it goes on without knowing what is needed")
	}
	if _, err := b.Tasks.Get(t.Context(), kept.TaskID); err != nil {
		t.Error(err)
	}
}

func TestSweep_KeepsTheInputOfTasksSubmittedDuringTheSweep(t *testing.T) {
	b := newBench(t)
	diff, repair := b.ended(t, task.TableDiff), b.ended(t, task.TableRepair)
	b.put(t, archive.ImportKey("a"))
	b.ended(t, task.TableDiff)
	b.now = time.Now().Add(1000 * day)
	b.Keep = func(context.Context) ([]string, error) { // called at the start of the sweep
		b.submitted(t, task.New{Type: task.TableRepair, Input: diff.Document, Parameters: json.RawMessage("{}")})
		b.submitted(t, task.New{Type: task.TableRepair, Input: &task.Document{Key: archive.ImportKey("a")}, Parameters: json.RawMessage("{}")})
		b.submitted(t, task.New{Type: task.TableUndo, Parameters: json.RawMessage(`{"task_id": "` + repair.TaskID + `"}`)})
		return nil, nil
	}
	b.sweep(t, day, retention.Removed{Tasks: 1})
	for _, key := range []string{
		diff.Document.Key, archive.TaskKey(diff.TaskID), archive.ImportKey("a"), archive.RepairKey(repair.TaskID, "n1", 1, "manifest.json"),
		archive.RepairKey(repair.TaskID, "n2", 1, "undo-1"), archive.TaskKey(repair.TaskID), archive.ReportKey(repair.TaskID, noon, 1),
	} {
		if !slices.Contains(b.keys(t), key) {
			t.Errorf("%s is gone", key)
		}
	}
}

func TestSweep_AnInterruptedSweepListsNoDeletedDocumentAndIsResumed(t *testing.T) {
	for failed := 1; ; failed++ {
		b := newBench(t)
		rec := b.ended(t, task.TableDiff)
		b.now = noon.Add(1000 * day)
		b.store.On(faulty.Delete, "", faulty.Nth(failed, faulty.FailBefore))
		_, err := b.Sweep(t.Context(), day)
		if err == nil {
			if failed < 5 {
				t.Errorf("only %d objects were removed", failed-1)
			}
			return
		}
		page, listErr := b.Diffs.List(t.Context(), diffindex.Filter{})
		if listErr != nil || len(page.Entries) > 1 {
			t.Errorf("after %d: %v, %v", failed, page, listErr)
		}
		for _, entry := range page.Entries {
			if _, err := b.store.Stat(t.Context(), entry.Key); err != nil {
				t.Errorf("after %d: %s is listed: %v", failed, entry.Key, err)
			}
		}
		b.store.Heal()
		if _, err := b.Sweep(t.Context(), day); err != nil {
			t.Errorf("after %d: %v", failed, err)
		}
		if left := b.keys(t); slices.ContainsFunc(left, func(key string) bool { return strings.Contains(key, rec.TaskID) }) {
			t.Errorf("after %d are left %v", failed, left)
		}
	}
}

// The task of a table is kept as long as the schema-diff whose document names it.
func TestSweep_KeepsTheTasksOfAParentThatIsKept(t *testing.T) {
	b := newBench(t)
	parent := b.submitted(t, task.New{Type: task.SchemaDiff, Parameters: json.RawMessage("{}")})
	lease, err := b.Tasks.Acquire(t.Context(), parent.TaskID, "here", task.AcquireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	child := b.submitted(t, task.New{Type: task.TableDiff, Parameters: json.RawMessage("{}"), Parent: parent.TaskID})
	if _, err := b.Tasks.RequestCancel(t.Context(), child.TaskID); err != nil { // the task ends now
		t.Fatal(err)
	}
	sweep := func(want ...string) {
		t.Helper()
		if _, err := b.Sweep(t.Context(), 10*day); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{parent.TaskID, child.TaskID} {
			if _, err := b.Tasks.Get(t.Context(), id); (err == nil) != slices.Contains(want, id) {
				t.Errorf("%s: %v, want %v", id, err, want)
			}
		}
	}

	b.now = noon.Add(11 * day)
	sweep(parent.TaskID, child.TaskID)
	if _, err := lease.Finish(t.Context(), task.Outcome{Status: task.Completed}); err != nil {
		t.Fatal(err)
	}
	if err := lease.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.now = noon.Add(20 * day)
	sweep(parent.TaskID, child.TaskID)
	b.now = noon.Add(22 * day)
	sweep()
}

// The tasks are also kept if a newer version has stored the parent, because it is unknown
// whether that version keeps the parent.
func TestSweep_KeepsTheTasksOfANewerParent(t *testing.T) {
	b := newBench(t)
	parent := b.submitted(t, task.New{Type: task.SchemaDiff, Parameters: json.RawMessage("{}")})
	child := b.submitted(t, task.New{Type: task.TableDiff, Parameters: json.RawMessage("{}"), Parent: parent.TaskID})
	other := b.submitted(t, task.New{Type: task.TableDiff, Parameters: json.RawMessage("{}")})
	for _, rec := range []task.Record{parent, child, other} {
		if _, err := b.Tasks.RequestCancel(t.Context(), rec.TaskID); err != nil { // the task ends now
			t.Fatal(err)
		}
	}
	newer := fmt.Sprintf(`{"format": %d, "task_id": %q}`, task.CurrentFormat+1, parent.TaskID)
	if _, err := b.store.Put(t.Context(), archive.TaskKey(parent.TaskID), "application/json", []byte(newer)); err != nil {
		t.Fatal(err)
	}

	b.now = noon.Add(22 * day)
	removed, err := b.Sweep(t.Context(), 10*day)
	if _, missing := b.Tasks.Get(t.Context(), child.TaskID); err != nil || missing != nil || removed.Tasks != 1 {
		t.Errorf("removed %+v, %v; the child: %v", removed, err, missing)
	}
}
