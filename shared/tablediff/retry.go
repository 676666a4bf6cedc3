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
	// planningWaits is short, because a user may still be waiting for the first answer.
	planningWaits = 2 * time.Second
)

// retryPolicy bounds the attempts at something that fails.
type retryPolicy struct {
	waits   time.Duration // the total of all waits
	mayPass func(error) bool
}

func (r *run) unitPolicy() retryPolicy {
	return retryPolicy{waits: r.Patience, mayPass: fault.Retryable}
}

// planningPolicy is the policy before anything is stored. A node that does not even
// refuse a connection is not tried a second time.
func planningPolicy() retryPolicy {
	return retryPolicy{waits: planningWaits, mayPass: func(err error) bool {
		return fault.Retryable(err) && !errors.Is(err, context.DeadlineExceeded)
	}}
}

// retry calls do until it succeeds or the policy is exhausted.
func (r *run) retry(ctx context.Context, p retryPolicy, what string, do func() error) error {
	for wait, left := retryWait, p.waits; ; wait, left = 2*wait, left-wait {
		err := do()
		if err == nil || ctx.Err() != nil || wait > left || !p.mayPass(err) {
			return err
		}
		r.Log.WarnContext(ctx, what+" failed; trying again", "task_id", r.job.TaskID, "after", wait, "error", err)
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
