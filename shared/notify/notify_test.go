package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/notify"
	"ace/shared/retry"
	"ace/shared/task"
)

// receiver accepts events. answer returns the error of the n-th attempt (from 1).
type receiver struct {
	answer func(n int, event api.Event) error

	mu       sync.Mutex
	attempts int
	accepted []string // ids of tasks
	times    []time.Time
}

func (r *receiver) Send(ctx context.Context, event api.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	r.times = append(r.times, time.Now())
	if r.answer != nil {
		if err := r.answer(r.attempts, event); err != nil {
			return err
		}
	}
	r.accepted = append(r.accepted, event.Data.TaskID)
	return ctx.Err()
}

func (r *receiver) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.attempts
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.accepted)
}

func unreachable(int, api.Event) error { return fault.New(fault.Unavailable, "no answer") }

func newNotifier(t *testing.T, store archive.Store, sender notify.Sender, types ...string) *notify.Notifier {
	t.Helper()
	if types == nil {
		types = api.EventTypes()
	}
	return notify.New(notify.Options{
		Store: store, Sender: sender, Types: types, Now: time.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
}

// id returns the id of the n-th task.
func id(n int) string { return fmt.Sprintf("td_20240315_%06d", n) }

// differing returns the record of the n-th task, which has just ended.
func differing(n int) task.Record {
	rec := records()["differs"]
	now := time.Now()
	rec.TaskID, rec.FinishedAt = id(n), &now
	return rec
}

func add(t *testing.T, n *notify.Notifier, rec task.Record) {
	t.Helper()
	if err := n.Add(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
}

// running runs the notifier until stop is called.
func running(t *testing.T, n *notify.Notifier) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() { n.Run(ctx) })
	return func() {
		cancel()
		background.Wait()
	}
}

// outbox returns the tasks whose events are in the outbox.
func outbox(t *testing.T, store archive.Store) []string {
	t.Helper()
	var ids []string
	err := store.List(t.Context(), archive.NotificationsPrefix, "", func(info archive.Info) bool {
		ids = append(ids, strings.TrimPrefix(info.Key, archive.NotificationsPrefix))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestAdd_StoresOnlyTheTypesThatAreSent(t *testing.T) {
	store := memstore.New(t)
	n := newNotifier(t, store, &receiver{}, api.EventDiffers, api.EventFailed)
	for name, rec := range records() {
		rec.TaskID = map[string]string{"differs": id(1), "failed": id(2)}[name]
		if rec.TaskID == "" {
			rec.TaskID = id(3)
		}
		if name != "failed-without-node" && name != "repair-failed" {
			add(t, n, rec)
		}
	}
	if got := outbox(t, store); !slices.Equal(got, []string{id(1), id(2)}) {
		t.Errorf("the outbox has %v", got)
	}
}

func TestAdd_TheTaskOfATableHasNoEvent(t *testing.T) {
	store := memstore.New(t)
	rec := differing(1)
	rec.Parent = "sd_20240315_123456"
	add(t, newNotifier(t, store, &receiver{}, api.EventDiffers), rec)
	if got := outbox(t, store); len(got) > 0 {
		t.Errorf("the outbox has %v", got)
	}
}

func TestAdd_MayBeRepeatedAndReportsWhatTheStoreDidNotDo(t *testing.T) {
	store := faulty.Wrap(memstore.New(t))
	n := newNotifier(t, store, &receiver{})
	store.On(faulty.PutIfAbsent, "notifications/", faulty.First(1, faulty.FailBefore))
	if err := n.Add(t.Context(), differing(1)); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	add(t, n, differing(1))
	add(t, n, differing(1))
	if got := outbox(t, store); !slices.Equal(got, []string{id(1)}) {
		t.Errorf("the outbox has %v", got)
	}
}

func TestRun_DeliversWhatAnEarlierProcessLeftAndWhatIsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, to := memstore.New(t), &receiver{}
		add(t, newNotifier(t, store, to), differing(1))

		n := newNotifier(t, store, to)
		stop := running(t, n)
		synctest.Wait()
		if got := to.got(); !slices.Equal(got, []string{id(1)}) {
			t.Errorf("delivered %v", got)
		}
		add(t, n, differing(2))
		synctest.Wait() // the clock does not advance
		stop()
		if got := to.got(); !slices.Equal(got, []string{id(1), id(2)}) || len(outbox(t, store)) > 0 {
			t.Errorf("delivered %v, the outbox has %v", got, outbox(t, store))
		}
		if got, want := n.Stats(), (notify.Stats{Delivered: 2}); got != want {
			t.Errorf("the counts are %+v, want %+v", got, want)
		}
	})
}

func TestRun_RepeatsAnEventUntilItIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(t)
		to := &receiver{answer: func(n int, event api.Event) error {
			if n <= 5 {
				return unreachable(n, event)
			}
			return nil
		}}
		n := newNotifier(t, store, to)
		add(t, n, differing(1))
		stop := running(t, n)
		time.Sleep(10 * time.Minute)
		stop()
		if got := to.got(); !slices.Equal(got, []string{id(1)}) || to.attempts != 6 || n.Stats().FailedAttempts != 5 {
			t.Errorf("delivered %v after %d attempts, counted %+v", got, to.attempts, n.Stats())
		}
		for i := 2; i < len(to.times); i++ { // a wait has a random length between half of what is computed and all of it
			if before, wait := to.times[i-1].Sub(to.times[i-2]), to.times[i].Sub(to.times[i-1]); wait < before {
				t.Errorf("wait %d is %s, the one before was %s", i, wait, before)
			}
		}
	})
}

