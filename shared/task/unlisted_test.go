package task_test

import (
	"testing"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/task"
)

// filtersOfLists returns, for each list that has a task of its own cluster and table, the
// prefix of the list and a filter that reads it.
func filtersOfLists() map[string]task.Filter {
	of := diffOf("public.t")
	filters := map[string]task.Filter{}
	for _, f := range []task.Filter{
		{}, {ClusterName: of.ClusterName}, {TableName: of.TableName}, {ClusterName: of.ClusterName, TableName: of.TableName},
	} {
		filters[archive.TaskIndexPrefix(f.ClusterName, f.TableName)] = f
	}
	return filters
}

// A task that could not be added to a list when it was created is added before it is
// acquired or cancelled. Otherwise it would run but would never be in that list.
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
		for list, filter := range filtersOfLists() {
			t.Run(name+", "+list, func(t *testing.T) {
				r, store := newRegistry(t)
				store.On(faulty.Put, list, faulty.First(1+4, faulty.FailBefore)) // 4 tries after Create
				id := create(t, r, diffOf("public.t")).TaskID

				if err := leave(r, id); err == nil {
					t.Error("the task left QUEUED although it could not be listed")
				}
				if err := leave(r, id); err != nil {
					t.Fatal(err)
				}
				page, err := r.List(t.Context(), filter)
				if err != nil || len(page.Records) != 1 || page.Records[0].TaskID != id {
					t.Errorf("the list has %+v, %v, want %s", page, err, id)
				}
			})
		}
	}
}

// A task is acquired at once although the writes of its entry in a list fail for a
// moment.
func TestAcquire_RepeatsTheWriteOfTheListEntry(t *testing.T) {
	for list, filter := range filtersOfLists() {
		r, store := newRegistry(t)
		store.On(faulty.Put, list, faulty.First(1+3, faulty.FailBefore))
		id := create(t, r, diffOf("public.t")).TaskID

		if _, err := r.Acquire(t.Context(), id, "runner", task.AcquireOptions{}); err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		page, err := r.List(t.Context(), filter)
		if err != nil || len(page.Records) != 1 || page.Records[0].TaskID != id {
			t.Errorf("%s has %+v, %v, want %s", list, page, err, id)
		}
	}
}
