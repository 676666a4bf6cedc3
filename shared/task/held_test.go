package task_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

func status(t *testing.T, r *task.Registry, id string) task.Record {
	t.Helper()
	rec, err := r.Status(t.Context(), id)
	if err != nil {
		t.Fatalf("Status: %v", err)
	}
	return rec
}

func TestStatus_OfATaskThatThisProcessRunsReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faulty.Wrap(memstore.New(t))
		r := task.NewRegistry(store, time.Now)
		id := create(t, r, diffOf("public.users")).TaskID
		if rec := status(t, r, id); rec.Status != task.Queued {
			t.Errorf("a new task is %s", rec.Status)
		}
		lease := acquire(t, r, id, "host-1")
		reads := func(want int) {
			t.Helper()
			before := store.Count(faulty.Any, "")
			got, stored := status(t, r, id), get(t, task.NewRegistry(store, time.Now), id)
			if calls := store.Count(faulty.Any, "") - before - 1; calls != want {
				t.Errorf("%d calls of the store, want %d", calls, want)
			}
			if got.Revision != stored.Revision || got.Status != stored.Status {
				t.Errorf("the status is %+v, stored is %+v", got, stored)
			}
		}
		reads(0)

		if err := lease.Renew(t.Context(), task.Progress{BlocksDone: 1}); err != nil {
			t.Fatal(err)
		}
		reads(0)
		if got := status(t, r, id); got.Progress.BlocksDone != 1 {
			t.Errorf("the progress is %+v", got.Progress)
		}
		time.Sleep(3 * time.Second)
		reads(1) // another process may have acquired it, if the store's clock has jumped

		if _, err := lease.Finish(t.Context(), task.Outcome{Status: task.Completed}); err != nil {
			t.Fatal(err)
		}
		reads(1)
	})
}

// The response to the last write is lost, and the store is away for the reads that would
// find out. While the runner does not know the outcome, the status is not from memory.
func TestStatus_IsNeverOlderThanWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faulty.Wrap(memstore.New(t))
		r := task.NewRegistry(store, time.Now)
		id := create(t, r, diffOf("public.users")).TaskID
		lease := acquire(t, r, id, "host-1")
		store.On(faulty.PutIfMatch, "tasks/", faulty.Always(faulty.FailAfter))
		store.On(faulty.Get, "tasks/", faulty.First(4, faulty.FailBefore))
		if _, err := lease.Finish(t.Context(), task.Outcome{Status: task.Completed}); fault.CodeOf(err) != fault.Unavailable {
			t.Fatalf("Finish returned %v", err)
		}
		store.Heal()
		if rec := status(t, r, id); rec.Status != task.Completed {
			t.Errorf("the status is %s, and %s is stored", rec.Status, get(t, r, id).Status)
		}
	})
}

func TestStatus_OfATaskThatAnotherProcessTookOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(t)
		first, second := task.NewRegistry(store, time.Now), task.NewRegistry(store, time.Now)
		id := create(t, first, diffOf("public.users")).TaskID
		acquire(t, first, id, "host-1") // which then stands still
		for {
			lease, err := second.Acquire(t.Context(), id, "host-2", task.AcquireOptions{})
			if err != nil {
				time.Sleep(time.Second)
				continue
			}
			if rec := status(t, first, id); rec.Lease.Owner != "host-2" {
				t.Errorf("the status is of %s, although host-2 has the lease", rec.Lease.Owner)
			}
			if _, err := lease.Finish(context.WithoutCancel(t.Context()), task.Outcome{Status: task.Completed}); err != nil {
				t.Fatal(err)
			}
			break
		}
		if rec := status(t, first, id); rec.Status != task.Completed {
			t.Errorf("the status is %s", rec.Status)
		}
	})
}

// Another task is acquired while a write of a long task is under way. The status of the
// long task is answered from memory after that write, as before.
func TestStatus_OfALongTaskStaysInMemoryWhenAnotherIsAcquired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faulty.Wrap(memstore.New(t))
		r := task.NewRegistry(store, time.Now)
		long, other := create(t, r, diffOf("public.long")).TaskID, create(t, r, diffOf("public.other")).TaskID
		lease := acquire(t, r, long, "host-1")
		for range 100 {
			time.Sleep(time.Second)
			if err := lease.Renew(t.Context(), task.Progress{}); err != nil {
				t.Fatal(err)
			}
		}

		store.On(faulty.PutIfMatch, archive.TaskKey(long), func(int) faulty.Outcome {
			acquire(t, r, other, "host-1")
			return faulty.Pass
		})
		if err := lease.Renew(t.Context(), task.Progress{}); err != nil {
			t.Fatal(err)
		}
		before := store.Count(faulty.Any, "")
		status(t, r, long)
		if calls := store.Count(faulty.Any, "") - before; calls != 0 {
			t.Errorf("%d calls of the store for the status", calls)
		}
	})
}
