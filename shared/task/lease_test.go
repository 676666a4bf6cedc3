package task_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

// laterStore is a store whose clock the test can advance.
type laterStore struct {
	archive.Store
	skew time.Duration
}

func (s *laterStore) Get(ctx context.Context, key string) (archive.Object, error) {
	object, err := s.Store.Get(ctx, key)
	object.Now = object.Now.Add(s.skew)
	return object, err
}

func (s *laterStore) Stat(ctx context.Context, key string) (archive.Info, error) {
	info, err := s.Store.Stat(ctx, key)
	info.Now = info.Now.Add(s.skew)
	return info, err
}

var completed = task.Outcome{
	Status: task.Completed, Result: json.RawMessage(`{"verdict":"match"}`),
	Document: &task.Document{Key: "diffs/2024-03-15/td_20240315_123456.json", Size: 3, SHA256: "ab"},
}

func TestAcquire_OneOfEightConcurrentCallsSucceeds(t *testing.T) {
	r, _ := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	var wins atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := r.Acquire(context.Background(), id, fmt.Sprintf("host-%d", i), task.AcquireOptions{})
			switch {
			case err == nil:
				wins.Add(1)
			case fault.CodeOf(err) != fault.Conflict:
				t.Errorf("a loser got %v, want a Conflict", err)
			}
		})
	}
	wg.Wait()
	if rec := get(t, r, id); wins.Load() != 1 || rec.Attempts != 1 || rec.Status != task.Running {
		t.Errorf("%d succeeded, the record is %+v", wins.Load(), rec)
	}
}

func TestAcquire_KeepsTheFirstStartAndCountsAttemptsWithoutAHandover(t *testing.T) {
	now := noon
	r := task.NewRegistry(newStore(t), func() time.Time { return now })
	id := create(t, r, diffOf("public.users")).TaskID
	first := acquire(t, r, id, "host-1")
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	rec := acquire(t, r, id, "host-2").Record()
	if !rec.StartedAt.Equal(noon) || rec.Attempts != 1 || rec.Lease.Owner != "host-2" || rec.Status != task.Running {
		t.Errorf("after the second start: %+v", rec)
	}
	held, err := r.Acquire(t.Context(), id, "host-3", task.AcquireOptions{TakeOver: true})
	if err != nil {
		t.Fatal(err)
	}
	if rec := held.Record(); rec.Attempts != 2 {
		t.Errorf("after a start in place of a dead runner: %+v", rec)
	}
}

func TestAcquire_RequiresAnExpiredLeaseByTheStoresClock(t *testing.T) {
	for _, tt := range []struct {
		skew     time.Duration
		takeOver bool
		want     fault.Code
	}{
		{0, false, fault.Conflict},
		{20 * time.Second, false, fault.Conflict},
		{40 * time.Second, false, ""},
		{0, true, ""},
	} {
		t.Run(fmt.Sprint(tt.skew, tt.takeOver), func(t *testing.T) {
			store := &laterStore{Store: newStore(t)}
			r := task.NewRegistry(store, atNoon)
			id := create(t, r, diffOf("public.users")).TaskID
			acquire(t, r, id, "host-1")
			store.skew = tt.skew
			_, err := r.Acquire(t.Context(), id, "host-2", task.AcquireOptions{TakeOver: tt.takeOver})
			wantCode(t, err, tt.want)
		})
	}
}

