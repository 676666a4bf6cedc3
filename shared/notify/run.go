package notify

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"ace/shared/fault"
	"ace/shared/retry"
)

// maxWaiting bounds the number of events that a process tracks in memory. Further events
// wait in the outbox.
const maxWaiting = 1000

// Waits are the times of a Notifier. The zero value of a field means its default.
type Waits struct {
	Event    retry.Backoff // the wait before the next attempt to send one event
	Receiver retry.Backoff // the wait before the next attempt to reach a receiver that could not be reached
	Send     time.Duration // the time limit of one attempt to send an event
	List     time.Duration // the time between two listings of the outbox
	Drain    time.Duration // the time in which Run still sends events after its context has ended
}

// maxDelay is the longest delay that a receiver can request by a retry.DelayError. A
// longer one is shortened to maxDelay.
const maxDelay = time.Hour

func (w Waits) withDefaults() Waits {
	w.Event.First = cmp.Or(w.Event.First, 5*time.Second)
	w.Event.Max = cmp.Or(w.Event.Max, 30*time.Minute)
	w.Event.Jitter = true
	w.Receiver.First = cmp.Or(w.Receiver.First, time.Second)
	w.Receiver.Max = cmp.Or(w.Receiver.Max, time.Minute)
	w.Receiver.Jitter = true
	w.Send = cmp.Or(w.Send, 10*time.Second)
	w.List = cmp.Or(w.List, time.Minute)
	w.Drain = cmp.Or(w.Drain, 2*time.Second)
	return w
}

// Run sends the events in the outbox, also those that an earlier process has left there,
// until ctx ends. Then it sends what is left, for at most Waits.Drain. What it cannot
// send stays in the outbox.
func (n *Notifier) Run(ctx context.Context) {
	// An attempt that is running when ctx ends may still succeed, so sending ends later
	// than ctx.
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(n.o.Waits.Drain, cancel) })()

	r := &round{notifier: n, waiting: map[string]*waiting{}}
	for ctx.Err() == nil {
		next := r.step(sending)
		if next <= 0 {
			continue
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-n.wake:
			r.listed = time.Time{}
		case <-timer.C:
		}
		timer.Stop()
	}
	r.drain(sending)
}

// round is the state of one Run.
type round struct {
	notifier *Notifier
	waiting  map[string]*waiting // the events that wait, by task id
	listed   time.Time           // when the outbox was last listed; zero if it must be listed now
	paused   time.Time           // when the receiver may be called again
	failures int                 // consecutive attempts that failed because of the receiver
}

// waiting is an event that has not been delivered yet.
type waiting struct {
	due      time.Time
	failures int
}

// step does what is due first, and returns the time until the next step is due.
func (r *round) step(ctx context.Context) time.Duration {
	now := r.notifier.o.Now()
	if wait := r.notifier.o.Waits.List; now.Sub(r.listed) >= wait {
		r.list(ctx, now)
		return 0
	}

	untilList := r.listed.Add(r.notifier.o.Waits.List).Sub(now)
	id := r.first()
	if id == "" {
		return untilList
	}
	due := r.waiting[id].due
	if due.Before(r.paused) {
		due = r.paused
	}
	if due.After(now) {
		return min(untilList, due.Sub(now))
	}
	r.send(ctx, id)
	return 0
}

// list adds the events in the outbox to those that wait, and forgets those that are no
// longer in the outbox.
func (r *round) list(ctx context.Context, now time.Time) {
	r.listed = now
	ids, err := r.notifier.list(ctx, 0)
	if err != nil {
		r.notifier.o.Log.WarnContext(ctx, "notifications cannot be listed; they will be listed again", "error", err)
		return
	}
	listed := make(map[string]*waiting, len(ids))
	for _, id := range ids {
		listed[id] = cmp.Or(r.waiting[id], &waiting{due: now})
	}
	r.waiting = listed
	r.notifier.stats.waiting.Store(int64(len(ids)))
}

// first returns the task whose event is due first, or "" if there is none.
func (r *round) first() string {
	first := ""
	for id, one := range r.waiting {
		if first == "" || cmp.Or(one.due.Compare(r.waiting[first].due), strings.Compare(id, first)) < 0 {
			first = id
		}
	}
	return first
}

// send sends one event, and determines from the result when the next attempts are due.
func (r *round) send(ctx context.Context, id string) {
	err := r.notifier.attempt(ctx, id)
	if err == nil {
		delete(r.waiting, id)
		r.notifier.stats.waiting.Store(int64(len(r.waiting)))
		r.failures = 0
		return
	}

	waits, now := r.notifier.o.Waits, r.notifier.o.Now()
	one := r.waiting[id]
	one.failures++
	wait := waits.Event.After(one.failures)
	if fault.Retryable(err) { // other events would fail too, so the receiver gets a pause
		r.failures++
		r.paused = now.Add(waits.Receiver.After(r.failures))
		wait = min(wait, waits.Receiver.Max)
	}
	one.due = now.Add(wait)

	var delay *retry.DelayError
	if errors.As(err, &delay) {
		r.paused = now.Add(min(max(delay.After, r.paused.Sub(now)), maxDelay))
	}
}

// drain makes one attempt for each event that has no failed attempt yet, in the order of
// the task ids. It stops if ctx ends or if the receiver cannot be reached.
func (r *round) drain(ctx context.Context) {
	if ctx.Err() == nil {
		r.list(ctx, r.notifier.o.Now())
	}
	ids := make([]string, 0, len(r.waiting))
	for id, one := range r.waiting {
		if one.failures == 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		if ctx.Err() != nil || r.failures > 0 || r.paused.After(r.notifier.o.Now()) {
			break
		}
		r.send(ctx, id)
	}

	if left := len(r.waiting); left > 0 {
		r.notifier.o.Log.WarnContext(ctx, "notifications left for the next start", "count", left)
	}
}
