package tablediff

import (
	"context"
	"errors"
	"time"

	"ace/shared/fault"
)

const (
	// retryWait is the first wait between two attempts. It doubles.
	retryWait = 500 * time.Millisecond
	// planPatience is short: before anything is done somebody may still be looking.
	planningWaits = 2 * time.Second
)

// patience says how long trouble is given time to pass.
type retryPolicy struct {
	waits   time.Duration // all together
	mayPass func(error) bool
}

func (r *run) unitPolicy() retryPolicy {
	return retryPolicy{waits: r.Patience, mayPass: fault.Retryable}
}

// duringPlanning a node that does not even refuse a connection is not asked twice.
func planningPolicy() retryPolicy {
	return retryPolicy{waits: planningWaits, mayPass: func(err error) bool {
		return fault.Retryable(err) && !errors.Is(err, context.DeadlineExceeded)
	}}
}

// persist does something again and again until it succeeds or patience ends.
func (r *run) retry(ctx context.Context, p retryPolicy, what string, do func() error) error {
	for wait, left := retryWait, p.waits; ; wait, left = 2*wait, left-wait {
		err := do()
		if err == nil || ctx.Err() != nil || wait > left || !p.mayPass(err) {
			return err
		}
		r.Log.WarnContext(ctx, what+" failed and is tried again", "task_id", r.job.TaskID, "after", wait, "error", err)
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
