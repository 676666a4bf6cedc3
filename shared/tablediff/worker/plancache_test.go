package worker

import (
	"context"
	"sync"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/tablediff/plan"
)

// withPlans returns a store that has a plan for each of these tasks.
func withPlans(t *testing.T, taskIDs ...string) *faulty.Store {
	t.Helper()
	store := faulty.Wrap(memstore.New(t))
	for _, id := range taskIDs {
		if _, err := plan.Store(t.Context(), store, &plan.Plan{Format: plan.Format, TaskID: id, PlannedAt: time.Unix(0, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func TestPlanCache_HoldsTheLatestPlans(t *testing.T) {
	var cache planCache
	ids := []string{"td_1", "td_2", "td_3", "td_4", "td_5"}
	store := withPlans(t, ids...)
	for _, id := range append(ids, ids[1:]...) {
		if p, err := cache.get(t.Context(), store, id); err != nil || p.TaskID != id {
			t.Fatalf("plan %s is %+v, error %v", id, p, err)
		}
	}

	if reads := store.Count(faulty.Get, ""); reads != len(ids) {
		t.Errorf("plans were read %d times, want %d", reads, len(ids))
	}
	if _, err := cache.get(t.Context(), store, ids[0]); err != nil || store.Count(faulty.Get, "") != len(ids)+1 {
		t.Errorf("the oldest plan was kept, or cannot be read: %v", err)
	}
}

func TestPlanCache_ConcurrentUnitsReadAPlanOnce(t *testing.T) {
	var cache planCache
	store := withPlans(t, "td_1")
	store.On(faulty.Get, archive.PlanKey("td_1"), func(int) faulty.Outcome {
		time.Sleep(100 * time.Millisecond) // so that the other units start during the read
		return faulty.Pass
	})

	var units sync.WaitGroup
	for range 8 {
		units.Go(func() {
			if p, err := cache.get(t.Context(), store, "td_1"); err != nil || p.TaskID != "td_1" {
				t.Errorf("got %+v, error %v", p, err)
			}
		})
	}

	units.Wait()
	if reads := store.Count(faulty.Get, archive.PlanKey("td_1")); reads != 1 {
		t.Errorf("the plan was read %d times", reads)
	}
}

func TestPlanCache_AHangingReadBlocksNoOtherTask(t *testing.T) {
	var cache planCache
	store := withPlans(t, "td_1", "td_2")
	store.On(faulty.Get, archive.PlanKey("td_1"), faulty.First(1, faulty.Hang))
	first, cancelFirst := context.WithCancel(t.Context())
	defer cancelFirst()

	var units sync.WaitGroup
	units.Go(func() {
		if _, err := cache.get(first, store, "td_1"); err == nil {
			t.Error("the hanging read returned a plan")
		}
	})

	for store.Count(faulty.Get, archive.PlanKey("td_1")) == 0 {
		time.Sleep(time.Millisecond)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	if p, err := cache.get(ctx, store, "td_2"); err != nil || p.TaskID != "td_2" {
		t.Errorf("the other task's plan is %+v, error %v", p, err)
	}

	units.Go(func() { // waits for the same read
		if p, err := cache.get(ctx, store, "td_1"); err != nil || p.TaskID != "td_1" {
			t.Errorf("the unit whose context goes on gets %+v, error %v", p, err)
		}
	})

	time.Sleep(50 * time.Millisecond)
	cancelFirst()
	units.Wait()
}
