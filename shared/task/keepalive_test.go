package task_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/shared/fault"
	"ace/shared/task"
)

var quick = task.Intervals{Renew: 50 * time.Millisecond, Progress: 10 * time.Millisecond, Cancel: 10 * time.Millisecond}

func noProgress() task.Progress { return task.Progress{} }

// wantEnd waits for the end of the work and returns its cause.
func wantEnd(work context.Context, t *testing.T) error {
	t.Helper()
	select {
	case <-work.Done():
		return context.Cause(work)
	case <-time.After(20 * time.Second):
		t.Fatal("the work was not stopped")
		return nil
	}
}

// eventually waits until the stored record satisfies a condition.
func eventually(t *testing.T, r *task.Registry, id string, what string, ok func(task.Record) bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok(get(t, r, id)) {
			return
		}
	}
	t.Fatalf("never happened: %s; the record is %+v", what, get(t, r, id))
}

func TestKeepAlive_RenewsAndStoresProgressUntilStopped(t *testing.T) {
	r, _ := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	held := acquire(t, r, id, "host-1")
	var rows atomic.Int64
	intervals := task.Intervals{Renew: time.Hour, Progress: 10 * time.Millisecond, Cancel: time.Hour}
	work, stop := held.KeepAlive(t.Context(), intervals, func() task.Progress { return task.Progress{RowsCompared: rows.Load()} })
	rows.Store(42)
	eventually(t, r, id, "progress is stored", func(rec task.Record) bool {
		return rec.Progress != nil && rec.Progress.RowsCompared == 42
	})
	if work.Err() != nil {
		t.Fatalf("the work was stopped: %v", context.Cause(work))
	}
	for range 2 {
		if err := stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	if _, err := held.Finish(t.Context(), completed); err != nil {
		t.Errorf("Finish: %v", err)
	}
}

func TestKeepAlive_RenewsWithoutProgress(t *testing.T) {
	r, _ := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	_, stop := acquire(t, r, id, "host-1").KeepAlive(t.Context(), quick, noProgress)
	eventually(t, r, id, "three renewals", func(rec task.Record) bool { return rec.Lease.Renewals >= 3 })
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestKeepAlive_StopsTheWorkWhenCancelIsRequested(t *testing.T) {
	r, _ := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	held := acquire(t, r, id, "host-1")
	work, stop := held.KeepAlive(t.Context(), quick, noProgress)
	if _, err := r.RequestCancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	cause := wantEnd(work, t)
	wantCode(t, cause, fault.Cancelled)
	if err := stop(); !errors.Is(err, cause) {
		t.Errorf("stop returns %v, want the cause %v", err, cause)
	}
	rec, err := held.Finish(t.Context(), task.Outcome{Status: task.Cancelled, Error: cause})
	if err != nil || rec.Error != "cancelled on request" || rec.ErrorCode != "cancelled" {
		t.Errorf("finished as %+v, %v", rec, err)
	}
}

func TestKeepAlive_StopsTheWorkWhenTheLeaseIsLost(t *testing.T) {
	r, _ := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	work, stop := acquire(t, r, id, "host-1").KeepAlive(t.Context(), quick, noProgress)
	defer stop() //nolint:errcheck // the cause is looked at
	// A takeover can lose against a concurrent renewal.
	for {
		_, err := r.Acquire(t.Context(), id, "host-2", task.AcquireOptions{TakeOver: true})
		if err == nil {
			break
		}
		wantCode(t, err, fault.Conflict)
	}
	if cause := wantEnd(work, t); !errors.Is(cause, task.ErrLeaseLost) {
		t.Errorf("the cause is %v, want ErrLeaseLost", cause)
	}
}

func TestKeepAlive_OutlastsAnOutageShorterThanTheLease(t *testing.T) {
	r, store := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	work, stop := acquire(t, r, id, "host-1").KeepAlive(t.Context(), quick, noProgress)
	for _, op := range []faulty.Op{faulty.Get, faulty.Stat, faulty.PutIfMatch} {
		store.On(op, "tasks/", faulty.Always(faulty.FailAfter))
	}
	time.Sleep(time.Second)
	store.Heal()
	before := get(t, r, id).Lease.Renewals
	eventually(t, r, id, "a renewal after the outage", func(rec task.Record) bool { return rec.Lease.Renewals > before })
	if work.Err() != nil {
		t.Errorf("the work was stopped: %v", context.Cause(work))
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestKeepAlive_StopsTheWorkBeforeTheLeaseExpires(t *testing.T) {
	t.Parallel()
	r, store := newRegistry(t)
	// The work stops when a tenth of the lease is left. The lease is long, because
	// goroutines may be late on a busy machine.
	const lease = 6 * time.Second
	r.SetLease(lease)
	id := create(t, r, diffOf("public.users")).TaskID
	start, expired := time.Now(), time.After(lease)
	held := acquire(t, r, id, "host-1")
	for _, op := range []faulty.Op{faulty.Get, faulty.Stat, faulty.PutIfMatch} {
		store.On(op, "tasks/", faulty.Always(faulty.FailBefore))
	}
	work, stop := held.KeepAlive(t.Context(), quick, noProgress)
	select {
	case <-work.Done():
	case <-expired:
		if work.Err() == nil {
			t.Error("the lease has expired and the work continues")
		}
	}
	wantCode(t, wantEnd(work, t), fault.Unavailable)
	if after := time.Since(start); after < lease/2 {
		t.Errorf("the work was stopped after %v, the lease is %v", after, lease)
	}
	wantCode(t, stop(), fault.Unavailable)
}

func TestKeepAlive_EndsWithItsContext(t *testing.T) {
	r, _ := newRegistry(t)
	id := create(t, r, diffOf("public.users")).TaskID
	held := acquire(t, r, id, "host-1")
	ctx, cancel := context.WithCancel(t.Context())
	work, stop := held.KeepAlive(ctx, quick, noProgress)
	cancel()
	if cause := wantEnd(work, t); !errors.Is(cause, context.Canceled) {
		t.Errorf("the cause is %v, want context.Canceled", cause)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v; the end of the caller's context is no failure of the lease", err)
	}
	if err := held.Release(t.Context()); err != nil {
		t.Errorf("Release: %v", err)
	}
}
