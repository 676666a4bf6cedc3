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
	// maxStarts is the number of starts after which Restart ends a task that no runner
	// has acquired.
	maxStarts = 24
	// maxRestartDelay bounds the time between two starts, as a multiple of the lease
	// duration: 120 times 30 s is an hour. So maxStarts starts take most of a day, which
	// is enough even if many tasks wait for a runner.
	maxRestartDelay = 120
)

// Restart reports whether a task that no runner works on should be started now, and
// records the start. The first start is due when the record has not been written for a
// lease's duration, by the store's clock. For each further start that time doubles.
// Restart clears a task that has ended. If a task was started maxStarts times and no
// runner has acquired it, Restart ends the task as FAILED.
//
// Any process may call Restart periodically for every task that Open returns. Of
// concurrent calls one returns true.
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
	case v.info.Now.Sub(v.info.LastModified) <= r.restartDelay(v.Starts):
		return false, nil
	case v.Starts >= maxStarts:
		return false, r.failTask(ctx, id)
	}

	// Durable: the start. Of concurrent calls one succeeds.
	next := v.Record
	next.Starts++
	next.Lease = nil // the lease has expired, and this write must not renew it
	next.Revision = rand.Text()
	_, err = r.swap(ctx, v, next)
	if errors.Is(err, archive.ErrPrecondition) {
		return false, nil
	}
	return err == nil, err
}

// restartDelay returns how long the record must have been unchanged before the next start
// is due. starts is the number of starts so far.
func (r *Registry) restartDelay(starts int) time.Duration {
	if starts >= 7 {
		return maxRestartDelay * r.lease
	}
	return min(r.lease<<starts, maxRestartDelay*r.lease)
}

// failTask ends a task as FAILED, unless a runner acquires it at the same time.
func (r *Registry) failTask(ctx context.Context, id string) error {
	lease, err := r.Acquire(ctx, id, "the sweeper", AcquireOptions{})
	if fault.CodeOf(err) == fault.Conflict {
		return nil
	}
	if err != nil {
		return err
	}
	cause := fault.New(fault.Unavailable, "the task was started %d times and no task runner acquired it; "+
		"see the task runner's log or its queue of failed events", maxStarts)
	_, err = lease.Finish(ctx, Outcome{Status: Failed, Error: cause})
	if err != nil {
		return err
	}
	return lease.Clear(ctx)
}
