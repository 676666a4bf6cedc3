package task_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

func TestCreate_StoresAQueuedTaskUnderTheIDOfItsSecond(t *testing.T) {
	r, _ := newRegistry(t)
	for _, tt := range []struct {
		typ task.Type
		id  string
	}{
		{task.TableDiff, "td_20240315_123456"},
		{task.TableRepair, "tr_20240315_123456"},
		{task.TableUndo, "tu_20240315_123456"},
	} {
		n := diffOf("public.users")
		n.Type = tt.typ
		rec := create(t, r, n)
		stored := get(t, r, rec.TaskID)
		if rec.TaskID != tt.id || stored.Status != task.Queued || !stored.SubmittedAt.Equal(noon) {
			t.Errorf("created %s, stored %+v", rec.TaskID, stored)
		}
		if stored.TableName != "public.users" || string(stored.Parameters) != `{"block_rows":10000}` {
			t.Errorf("stored %+v", stored)
		}
	}
}

func TestCreate_FiftyInTheSameSecondGetFiftyIDs(t *testing.T) {
	r, _ := newRegistry(t)
	ids := make([]string, 50)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			rec, err := r.Create(context.Background(), diffOf(fmt.Sprintf("public.t%d", i)))
			if err != nil {
				t.Errorf("Create: %v", err)
			}
			ids[i] = rec.TaskID
		})
	}
	wg.Wait()
	for i, id := range ids {
		if got := get(t, r, id).TableName; got != fmt.Sprintf("public.t%d", i) {
			t.Errorf("task %s of submission %d compares %s", id, i, got)
		}
	}
	marks := open(t, r)
	slices.Sort(marks)
	slices.Sort(ids)
	if !slices.Equal(marks, ids) {
		t.Errorf("open tasks %v, want %v", marks, ids)
	}
}

func TestCreate_ALostResponseNeitherLosesNorDuplicatesTheTask(t *testing.T) {
	for _, prefix := range []string{"open/", "tasks/"} {
		for name, outcome := range map[string]faulty.Outcome{"lost before": faulty.FailBefore, "lost after": faulty.FailAfter} {
			t.Run(prefix+" "+name, func(t *testing.T) {
				r, store := newRegistry(t)
				store.On(faulty.PutIfAbsent, prefix, faulty.First(1, outcome))
				rec := create(t, r, diffOf("public.users"))
				if rec.TaskID != "td_20240315_123456" {
					t.Errorf("the id is %s: its own object was treated as another task's", rec.TaskID)
				}
				if got := get(t, r, rec.TaskID); got.Submission != rec.Submission {
					t.Errorf("submission %s is stored, %s was answered", got.Submission, rec.Submission)
				}
				if marks := open(t, r); !slices.Equal(marks, []string{rec.TaskID}) {
					t.Errorf("open tasks %v, want %s only", marks, rec.TaskID)
				}
			})
		}
	}
}

func TestCreate_DoesNotReturnAnotherSubmissionsTaskAfterALostResponse(t *testing.T) {
	r, store := newRegistry(t)
	first := create(t, r, diffOf("public.users"))
	store.On(faulty.PutIfAbsent, "open/", faulty.First(1, faulty.FailBefore))
	second := create(t, r, diffOf("public.users"))
	if second.TaskID == first.TaskID {
		t.Fatalf("two submissions share %s", first.TaskID)
	}
	get(t, r, second.TaskID)
}

func TestCreate_LeavesNoMarkerUnderTheIDOfATaskThatEndedWithinTheSecond(t *testing.T) {
	r, _ := newRegistry(t)
	first := create(t, r, diffOf("public.users"))
	if _, err := r.RequestCancel(t.Context(), first.TaskID); err != nil {
		t.Fatal(err)
	}
	second := create(t, r, diffOf("public.users"))
	if marks := open(t, r); !slices.Equal(marks, []string{second.TaskID}) || second.TaskID == first.TaskID {
		t.Errorf("open tasks %v, want %s only", marks, second.TaskID)
	}
}

func TestCreate_IsUnavailableDuringAnOutage(t *testing.T) {
	r, store := newRegistry(t)
	store.On(faulty.PutIfAbsent, "", faulty.Always(faulty.FailBefore))
	_, err := r.Create(t.Context(), diffOf("public.users"))
	wantCode(t, err, fault.Unavailable)
}

func TestCreate_ContinuesWhenTheCallerIsCancelled(t *testing.T) {
	r, _ := newRegistry(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec, err := r.Create(ctx, diffOf("public.users"))
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	get(t, r, rec.TaskID)
}

func TestCreate_RefusesParametersThatAreNotJSON(t *testing.T) {
	r, _ := newRegistry(t)
	n := diffOf("public.users")
	n.Parameters = []byte(`{"block_rows":`)
	_, err := r.Create(t.Context(), n)
	wantCode(t, err, fault.Invalid)
}

func TestGet_OfAnUnknownTaskNamesIt(t *testing.T) {
	r, _ := newRegistry(t)
	_, err := r.Get(t.Context(), "td_19990101_000000")
	wantCode(t, err, fault.NotFound)
	if !strings.Contains(fault.PublicMessage(err), "td_19990101_000000") {
		t.Errorf("message %q does not name the task", fault.PublicMessage(err))
	}
	_, err = r.Get(t.Context(), "../../etc/passwd")
	wantCode(t, err, fault.Invalid)
}

func TestGet_OfADamagedRecordIsInternal(t *testing.T) {
	r, store := newRegistry(t)
	rec := create(t, r, diffOf("public.users"))
	if _, err := store.Put(t.Context(), archive.TaskKey(rec.TaskID), "application/json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	_, err := r.Get(t.Context(), rec.TaskID)
	wantCode(t, err, fault.Internal)
}
