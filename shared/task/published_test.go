package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/shared/fault"
	"ace/shared/task"
)

// publish completes a task with a document and returns the error of Clear.
func publish(t *testing.T, held *task.Lease) error {
	t.Helper()
	document := &task.Document{Key: "diffs/2024-03-15/td_20240315_123456.json", Size: 3, SHA256: "ab"}
	if _, err := held.Finish(t.Context(), task.Outcome{Status: task.Completed, Document: document}); err != nil {
		t.Fatal(err)
	}
	return held.Clear(t.Context())
}

func TestOnPublished_IsCalledForATaskStoredAsCompleted(t *testing.T) {
	r, _ := newRegistry(t)
	var told []string
	r.OnPublished(func(ctx context.Context, rec task.Record) error {
		stored, err := r.Get(ctx, rec.TaskID)
		if err != nil || stored.Document == nil || stored.Status != task.Completed {
			t.Errorf("the record is %+v, %v", stored, err)
		}
		told = append(told, rec.TaskID)
		return nil
	})
	rec := create(t, r, diffOf("public.users"))
	if err := publish(t, acquire(t, r, rec.TaskID, "host-1")); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, []string{rec.TaskID}) || len(open(t, r)) > 0 {
		t.Errorf("called for %v, open are %v", told, open(t, r))
	}
}

func TestOnPublished_IsRepeatedUntilItSucceeds(t *testing.T) {
	r, _ := newRegistry(t)
	calls := 0
	r.OnPublished(func(context.Context, task.Record) error {
		if calls++; calls < 3 {
			return errors.New("out of reach")
		}
		return nil
	})
	rec := create(t, r, diffOf("public.users"))
	err := publish(t, acquire(t, r, rec.TaskID, "host-1"))
	for attempt := 1; attempt < 3; attempt++ {
		if err == nil || len(open(t, r)) != 1 {
			t.Fatalf("attempt %d: error %v, open are %v", attempt, err, open(t, r))
		}
		_, err = r.Acquire(t.Context(), rec.TaskID, "host-2", task.AcquireOptions{})
	}
	wantCode(t, err, fault.Conflict)
	if calls != 3 || len(open(t, r)) > 0 {
		t.Errorf("called %d times, open are %v", calls, open(t, r))
	}
}

func TestOnPublished_IsCalledByTheNextProcessIfTheFirstDies(t *testing.T) {
	r, store := newRegistry(t)
	rec := create(t, r, diffOf("public.users"))
	// The first process has no hook, and dies.
	store.On(faulty.Delete, "open/", faulty.Always(faulty.FailBefore))
	if err := publish(t, acquire(t, r, rec.TaskID, "host-1")); err == nil {
		t.Fatal("the open marker was removed")
	}
	store.Heal()

	next := task.NewRegistry(store, atNoon)
	told := 0
	next.OnPublished(func(context.Context, task.Record) error { told++; return nil })
	_, err := next.Acquire(t.Context(), rec.TaskID, "host-2", task.AcquireOptions{})
	wantCode(t, err, fault.Conflict)
	if told != 1 || len(open(t, r)) > 0 {
		t.Errorf("called %d times, open are %v", told, open(t, r))
	}
}

func TestOnEnded_IsCalledForEveryTaskHoweverItEnded(t *testing.T) {
	r, _ := newRegistry(t)
	var told []task.Status
	r.OnEnded(func(ctx context.Context, rec task.Record) error {
		if stored, err := r.Get(ctx, rec.TaskID); err != nil || stored.Status != rec.Status || rec.FinishedAt == nil {
			t.Errorf("the stored record is %+v, %v", stored, err)
		}
		told = append(told, rec.Status)
		return nil
	})

	for _, end := range []task.Outcome{{Status: task.Completed}, {Status: task.Failed, Error: errors.New("e")}} {
		held := acquire(t, r, create(t, r, diffOf("public.users")).TaskID, "host-1")
		if _, err := held.Finish(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		if err := held.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.RequestCancel(t.Context(), create(t, r, diffOf("public.users")).TaskID); err != nil {
		t.Fatal(err)
	}
	if want := []task.Status{task.Completed, task.Failed, task.Cancelled}; !slices.Equal(told, want) || len(open(t, r)) > 0 {
		t.Errorf("called for %v, want %v; open are %v", told, want, open(t, r))
	}
}

// If a process dies just after a task has ended, the next process reports the task. Its
// plan and parts are deleted even if the report fails.
func TestOnEnded_IsCalledByTheNextProcessIfTheFirstDies(t *testing.T) {
	r, store := newRegistry(t)
	rec := create(t, r, diffOf("public.users"))
	r.OnEnded(func(context.Context, task.Record) error { return errors.New("out of reach") })
	if _, err := store.PutIfAbsent(t.Context(), "tasks/"+rec.TaskID+"/plan.json", "application/json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	held := acquire(t, r, rec.TaskID, "host-1")
	if _, err := held.Finish(t.Context(), task.Outcome{Status: task.Completed}); err != nil {
		t.Fatal(err)
	}
	if err := held.Clear(t.Context()); err == nil || !slices.Equal(open(t, r), []string{rec.TaskID}) {
		t.Errorf("error %v, open are %v", err, open(t, r))
	}
	if _, err := store.Stat(t.Context(), "tasks/"+rec.TaskID+"/plan.json"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the plan: %v", err)
	}

	// A later process finds the task in one of two ways. Both must call the hook.
	for name, find := range map[string]func(*task.Registry) error{
		"acquire": func(next *task.Registry) error {
			_, err := next.Acquire(t.Context(), rec.TaskID, "host-2", task.AcquireOptions{})
			return err
		},
		"restart": func(next *task.Registry) error {
			_, err := next.Restart(t.Context(), rec.TaskID)
			return err
		},
	} {
		next := task.NewRegistry(store, atNoon)
		told := 0
		next.OnEnded(func(context.Context, task.Record) error { told++; return errors.New("not yet") })
		if err := find(next); err == nil || told != 1 || len(open(t, r)) != 1 {
			t.Errorf("%s: called %d times, %v", name, told, err)
		}
	}
	next := task.NewRegistry(store, atNoon)
	told := 0
	next.OnEnded(func(context.Context, task.Record) error { told++; return nil })
	if _, err := next.Restart(t.Context(), rec.TaskID); err != nil || told != 1 || len(open(t, r)) > 0 {
		t.Errorf("called %d times, %v, open are %v", told, err, open(t, r))
	}
}

func TestAll_ReturnsEveryTask(t *testing.T) {
	r, ids := seven(t)
	var got []string
	for rec, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, rec.TaskID)
	}
	slices.Reverse(got) // ids are listed newest first
	if !slices.Equal(got, ids) {
		t.Errorf("got %v, want %v", got, ids)
	}
}

func TestAll_EndsWithTheStoresError(t *testing.T) {
	r, store := newRegistry(t)
	create(t, r, diffOf("public.users"))
	for _, op := range []faulty.Op{faulty.List, faulty.Get} {
		store.On(op, "tasks/", faulty.Always(faulty.FailBefore))
		var last error
		for _, err := range r.All(t.Context()) {
			last = err
		}
		wantCode(t, last, fault.Unavailable)
		store.Heal()
	}
}
