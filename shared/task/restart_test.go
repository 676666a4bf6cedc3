package task_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ace/shared/fault"
	"ace/shared/task"
)

// silent creates a task and a clock of the store that the test advances.
func silent(t *testing.T) (*task.Registry, *laterStore, string) {
	t.Helper()
	store := &laterStore{Store: newStore(t)}
	r := task.NewRegistry(store, atNoon)
	return r, store, create(t, r, diffOf("public.users")).TaskID
}

func restart(t *testing.T, r *task.Registry, id string) bool {
	t.Helper()
	due, err := r.Restart(t.Context(), id)
	if err != nil {
		t.Fatalf("Restart: %v", err)
	}
	return due
}

// startAgain starts a task n times without a runner acquiring it.
func startAgain(t *testing.T, r *task.Registry, store *laterStore, id string, times int) {
	t.Helper()
	store.skew = 2 * time.Hour
	for i := range times {
		if !restart(t, r, id) {
			t.Fatalf("start %d is not due after hours", i)
		}
	}
	store.skew = 0
}

func TestRestart_IsDueAfterLongEnoughWithoutAWrite(t *testing.T) {
	handedOver := func(t *testing.T, r *task.Registry, id string) {
		t.Helper()
		if err := acquire(t, r, id, "host-1").Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	held := func(t *testing.T, r *task.Registry, id string) { t.Helper(); acquire(t, r, id, "host-1") }
	for name, tt := range map[string]struct {
		prepare func(*testing.T, *task.Registry, string)
		starts  int
		silence time.Duration
		due     bool
	}{
		"just submitted":            {nil, 0, 0, false},
		"submitted, never started":  {nil, 0, time.Minute, true},
		"held":                      {held, 0, 20 * time.Second, false},
		"held by a dead runner":     {held, 0, time.Minute, true},
		"just handed over":          {handedOver, 0, 0, false},
		"released":                  {handedOver, 0, time.Minute, true},
		"started a minute ago":      {nil, 2, time.Minute, false},
		"started three minutes ago": {nil, 2, 3 * time.Minute, true},
		"started half an hour ago":  {nil, 20, 30 * time.Minute, false},
		"started an hour ago":       {nil, 20, 65 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, store, id := silent(t)
			if tt.prepare != nil {
				tt.prepare(t, r, id)
			}
			startAgain(t, r, store, id, tt.starts)
			store.skew = tt.silence
			before := get(t, r, id)
			if due := restart(t, r, id); due != tt.due {
				t.Errorf("due is %v", due)
			}
			after := get(t, r, id)
			if (after.Starts > before.Starts) != tt.due || after.Status != before.Status {
				t.Errorf("the record was %+v and is %+v", before, after)
			}
		})
	}
}

func TestRestart_AllowsTheTaskOfADeadRunnerToBeAcquiredAtOnce(t *testing.T) {
	r, store, id := silent(t)
	dead := acquire(t, r, id, "host-1")
	store.skew = time.Minute
	if !restart(t, r, id) {
		t.Fatal("the task was not started again")
	}
	store.skew = 0
	acquire(t, r, id, "host-2")
	wantCode(t, dead.Renew(t.Context(), task.Progress{}), fault.Conflict)
}

func TestRestart_OneOfEightConcurrentCallsStarts(t *testing.T) {
	r, store, id := silent(t)
	store.skew = time.Minute
	var starts atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			due, err := r.Restart(t.Context(), id)
			if err != nil {
				t.Errorf("Restart: %v", err)
			}
			if due {
				starts.Add(1)
			}
		})
	}
	wg.Wait()
	if starts.Load() != 1 {
		t.Errorf("%d started the task", starts.Load())
	}
}

func TestRestart_EndsATaskThatNoRunnerAcquires(t *testing.T) {
	r, store, id := silent(t)
	startAgain(t, r, store, id, 24)
	store.skew = 50 * time.Minute
	if restart(t, r, id) || get(t, r, id).Status != task.Queued {
		t.Fatalf("the last start was given less time than those before: %+v", get(t, r, id))
	}
	store.skew = 2 * time.Hour
	if restart(t, r, id) {
		t.Error("the task was started once more")
	}
	rec := get(t, r, id)
	if rec.Status != task.Failed || rec.ErrorCode != string(fault.Unavailable) || rec.Error == "" {
		t.Errorf("the record is %+v", rec)
	}
	if marks := open(t, r); len(marks) != 0 {
		t.Errorf("open tasks are %v", marks)
	}
}

func TestRestart_AnAcquireResetsTheCount(t *testing.T) {
	r, store, id := silent(t)
	startAgain(t, r, store, id, 5)
	acquire(t, r, id, "host-1")
	if rec := get(t, r, id); rec.Starts != 0 || rec.Attempts != 1 {
		t.Errorf("the record is %+v", rec)
	}
}

func TestRestart_ClearsAnEndedTask(t *testing.T) {
	r, store, id := silent(t)
	held := acquire(t, r, id, "host-1")
	withFiles(t, store, id)
	if _, err := held.Finish(t.Context(), completed); err != nil {
		t.Fatal(err)
	}
	if restart(t, r, id) {
		t.Error("a task that has ended was started")
	}
	if left := leftovers(t, store, id); len(left) != 0 {
		t.Errorf("the task still has %v", left)
	}
}

func TestRestart_RemovesTheMarkerOfAFailedSubmission(t *testing.T) {
	r, store, _ := silent(t)
	orphan := "td_20240315_000000"
	if _, err := store.Put(t.Context(), "open/"+orphan, "application/json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	store.skew = time.Hour
	if restart(t, r, orphan) {
		t.Error("a task that does not exist was started")
	}
	for _, id := range open(t, r) {
		if id == orphan {
			t.Error("the marker still exists")
		}
	}
}