// An event that the receiver refuses does not delay the others.
func TestRun_OneRefusedEventDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(t)
		to := &receiver{answer: func(_ int, event api.Event) error {
			if event.Data.TaskID == id(1) {
				return fault.New(fault.Invalid, "refused")
			}
			return nil
		}}
		n := newNotifier(t, store, to)
		stop := running(t, n)
		for i := range 50 {
			add(t, n, differing(i))
		}
		synctest.Wait()
		if got := len(to.got()); got != 49 {
			t.Errorf("%d of 49 are delivered at once", got)
		}
		stop()
		if got := outbox(t, store); !slices.Equal(got, []string{id(1)}) {
			t.Errorf("the outbox has %v", got)
		}
	})
}

// A receiver that is down is called once in half a minute to a minute, for all events
// together. When it is back after hours, nothing waits for hours.
func TestRun_DeliversEverythingOnceTheReceiverIsBack(t *testing.T) {
	for _, events := range []int{3, 100} {
		synctest.Test(t, func(t *testing.T) {
			store := memstore.New(t)
			start, down := time.Now(), 3*time.Hour
			to := &receiver{answer: func(n int, event api.Event) error {
				if time.Since(start) < down {
					return unreachable(n, event)
				}
				return nil
			}}
			n := newNotifier(t, store, to)
			stop := running(t, n)
			for i := range events {
				add(t, n, differing(i))
			}
			time.Sleep(down)
			if calls := to.calls(); calls < 3*60 || calls > 3*60*2+20 {
				t.Errorf("the receiver was called %d times in %s", calls, down)
			}
			time.Sleep(2 * time.Minute)
			stop()
			if got := len(to.got()); got != events || len(outbox(t, store)) > 0 {
				t.Errorf("%d of %d are delivered", got, events)
			}
		})
	}
}

// After a success, the waits begin again with the shortest one. So a new event that fails
// waits only for a second.
func TestRun_ASuccessEndsTheLongPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{answer: func(n int, event api.Event) error {
			if n <= 20 || n == 22 {
				return unreachable(n, event)
			}
			return nil
		}}
		n := newNotifier(t, memstore.New(t), to)
		stop := running(t, n)
		add(t, n, differing(1))
		for to.calls() < 21 {
			time.Sleep(time.Second)
		}
		add(t, n, differing(2))
		synctest.Wait()
		add(t, n, differing(3))
		time.Sleep(2 * time.Second)
		if got := to.got(); !slices.Equal(got, []string{id(1), id(3)}) {
			t.Errorf("delivered %v", got)
		}
		stop()
	})
}

func TestRun_WaitsAsLongAsTheReceiverAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for after, want := range map[time.Duration]time.Duration{10 * time.Minute: 10 * time.Minute, 1000 * time.Hour: time.Hour} {
			store := memstore.New(t)
			to := &receiver{answer: func(n int, event api.Event) error {
				if n == 1 {
					return &retry.DelayError{Err: unreachable(n, event), After: after}
				}
				return nil
			}}
			n := newNotifier(t, store, to)
			add(t, n, differing(1))
			add(t, n, differing(2))
			stop := running(t, n)
			time.Sleep(2 * time.Hour)
			stop()
			if got := to.times[1].Sub(to.times[0]); got != want || len(to.got()) != 2 {
				t.Errorf("asked to wait %s, it waited %s and delivered %v", after, got, to.got())
			}
		}
	})
}

func TestRun_GivesUpAfterThreeDaysAndCountsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, to := memstore.New(t), &receiver{answer: unreachable}
		n := newNotifier(t, store, to)
		add(t, n, differing(1))
		stop := running(t, n)
		time.Sleep(notify.GiveUpAfter - time.Minute)
		if len(outbox(t, store)) != 1 || n.Stats().GivenUp != 0 || n.Stats().Waiting != 1 {
			t.Errorf("the counts are %+v too early", n.Stats())
		}
		time.Sleep(time.Hour)
		stop()
		if len(outbox(t, store)) != 0 || n.Stats().GivenUp != 1 || n.Stats().Delivered != 0 || n.Stats().Waiting != 0 {
			t.Errorf("the counts are %+v", n.Stats())
		}
	})
}

