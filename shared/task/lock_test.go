package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

// repairOf returns an exclusive task that does what asked describes.
func repairOf(table, asked string) task.New {
	n := diffOf(table)
	n.Type, n.Exclusive = task.TableRepair, asked
	return n
}

func TestExclusive_ReturnsTheSameTaskForTheSameRequest(t *testing.T) {
	r, _ := newRegistry(t)
	first := create(t, r, repairOf("public.users", "source n1"))
	again := create(t, r, repairOf("public.users", "source n1"))
	if again.TaskID != first.TaskID || again.Submission != first.Submission {
		t.Errorf("got %+v, want task %s", again, first.TaskID)
	}
	acquire(t, r, first.TaskID, "host-1")
	if running := create(t, r, repairOf("public.users", "source n1")); running.TaskID != first.TaskID || running.Status != task.Running {
		t.Errorf("got %+v, want task %s", running, first.TaskID)
	}
	if marks := open(t, r); !slices.Equal(marks, []string{first.TaskID}) {
		t.Errorf("open tasks %v, want %s only", marks, first.TaskID)
	}
}

func TestExclusive_RefusesAnotherRequestForTheTableAndNamesTheTask(t *testing.T) {
	r, _ := newRegistry(t)
	first := create(t, r, repairOf("public.users", "source n1"))
	_, err := r.Create(t.Context(), repairOf("public.users", "source n2"))
	wantCode(t, err, fault.Conflict)
	if got, want := fault.PublicMessage(err), "table-repair task tr_20240315_123456 is QUEUED for table public.users: wait until it ends, or cancel it"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if marks := open(t, r); !slices.Equal(marks, []string{first.TaskID}) {
		t.Errorf("open tasks %v, want %s only", marks, first.TaskID)
	}
}

func TestExclusive_DoesNotAffectOtherTablesOrOtherTasks(t *testing.T) {
	r, _ := newRegistry(t)
	create(t, r, repairOf("public.users", "source n1"))
	others := []task.New{
		repairOf("public.orders", "source n2"), repairOf(`public."Users"`, "source n2"), repairOf("public.users", "source n2"),
		repairOf("public.users", "source n2"), diffOf("public.users"),
	}
	others[2].DBName = "other"
	others[3].ClusterName = "other"
	for _, n := range others {
		if _, err := r.Create(t.Context(), n); err != nil {
			t.Errorf("%s of %s %s %s: %v", n.Type, n.ClusterName, n.DBName, n.TableName, err)
		}
	}
}

func TestExclusive_TheEndOfTheTaskFreesTheTable(t *testing.T) {
	ends := map[string]func(t *testing.T, r *task.Registry, id string){
		"completed": func(t *testing.T, r *task.Registry, id string) {
			if _, err := acquire(t, r, id, "host-1").Finish(t.Context(), completed); err != nil {
				t.Fatal(err)
			}
		},
		"failed": func(t *testing.T, r *task.Registry, id string) {
			if _, err := acquire(t, r, id, "host-1").Finish(t.Context(), task.Outcome{Status: task.Failed, Error: errors.New("no")}); err != nil {
				t.Fatal(err)
			}
		},
		"cancelled": func(t *testing.T, r *task.Registry, id string) {
			if _, err := r.RequestCancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			r, _ := newRegistry(t)
			first := create(t, r, repairOf("public.users", "source n1"))
			end(t, r, first.TaskID)
			for _, asked := range []string{"source n1", "source n2"} {
				next := create(t, r, repairOf("public.users", asked))
				if next.TaskID == first.TaskID {
					t.Fatalf("%s returns the task that has ended", asked)
				}
				if err := r.CheckLock(t.Context(), next); err != nil {
					t.Error(err)
				}
				wantCode(t, r.CheckLock(t.Context(), first), fault.Conflict)
				end(t, r, next.TaskID)
			}
		})
	}
}

func TestExclusive_OneOfManyConcurrentTasksGetsTheTable(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("after another: %v", again), func(t *testing.T) {
			r, _ := newRegistry(t)
			if again {
				first := create(t, r, repairOf("public.users", "before"))
				if _, err := r.RequestCancel(t.Context(), first.TaskID); err != nil {
					t.Fatal(err)
				}
			}
			var mu sync.Mutex
			byAsked := map[string][]string{}
			var wg sync.WaitGroup
			for i := range 24 {
				asked := fmt.Sprintf("source n%d", i%3)
				wg.Go(func() {
					rec, err := r.Create(context.Background(), repairOf("public.users", asked))
					if err != nil {
						if fault.CodeOf(err) != fault.Conflict {
							t.Errorf("%s: %v", asked, err)
						}
						return
					}
					mu.Lock()
					defer mu.Unlock()
					byAsked[asked] = append(byAsked[asked], rec.TaskID)
				})
			}
			wg.Wait()
			if len(byAsked) != 1 {
				t.Fatalf("these got the table: %v", byAsked)
			}
			for _, ids := range byAsked {
				if ids = slices.Compact(slices.Sorted(slices.Values(ids))); len(ids) != 1 || !slices.Equal(open(t, r), ids) {
					t.Errorf("answered %v, open are %v", ids, open(t, r))
				}
			}
		})
	}
}

