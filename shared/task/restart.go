package task

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

const (
	// maxStarts ends a task that is started again and again and that no runner takes.
	maxStarts = 24
	// longestWait between two starts, in leases: an hour. With it maxStarts take most of a day, so that a queue in front
	// of the runners may be long.
	longestWait = 120
)

// Restart says whether a task that nobody runs should be started again now, and notes that it is. The first start is due
// when a lease's duration has passed in silence, by the store's clock, the next ones after twice as long each. A task that
// was started maxStarts times without a runner taking it is ended FAILED. One that has ended is cleared up.
//
// It is meant to be called for every task of Open, now and then, by anybody: of racing calls one says true.
func (r *Registry) Restart(ctx context.Context, id string) (bool, error) {
	v, err := r.read(ctx, id)
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		r.dropOrphan(ctx, id)
		return false, nil
	case err != nil:
		return false, err
	case v.Status.Terminal():
		return false, r.clear(ctx, v.Record)
	case v.info.Now.Sub(v.info.LastModified) <= r.silence(v.Starts):
		return false, nil
	case v.Starts >= maxStarts:
		return false, r.giveUp(ctx, id)
	}
	next := v.Record
	next.Starts++
	next.Lease = nil // it has run out; with this write it would seem to hold again
	next.Revision = rand.Text()
	_, err = r.swap(ctx, v, next)
	if errors.Is(err, archive.ErrPrecondition) {
		return false, nil
	}
	return err == nil, err
}

// silence is how long nothing must have been written before a task is started for the n-th time again.
func (r *Registry) silence(starts int) time.Duration {
	if starts >= 7 {
		return longestWait * r.lease
	}
	return min(r.lease<<starts, longestWait*r.lease)
}

// giveUp ends a task, if nobody takes it at this moment.
func (r *Registry) giveUp(ctx context.Context, id string) error {
	held, err := r.Acquire(ctx, id, "nobody", AcquireOptions{})
	if fault.CodeOf(err) == fault.Conflict {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = held.Finish(ctx, Outcome{Status: Failed, Error: fault.New(fault.Unavailable,
		"given up: the task was started %d times and no task runner took it; the task runner's log or its queue of failed events has the reason", maxStarts)})
	if err != nil {
		return err
	}
	return held.Clear(ctx)
}
