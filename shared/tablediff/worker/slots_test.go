package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestSlots_AdmitAsManyUnitsAsTheTaskHasWorkers(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, workers := range []int{1, 3} {
		var s slots
		var inside, most atomic.Int64
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				release, err := s.acquire(t.Context(), "td_1", workers)
				if err != nil {
					t.Error(err)
					return
				}

				now := inside.Add(1)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}

				time.Sleep(time.Millisecond)
				inside.Add(-1)
				release()
			})
		}

		all.Wait()
		if most.Load() > int64(workers) || len(s.tasks) != 0 {
			t.Errorf("%d were inside at once with %d workers, %d tasks are left", most.Load(), workers, len(s.tasks))
		}
	}
}

func TestSlots_OneTaskNeverWaitsForAnother(t *testing.T) {
	var s slots
	first, err := s.acquire(t.Context(), "td_1", 1)
	if err != nil {
		t.Fatal(err)
	}

	second, err := s.acquire(t.Context(), "td_2", 0) // there is always room for one
	if err != nil || len(s.tasks) != 2 {
		t.Fatalf("%d tasks, error %v", len(s.tasks), err)
	}

	first()
	if len(s.tasks) != 1 {
		t.Errorf("%d tasks are left, want the second", len(s.tasks))
	}

	second()
	if len(s.tasks) != 0 {
		t.Errorf("%d tasks are left", len(s.tasks))
	}
}

func TestSlots_AWaiterLeavesWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slots
		release, err := s.acquire(t.Context(), "td_1", 1)
		if err != nil {
			t.Fatal(err)
		}

		why := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		given := make(chan error, 1)
		go func() {
			_, err := s.acquire(ctx, "td_1", 1)
			given <- err
		}()

		synctest.Wait() // acquire is waiting now, so the task has two users
		cancel(why)
		if err := <-given; !errors.Is(err, why) {
			t.Errorf("got %v, want the cause", err)
		}

		passed := make(chan func(), 1)
		go func() {
			next, err := s.acquire(t.Context(), "td_1", 1)
			if err != nil {
				t.Error(err)
			}

			passed <- next
		}()

		synctest.Wait()
		if len(passed) != 0 {
			t.Error("a slot was given that is still held")
		}

		release()
		(<-passed)()
		if len(s.tasks) != 0 {
			t.Errorf("%d tasks are left", len(s.tasks))
		}
	})
}