// At the end of the process, events of tasks that ended last are sent, for at most two
// seconds. The rest is delivered by the next process.
func TestRun_SendsWhatIsLeftWhenItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, to := memstore.New(t), &receiver{}
		n := newNotifier(t, store, to)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for i := range 3 {
			add(t, n, differing(i))
		}
		n.Run(ctx)
		if got := to.got(); len(got) != 3 || len(outbox(t, store)) > 0 {
			t.Errorf("delivered %v", got)
		}
	})
}

type hanging struct{ calls int }

func (h *hanging) Send(ctx context.Context, _ api.Event) error {
	h.calls++
	<-ctx.Done()
	return fault.New(fault.Unavailable, "no answer in time")
}

func TestRun_EndsInTimeAlthoughTheReceiverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, to := memstore.New(t), &hanging{}
		n := newNotifier(t, store, to)
		for i := range 3 {
			add(t, n, differing(i))
		}
		stop := running(t, n)
		time.Sleep(15 * time.Second) // an attempt takes ten seconds
		before := time.Now()
		stop()
		if took := time.Since(before); took > 2*time.Second || len(outbox(t, store)) != 3 || to.calls != 2 {
			t.Errorf("it ended after %s, after %d calls; the outbox has %v", took, to.calls, outbox(t, store))
		}
		if n.Stats().GivenUp != 0 {
			t.Errorf("the counts are %+v", n.Stats())
		}
	})
}

// A store that fails now and then loses no event.
func TestRun_OutlastsFaultsOfTheStore(t *testing.T) {
	for _, op := range []faulty.Op{faulty.List, faulty.Get, faulty.Delete} {
		t.Run(string(op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, to := faulty.Wrap(memstore.New(t)), &receiver{}
				n := newNotifier(t, store, to)
				add(t, n, differing(1))
				store.On(op, "notifications/", faulty.First(3, faulty.FailBefore))
				stop := running(t, n)
				time.Sleep(10 * time.Minute)
				stop()
				if got := to.got(); len(got) == 0 || len(outbox(t, store)) > 0 {
					t.Errorf("delivered %v, the outbox has %v", got, outbox(t, store))
				}
			})
		})
	}
}

func TestRun_AnObjectThatIsNoEventIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, to := memstore.New(t), &receiver{}
		if _, err := store.Put(t.Context(), archive.NotificationKey(id(1)), "text/plain", []byte("no JSON")); err != nil {
			t.Fatal(err)
		}
		n := newNotifier(t, store, to)
		stop := running(t, n)
		synctest.Wait()
		stop()
		if to.attempts != 0 || len(outbox(t, store)) > 0 || n.Stats().GivenUp != 1 {
			t.Errorf("%d attempts, the counts are %+v", to.attempts, n.Stats())
		}
	})
}

// Run also delivers events beyond the number that it tracks in memory.
func TestRun_DeliversMoreThanItHoldsInMind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, to := memstore.New(t), &receiver{}
		n := newNotifier(t, store, to)
		for i := range 1010 { // ten more than maxWaiting
			add(t, n, differing(i))
		}
		stop := running(t, n)
		time.Sleep(5 * time.Minute)
		stop()
		if got := len(to.got()); got != 1010 || len(outbox(t, store)) > 0 {
			t.Errorf("%d of 1010 are delivered", got)
		}
	})
}

func TestFlush_SendsEachOldEventOnceAndStopsAtASharedFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, to := memstore.New(t), &receiver{}
		n := newNotifier(t, store, to)
		for i := range 3 {
			add(t, n, differing(i))
		}
		time.Sleep(2 * time.Minute)
		add(t, n, differing(9))
		to.answer = unreachable
		if err := n.Flush(t.Context(), time.Minute); err != nil || to.attempts != 1 {
			t.Errorf("%d attempts, %v", to.attempts, err)
		}
		to.answer = func(int, api.Event) error { return errors.New("refused") }
		if err := n.Flush(t.Context(), time.Minute); err != nil || to.attempts != 4 {
			t.Errorf("%d attempts, %v", to.attempts, err)
		}
		to.answer = nil
		if err := n.Flush(t.Context(), time.Minute); err != nil || !slices.Equal(to.got(), []string{id(0), id(1), id(2)}) {
			t.Errorf("delivered %v, %v", to.got(), err)
		}
		n.Deliver(t.Context(), id(9))
		n.Deliver(t.Context(), id(9)) // it is no longer in the outbox
		if got := to.got(); len(got) != 4 || len(outbox(t, store)) > 0 {
			t.Errorf("delivered %v", got)
		}
	})
}