func TestExclusive_ALostResponseNeitherLosesNorDuplicatesTheTask(t *testing.T) {
	for name, outcome := range map[string]faulty.Outcome{"lost before": faulty.FailBefore, "lost after": faulty.FailAfter} {
		for _, op := range []faulty.Op{faulty.PutIfAbsent, faulty.PutIfMatch, faulty.Get} {
			t.Run(fmt.Sprintf("%s %s", op, name), func(t *testing.T) {
				r, store := newRegistry(t)
				if op == faulty.PutIfMatch {
					before := create(t, r, repairOf("public.users", "before"))
					if _, err := r.RequestCancel(t.Context(), before.TaskID); err != nil {
						t.Fatal(err)
					}
				}
				store.On(op, "locks/", faulty.First(2, outcome))
				rec := create(t, r, repairOf("public.users", "source n1"))
				store.Heal()
				if err := r.CheckLock(t.Context(), rec); err != nil {
					t.Error(err)
				}
				if marks := open(t, r); !slices.Equal(marks, []string{rec.TaskID}) {
					t.Errorf("open tasks %v, want %s only", marks, rec.TaskID)
				}
			})
		}
	}
}

func TestExclusive_SubmitsNothingDuringAnOutage(t *testing.T) {
	r, store := newRegistry(t)
	store.On(faulty.Get, "locks/", faulty.Always(faulty.FailBefore))
	_, err := r.Create(t.Context(), repairOf("public.users", "source n1"))
	wantCode(t, err, fault.Unavailable)
	if marks := open(t, r); len(marks) != 0 {
		t.Errorf("open tasks %v", marks)
	}
}

// The audit log cannot be written, for example, so the task is not created.
func TestExclusive_ATaskThatWasNotCreatedFreesTheTableAtOnce(t *testing.T) {
	r, _ := newRegistry(t)
	n := repairOf("public.users", "source n1")
	refused := errors.New("not recorded")
	n.Before = func(context.Context, *task.Record, bool) error { return refused }
	if _, err := r.Create(t.Context(), n); !errors.Is(err, refused) {
		t.Fatalf("got %v", err)
	}
	before := time.Now()
	next := create(t, r, repairOf("public.users", "source n2"))
	if took := time.Since(before); took > 30*time.Second {
		t.Errorf("the next task had to wait for %s", took)
	}
	if err := r.CheckLock(t.Context(), next); err != nil {
		t.Error(err)
	}
}

// The lock of a task that was created must survive the release of an earlier one, also if
// the release is late.
func TestExclusive_ALateReleaseChangesNoOtherLock(t *testing.T) {
	r, store := newRegistry(t)
	n := repairOf("public.users", "source n1")
	var next task.Record
	n.Before = func(ctx context.Context, _ *task.Record, _ bool) error {
		if err := store.Delete(ctx, archive.LockKey(n.ClusterName, n.DBName, n.TableName)); err != nil {
			t.Error(err)
		}
		next = create(t, r, repairOf("public.users", "source n2"))
		return errors.New("not recorded")
	}
	if _, err := r.Create(t.Context(), n); err == nil {
		t.Fatal("the task was created")
	}
	if err := r.CheckLock(t.Context(), next); err != nil {
		t.Error(err)
	}
	_, err := r.Create(t.Context(), repairOf("public.users", "source n3"))
	wantCode(t, err, fault.Conflict)
}

// later is a store whose clock is ahead.
type later struct {
	archive.Store
	by time.Duration
}

func (l later) Get(ctx context.Context, key string) (archive.Object, error) {
	object, err := l.Store.Get(ctx, key)
	object.Now = object.Now.Add(l.by)
	return object, err
}

func TestExclusive_TakesOverTheOldLockOfAFailedSubmission(t *testing.T) {
	r, store := newRegistry(t)
	store.On(faulty.PutIfAbsent, "tasks/", faulty.Always(faulty.FailBefore))
	_, err := r.Create(t.Context(), repairOf("public.users", "source n1"))
	wantCode(t, err, fault.Unavailable)
	store.Heal()
	_, err = r.Create(t.Context(), repairOf("public.users", "source n2"))
	wantCode(t, err, fault.Conflict)
	if !strings.Contains(fault.PublicMessage(err), "task tr_20240315_123456 is being submitted for table public.users") {
		t.Errorf("got %s", fault.PublicMessage(err))
	}
	patient := task.NewRegistry(later{store, time.Hour}, atNoon)
	rec := create(t, patient, repairOf("public.users", "source n2"))
	if err := patient.CheckLock(t.Context(), rec); err != nil {
		t.Error(err)
	}
}

func TestCreate_RecordsTheDocumentThatTheTaskStartsFrom(t *testing.T) {
	r, _ := newRegistry(t)
	n := repairOf("public.users", "source n1")
	n.Input = &task.Document{Key: "diffs/2024-03-15/td_20240315_123456.json", Size: 7, SHA256: "abc"}
	if rec := get(t, r, create(t, r, n).TaskID); rec.Input == nil || *rec.Input != *n.Input {
		t.Errorf("stored %+v", rec.Input)
	}
}
