package task_test

import (
	"slices"
	"sync"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

// notes is an observer that lists its notifications.
type notes struct {
	mu   sync.Mutex
	list []string
}

func (n *notes) add(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, what)
}

func (n *notes) TaskCreated(rec task.Record) { n.add("created " + string(rec.Status)) }
func (n *notes) TaskEnded(rec task.Record)   { n.add("ended " + string(rec.Status)) }

func TestObserver_IsNotifiedOnceOfEachTask(t *testing.T) {
	finish := func(status task.Status, err error) func(*testing.T, *task.Registry, *faulty.Store, string) {
		return func(t *testing.T, r *task.Registry, _ *faulty.Store, id string) {
			if _, err := acquire(t, r, id, "a").Finish(t.Context(), task.Outcome{Status: status, Error: err}); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancelQueued := func(t *testing.T, r *task.Registry, _ *faulty.Store, id string) {
		if _, err := r.RequestCancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		end  func(*testing.T, *task.Registry, *faulty.Store, string)
		want task.Status
	}{
		{"completed", finish(task.Completed, nil), task.Completed},
		{"failed", finish(task.Failed, fault.New(fault.Internal, "broken")), task.Failed},
		{"cancelled before its start", cancelQueued, task.Cancelled},
		{"completed, after the store failed", func(t *testing.T, r *task.Registry, store *faulty.Store, id string) {
			lease := acquire(t, r, id, "a")
			store.On(faulty.PutIfMatch, archive.TaskKey(id), faulty.First(4, faulty.FailBefore))
			for {
				if _, err := lease.Finish(t.Context(), task.Outcome{Status: task.Completed}); err == nil {
					return
				}
			}
		}, task.Completed},
		{"completed, with a lost response", func(t *testing.T, r *task.Registry, store *faulty.Store, id string) {
			store.On(faulty.PutIfMatch, archive.TaskKey(id), faulty.Nth(2, faulty.FailAfter)) // the first write acquires the lease
			finish(task.Completed, nil)(t, r, store, id)
		}, task.Completed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, store := newRegistry(t)
			var seen notes
			r.Observe(&seen)
			id := create(t, r, diffOf("public.users")).TaskID
			tt.end(t, r, store, id)
			if want := []string{"created QUEUED", "ended " + string(tt.want)}; !slices.Equal(seen.list, want) {
				t.Errorf("the notifications are %q, want %q", seen.list, want)
			}
		})
	}
}
