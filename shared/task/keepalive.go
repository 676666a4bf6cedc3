package task

import (
	"cmp"
	"context"
	"errors"
	"time"

	"ace/shared/fault"
)

// callTimeout bounds one call of the store, so that the lease is not lost because a call
// hangs.
const callTimeout = 5 * time.Second

// errStopped is the cause with which stop ends the context of a KeepAlive.
var errStopped = errors.New("task: the work is over")

// Intervals are the times between a KeepAlive's calls of the store. A zero field means
// the default.
type Intervals struct {
	// Renew is the longest time between renewals of the lease. The default is a third of
	// the lease's duration.
	Renew    time.Duration
	Progress time.Duration // shortest time between writes of changed progress; default: 1 s
	Cancel   time.Duration // time between checks for a cancellation request; default: 2 s
}

// KeepAlive starts a goroutine that renews the lease, stores the progress, and checks
// whether a cancellation was requested. The work must run under the returned context.
// That context ends with one of these causes: ErrLeaseLost, a fault Cancelled on request,
// or a fault Unavailable if the store was unreachable until the lease was about to
// expire. A task that has a parent is also cancelled if the parent has ended or is to be
// cancelled. stop ends the context, waits for the goroutine, and returns that cause. It
// returns nil if the work context ended for another reason: because of stop, or because
// ctx ended. stop must be called before Finish or Release. progress is called in the
// goroutine.
func (l *Lease) KeepAlive(
	ctx context.Context, intervals Intervals, progress func() Progress,
) (work context.Context, stop func() error) {
	intervals.Renew = cmp.Or(intervals.Renew, l.registry.lease/3)
	intervals.Progress = cmp.Or(intervals.Progress, time.Second)
	intervals.Cancel = cmp.Or(intervals.Cancel, 2*time.Second)
	work, end := context.WithCancelCause(ctx)
	k := &renewer{lease: l, intervals: intervals, progress: progress, renewed: l.acquiredAt}
	ended := make(chan error, 1)
	go func() {
		err := k.run(work)
		end(err)
		ended <- err
	}()
	return work, func() error {
		end(errStopped)
		err := <-ended
		ended <- err // the error is sent again, because stop may be called again
		return err
	}
}

// renewer is the state of one KeepAlive's goroutine.
type renewer struct {
	lease     *Lease
	intervals Intervals
	progress  func() Progress
	stored    Progress
	renewed   time.Time // when the last successful write of the lease began
}

// run renews the lease until ctx ends or the work must stop. It returns nil if ctx has
// ended, and otherwise the reason why the work must stop.
func (k *renewer) run(ctx context.Context) error {
	beat := time.NewTicker(min(k.intervals.Renew, k.intervals.Progress))
	defer beat.Stop()
	look := time.NewTicker(k.intervals.Cancel)
	defer look.Stop()
	var err error
	if !k.lease.first { // an earlier request has ended a task that was QUEUED
		err = k.checkCancel(ctx)
	}
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			err = k.renew(ctx)
		case <-look.C:
			err = k.checkCancel(ctx)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// renew renews the lease if a renewal is due or there is progress to store. After a
// failure of the store it returns nil as long as the lease is still valid.
func (k *renewer) renew(ctx context.Context) error {
	now, progress := time.Now(), k.progress()
	if now.Sub(k.renewed) < k.intervals.Renew && progress == k.stored {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, k.callDeadline(now))
	defer cancel()
	err := k.lease.Renew(ctx, progress)
	switch {
	case err == nil:
		k.renewed = now
		k.stored = progress
		return nil
	case fault.CodeOf(err) != fault.Unavailable:
		return err
	case time.Now().Before(k.stopTime()):
		return nil
	}
	return fault.Wrap(err, fault.Unavailable, "the archive was unreachable until the task's lease was about to expire")
}

func (k *renewer) checkCancel(ctx context.Context) error {
	ctx, cancel := context.WithDeadline(ctx, k.callDeadline(time.Now()))
	defer cancel()
	requested, err := k.lease.registry.CancelRequested(ctx, k.lease.Record().TaskID)
	if err == nil && requested {
		return fault.New(fault.Cancelled, CancelledOnRequest)
	}
	if parent := k.lease.Record().Parent; parent != "" {
		return k.lease.registry.checkParent(ctx, parent)
	}
	return nil // renew handles failures of the store
}

func (k *renewer) callDeadline(now time.Time) time.Time {
	if d := now.Add(callTimeout); d.Before(k.stopTime()) {
		return d
	}
	return k.stopTime()
}

// stopTime returns the time at which the work must stop if the lease cannot be renewed. A
// tenth of the lease's duration is left, in which running queries can end.
func (k *renewer) stopTime() time.Time { return k.renewed.Add(k.lease.registry.lease * 9 / 10) }