// leftovers returns the task's open marker and its other keys, except that of its record.
func leftovers(t *testing.T, store archive.Store, id string) []string {
	t.Helper()
	var keys []string
	for _, prefix := range []string{archive.TaskPrefix(id), archive.OpenKey(id)} {
		err := store.List(t.Context(), prefix, "", func(info archive.Info) bool {
			keys = append(keys, info.Key)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return slices.DeleteFunc(keys, func(key string) bool { return key == archive.TaskKey(id) })
}

// withFiles stores working objects, as if a runner had worked on the task.
func withFiles(t *testing.T, store archive.Store, id string) {
	t.Helper()
	for _, key := range []string{archive.PlanKey(id), archive.PartKey(id, "compare", "000000"), archive.CancelKey(id)} {
		if _, err := store.Put(t.Context(), key, "application/json", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAcquire_RefusesAnEndedTaskAndClearsIt(t *testing.T) {
	r, store := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	held := acquire(t, r, id, "host-1")
	withFiles(t, store, id)
	// Then the process dies.
	if _, err := held.Finish(t.Context(), completed); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, store, id); len(left) != 4 {
		t.Fatalf("the task has %v; this test needs plan, part, cancel and mark", left)
	}
	store.On(faulty.Delete, archive.PlanKey(id), faulty.First(1, faulty.FailBefore))
	_, err := r.Acquire(t.Context(), id, "host-2", task.AcquireOptions{TakeOver: true})
	wantCode(t, err, fault.Unavailable)
	if marks := open(t, r); len(marks) != 1 {
		t.Fatalf("open tasks %v: nothing will find the rest", marks)
	}
	_, err = r.Acquire(t.Context(), id, "host-2", task.AcquireOptions{})
	wantCode(t, err, fault.Conflict)
	if left := leftovers(t, store, id); len(left) != 0 {
		t.Errorf("the task still has %v", left)
	}
	if rec := get(t, r, id); rec.Status != task.Completed {
		t.Errorf("the record is %+v", rec)
	}
}

func TestLease_ClearRequiresAnEndedTask(t *testing.T) {
	r, store := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	held := acquire(t, r, id, "host-1")
	withFiles(t, store, id)
	if err := held.Clear(t.Context()); err == nil || len(leftovers(t, store, id)) != 4 {
		t.Errorf("Clear of a RUNNING task: %v; it has %v", err, leftovers(t, store, id))
	}
	if err := held.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := held.Clear(t.Context()); err == nil || len(leftovers(t, store, id)) != 4 {
		t.Errorf("Clear of a released task: %v; it has %v", err, leftovers(t, store, id))
	}
	held = acquire(t, r, id, "host-1")
	if _, err := held.Finish(t.Context(), completed); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := held.Clear(t.Context()); err != nil || len(leftovers(t, store, id)) != 0 {
			t.Errorf("Clear of a task that has ended: %v; it has %v", err, leftovers(t, store, id))
		}
	}
}

func TestAcquire_RemovesTheOldMarkerOfAFailedSubmission(t *testing.T) {
	broken := newStore(t)
	store := &laterStore{Store: broken}
	r := task.NewRegistry(store, atNoon)
	broken.On(faulty.PutIfAbsent, "tasks/", faulty.Always(faulty.FailBefore))
	_, err := r.Create(t.Context(), diffOf("public.users"))
	wantCode(t, err, fault.Unavailable)
	for _, tt := range []struct {
		skew  time.Duration
		marks int
	}{{time.Minute, 1}, {time.Hour, 0}} {
		store.skew = tt.skew
		_, err = r.Acquire(t.Context(), "td_20240315_123456", "host-1", task.AcquireOptions{})
		wantCode(t, err, fault.NotFound)
		if marks := open(t, r); len(marks) != tt.marks {
			t.Errorf("after %v: open tasks %v, want %d", tt.skew, marks, tt.marks)
		}
	}
}

func TestLease_RenewStoresProgressAndChangesTheVersion(t *testing.T) {
	r, _ := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	held := acquire(t, r, id, "host-1")
	for n := range int64(3) {
		p := task.Progress{Phase: "compare", RowsCompared: n}
		if err := held.Renew(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		rec := get(t, r, id)
		if *rec.Progress != p || rec.Lease.Renewals != n+1 {
			t.Errorf("after renewal %d: %+v, lease %+v", n+1, rec.Progress, rec.Lease)
		}
	}
}

func TestLease_ChangesNothingOnceLost(t *testing.T) {
	r, _ := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	zombie := acquire(t, r, id, "host-1")
	if _, err := r.Acquire(t.Context(), id, "host-2", task.AcquireOptions{TakeOver: true}); err != nil {
		t.Fatal(err)
	}
	before := get(t, r, id)
	for name, write := range map[string]func() error{
		"renew":   func() error { return zombie.Renew(t.Context(), task.Progress{RowsCompared: 1}) },
		"release": func() error { return zombie.Release(t.Context()) },
		"finish": func() error {
			_, err := zombie.Finish(t.Context(), completed)
			return err
		},
	} {
		if err := write(); !errors.Is(err, task.ErrLeaseLost) {
			t.Errorf("%s returns %v, want ErrLeaseLost", name, err)
		}
	}
	if diff := cmp.Diff(before, get(t, r, id)); diff != "" {
		t.Errorf("the lost lease changed the record:\n%s", diff)
	}
	if len(open(t, r)) != 1 {
		t.Error("the lost lease removed the open marker")
	}
}

func TestLease_FinishPublishesEverythingAtOnce(t *testing.T) {
	now := noon
	r := task.NewRegistry(newStore(t), func() time.Time { return now })
	id := create(t, r, diffOf("public.users")).TaskID
	held := acquire(t, r, id, "host-1")
	now = now.Add(-time.Second) // the clock of this host is behind that of the submission
	rec, err := held.Finish(t.Context(), completed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rec, get(t, r, id)); diff != "" {
		t.Errorf("returned and stored record differ:\n%s", diff)
	}
	if rec.Status != task.Completed || rec.Lease != nil || *rec.Document != *completed.Document || rec.FinishedAt.Before(*rec.StartedAt) {
		t.Errorf("finished as %+v", rec)
	}
	if err := held.Renew(t.Context(), task.Progress{}); !errors.Is(err, task.ErrLeaseLost) {
		t.Errorf("a renewal after the end returns %v, want ErrLeaseLost", err)
	}
}

func TestLease_FinishStoresOnlyThePublicMessageOfAFailure(t *testing.T) {
	r, _ := newRegistry(t)
	held := acquire(t, r, create(t, r, diffOf("public.users")).TaskID, "host-1")
	cause := fault.Wrap(errors.New("password=secret"), fault.Unavailable, "node n1 is unreachable")
	rec, err := held.Finish(t.Context(), task.Outcome{Status: task.Failed, Error: cause})
	if err != nil {
		t.Fatal(err)
	}
	if rec.Error != "node n1 is unreachable" || rec.ErrorCode != "unavailable" {
		t.Errorf("the record has the error %q (%s)", rec.Error, rec.ErrorCode)
	}
}

func TestLease_FinishRefusesAnInvalidOutcome(t *testing.T) {
	r, _ := newRegistry(t)
	held := acquire(t, r, create(t, r, diffOf("public.users")).TaskID, "host-1")
	for _, o := range []task.Outcome{
		{Status: task.Running},
		{Status: task.Failed},
		{Status: task.Completed, Error: errors.New("x")},
	} {
		if _, err := held.Finish(t.Context(), o); err == nil {
			t.Errorf("outcome %+v was accepted", o)
		}
	}
}

func TestLease_ReadsTheRecordBackAfterALostResponse(t *testing.T) {
	for name, outcome := range map[string]faulty.Outcome{"lost before": faulty.FailBefore, "lost after": faulty.FailAfter} {
		t.Run(name, func(t *testing.T) {
			r, store := newRegistry(t)
			id := create(t, r, diffOf("public.users")).TaskID
			store.On(faulty.PutIfMatch, "tasks/", func(n int) faulty.Outcome {
				if n%2 == 1 {
					return outcome
				}
				return faulty.Pass
			})
			held := acquire(t, r, id, "host-1")
			if err := held.Renew(t.Context(), task.Progress{RowsCompared: 7}); err != nil {
				t.Fatalf("Renew: %v", err)
			}
			if _, err := held.Finish(t.Context(), completed); err != nil {
				t.Fatalf("Finish: %v", err)
			}
			rec := get(t, r, id)
			if rec.Attempts != 1 || rec.Progress.RowsCompared != 7 || rec.Status != task.Completed {
				t.Errorf("stored %+v", rec)
			}
		})
	}
}

func TestLease_RecognizesItsOwnWriteAfterALongOutage(t *testing.T) {
	for name, repeat := range map[string]func(context.Context, *task.Lease) error{
		"finish": func(ctx context.Context, h *task.Lease) error {
			_, err := h.Finish(ctx, completed)
			return err
		},
		"release": func(ctx context.Context, h *task.Lease) error { return h.Release(ctx) },
		"forfeit": func(ctx context.Context, h *task.Lease) error { return h.Forfeit(ctx) },
		"renew":   func(ctx context.Context, h *task.Lease) error { return h.Renew(ctx, task.Progress{}) },
	} {
		t.Run(name, func(t *testing.T) {
			r, store := newRegistry(t)
			held := acquire(t, r, create(t, r, diffOf("public.users")).TaskID, "host-1")
			store.On(faulty.PutIfMatch, "tasks/", faulty.First(1, faulty.FailAfter))
			store.On(faulty.PutIfMatch, "tasks/", func(n int) faulty.Outcome {
				if n > 1 {
					return faulty.FailBefore
				}
				return faulty.Pass
			})
			store.On(faulty.Get, "tasks/", faulty.Always(faulty.FailBefore))
			wantCode(t, repeat(t.Context(), held), fault.Unavailable)
			store.Heal()
			if err := repeat(t.Context(), held); err != nil {
				t.Errorf("the repetition took its own earlier write for another's: %v", err)
			}
		})
	}
}

// end completes a task and clears it.
func end(t *testing.T, held *task.Lease) {
	t.Helper()
	if _, err := held.Finish(t.Context(), completed); err != nil {
		t.Fatal(err)
	}
	if err := held.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRequestCancel(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*testing.T, *task.Registry, string)
		want    task.Status
		code    fault.Code
	}{
		{"a queued task is cancelled at once, and no request is left", func(*testing.T, *task.Registry, string) {}, task.Cancelled, ""},
		{"a running one is left to its runner", func(t *testing.T, r *task.Registry, id string) {
			acquire(t, r, id, "host-1")
		}, task.Running, ""},
		{"a running one may be asked for twice", func(t *testing.T, r *task.Registry, id string) {
			acquire(t, r, id, "host-1")
			if _, err := r.RequestCancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}, task.Running, ""},
		{"one that has ended cannot be", func(t *testing.T, r *task.Registry, id string) {
			end(t, acquire(t, r, id, "host-1"))
		}, task.Completed, fault.Conflict},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, store := newRegistry(t)
			id := create(t, r, diffOf("public.users")).TaskID
			tt.prepare(t, r, id)
			_, err := r.RequestCancel(t.Context(), id)
			wantCode(t, err, tt.code)
			rec := get(t, r, id)
			requested, err := r.CancelRequested(t.Context(), id)
			if rec.Status != tt.want || err != nil || requested != (tt.want == task.Running) {
				t.Errorf("the task is %s (want %s), a request stands: %v, %v", rec.Status, tt.want, requested, err)
			}
			if left := leftovers(t, store, id); len(left) == 0 != rec.Status.Terminal() {
				t.Errorf("the task is %s and has %v", rec.Status, left)
			}
		})
	}
}

func TestRequestCancel_LeavesNothingOfATaskThatEndsAtTheSameMoment(t *testing.T) {
	for name, running := range map[string]bool{"a queued one": false, "a running one": true} {
		t.Run(name, func(t *testing.T) {
			r, store := newRegistry(t)
			id := create(t, r, diffOf("public.users")).TaskID
			var held *task.Lease
			if running {
				held = acquire(t, r, id, "host-1")
			}
			store.On(faulty.PutIfAbsent, archive.CancelKey(id), func(int) faulty.Outcome {
				if !running {
					held = acquire(t, r, id, "host-1")
				}
				end(t, held)
				return faulty.Pass
			})
			_, err := r.RequestCancel(t.Context(), id)
			wantCode(t, err, fault.Conflict)
			if left := leftovers(t, store, id); len(left) != 0 {
				t.Errorf("the task has ended and has %v", left)
			}
		})
	}
}

func TestRequestCancel_RacingWithAnAcquireLeavesOneState(t *testing.T) {
	r, _ := newRegistry(t)
	for i := range 10 {
		id := create(t, r, diffOf(fmt.Sprint("public.t", i))).TaskID
		var held *task.Lease
		var wg sync.WaitGroup
		wg.Go(func() { held, _ = r.Acquire(context.Background(), id, "host-1", task.AcquireOptions{}) })
		wg.Go(func() {
			if _, err := r.RequestCancel(context.Background(), id); err != nil {
				t.Errorf("RequestCancel: %v", err)
			}
		})
		wg.Wait()
		rec := get(t, r, id)
		if (rec.Status == task.Running) != (held != nil) || rec.Status != task.Running && rec.Status != task.Cancelled {
			t.Errorf("the task is %s, held: %v", rec.Status, held != nil)
		}
	}
}

func TestCheckLease_PassesOnlyForTheCurrentLease(t *testing.T) {
	r, _ := newRegistry(t)
	id := create(t, r, diffOf("public.t")).TaskID
	first := acquire(t, r, id, "first")
	token := first.Record().LeaseToken()
	if err := r.CheckLease(t.Context(), id, token); err != nil {
		t.Errorf("the holder: %v", err)
	}
	if err := first.Renew(t.Context(), task.Progress{}); err != nil {
		t.Fatal(err)
	}
	if err := r.CheckLease(t.Context(), id, token); err != nil || first.Record().LeaseToken() != token {
		t.Errorf("the holder after a renewal: %v", err)
	}
	for _, other := range []string{"", "another", token + "x"} {
		if err := r.CheckLease(t.Context(), id, other); !errors.Is(err, task.ErrLeaseLost) {
			t.Errorf("token %q: %v", other, err)
		}
	}
	second, err := r.Acquire(t.Context(), id, "second", task.AcquireOptions{TakeOver: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CheckLease(t.Context(), id, token); !errors.Is(err, task.ErrLeaseLost) {
		t.Errorf("the holder that was replaced: %v", err)
	}
	token = second.Record().LeaseToken()
	if _, err := r.RequestCancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.CheckLease(t.Context(), id, token), fault.Cancelled)
	if _, err := second.Finish(t.Context(), completed); err != nil {
		t.Fatal(err)
	}
	if err := r.CheckLease(t.Context(), id, token); !errors.Is(err, task.ErrLeaseLost) {
		t.Errorf("after the end: %v", err)
	}
}
