package task_test

import (
	"testing"

	"ace/infra/testkit/faulty"
	"ace/shared/task"
)

// A task that could not be added to the list when it was created is added before it is
// acquired or cancelled. Otherwise it would run but would never be listed.
func TestList_HasATaskThatCouldNotBeListedAtFirst(t *testing.T) {
	for name, leave := range map[string]func(*task.Registry, string) error{
		"acquired": func(r *task.Registry, id string) error {
			_, err := r.Acquire(t.Context(), id, "runner", task.AcquireOptions{})
			return err
		},
		"cancelled": func(r *task.Registry, id string) error {
			_, err := r.RequestCancel(t.Context(), id)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, store := newRegistry(t)
			store.On(faulty.Put, "index/", faulty.First(1+4, faulty.FailBefore)) // 4 tries after Create
			id := create(t, r, diffOf("public.t")).TaskID

			if err := leave(r, id); err == nil {
				t.Error("the task left QUEUED although it could not be listed")
			}
			if err := leave(r, id); err != nil {
				t.Fatal(err)
			}
			list, _, err := r.List(t.Context(), task.Filter{})
			if err != nil || len(list) != 1 || list[0].TaskID != id {
				t.Errorf("the list has %+v, %v, want %s", list, err, id)
			}
		})
	}
}

// A task is acquired at once although the writes of its entry in the list fail for a
// moment.
func TestAcquire_RepeatsTheWriteOfTheListEntry(t *testing.T) {
	r, store := newRegistry(t)
	store.On(faulty.Put, "index/", faulty.First(1+3, faulty.FailBefore))
	id := create(t, r, diffOf("public.t")).TaskID

	if _, err := r.Acquire(t.Context(), id, "runner", task.AcquireOptions{}); err != nil {
		t.Fatal(err)
	}
	list, _, err := r.List(t.Context(), task.Filter{})
	if err != nil || len(list) != 1 || list[0].TaskID != id {
		t.Errorf("the list has %+v, %v, want %s", list, err, id)
	}
}
