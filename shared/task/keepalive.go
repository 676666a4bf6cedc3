package task

import (
	"cmp"
	"context"
	"errors"
	"time"

	"ace/shared/fault"
)

// callTimeout bounds one call of the store, so that a hanging one does not cost the lease.
const callTimeout = 5 * time.Second

// errStopped ends the context of a KeepAlive whose work is over.
var errStopped = errors.New("task: the work is over")

// Intervals says how often a KeepAlive speaks to the store. Zero fields mean the defaults.
type Intervals struct {
	Renew    time.Duration // the lease is renewed at least this often: a third of its duration
	Progress time.Duration // changed progress is stored at most this often: 1 s
	Cancel   time.Duration // a request to cancel is looked for this often: 2 s
}

// KeepAlive renews the lease, with the progress, from a goroutine of its own, and looks for a request to cancel. The
// work runs under the context it gives, which ends with a cause: ErrLeaseLost, a fault Cancelled on request, or a
// fault Unavailable when the store was out of reach until the lease was about to run out. stop ends the context,
// waits for the goroutine and gives that cause, nil if there was none; it must be called before Finish or Release.
// progress is called from the goroutine.
func (l *Lease) KeepAlive(
	ctx context.Context, intervals Intervals, progress func() Progress,
) (work context.Context, stop func() error) {
	intervals.Renew = cmp.Or(intervals.Renew, l.registry.lease/3)
	intervals.Progress = cmp.Or(intervals.Progress, time.Second)
	intervals.Cancel = cmp.Or(intervals.Cancel, 2*time.Second)
	work, end := context.WithCancelCause(ctx)
	k := &keeper{lease: l, intervals: intervals, progress: progress, renewed: l.acquired}
	ended := make(chan error, 1)
	go func() {
		err := k.run(work)
		end(err)
		ended <- err
	}()
	return work, func() error {
		end(errStopped)
		err := <-ended
		ended <- err // stop may be called again
		return err
	}
}

// keeper is the state of one KeepAlive's goroutine.
type keeper struct {
	lease     *Lease
	intervals Intervals
	progress  func() Progress
	stored    Progress
	renewed   time.Time // when the last write that kept the lease began
}

// run works until ctx ends (nil) or there is a reason to stop the work.
func (k *keeper) run(ctx context.Context) error {
	beat := time.NewTicker(min(k.intervals.Renew, k.intervals.Progress))
	defer beat.Stop()
	look := time.NewTicker(k.intervals.Cancel)
	defer look.Stop()
	err := k.lookForCancel(ctx)
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			err = k.renew(ctx)
		case <-look.C:
			err = k.lookForCancel(ctx)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// renew renews the lease if that is due or there is progress to store. Trouble with the store is no reason to stop
// while the lease still holds.
func (k *keeper) renew(ctx context.Context) error {
	now, progress := time.Now(), k.progress()
	if now.Sub(k.renewed) < k.intervals.Renew && progress == k.stored {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, k.deadline(now))
	defer cancel()
	err := k.lease.Renew(ctx, progress)
	switch {
	case err == nil:
		k.renewed, k.stored = now, progress
		return nil
	case fault.CodeOf(err) != fault.Unavailable:
		return err
	case time.Now().Before(k.lastMoment()):
		return nil
	}
	return fault.Wrap(err, fault.Unavailable, "the archive was out of reach until the task's lease was about to run out")
}

func (k *keeper) lookForCancel(ctx context.Context) error {
	ctx, cancel := context.WithDeadline(ctx, k.deadline(time.Now()))
	defer cancel()
	requested, err := k.lease.registry.CancelRequested(ctx, k.lease.Record().TaskID)
	if err == nil && requested {
		return fault.New(fault.Cancelled, cancelledOnRequest)
	}
	return nil // trouble with the store is for renew to judge
}

func (k *keeper) deadline(now time.Time) time.Time {
	if d := now.Add(callTimeout); d.Before(k.lastMoment()) {
		return d
	}
	return k.lastMoment()
}

// lastMoment is when the work must stop if the lease cannot be renewed: a tenth of it is left for queries to end.
func (k *keeper) lastMoment() time.Time { return k.renewed.Add(k.lease.registry.lease * 9 / 10) }
