package tablediff

import (
	"context"
	"errors"
	"time"

	"ace/shared/fault"
	"ace/shared/retry"
)

const (
	// retryWait is the wait before the first retry. The wait doubles before each further
	// retry.
	retryWait = 500 * time.Millisecond
	// planningWaits bounds the sum of the waits before retries of planning. It is short,
	// because a user may be waiting for the first answer.
	planningWaits = 2 * time.Second
)

// unitPolicy returns the retry policy for units and for the steps after them.
func (r *run) unitPolicy() retry.Policy {
	if r.Patience <= 0 {
		return retry.Policy{Tries: 1}
	}
	return retry.Policy{
		Backoff: retry.Backoff{First: retryWait}, MaxTotal: r.Patience, Retryable: fault.Retryable,
	}
}

// planningPolicy returns the retry policy for planning. If planning fails because a
// connection to a node timed out, it is not retried.
func planningPolicy() retry.Policy {
	return retry.Policy{
		Backoff: retry.Backoff{First: retryWait}, MaxTotal: planningWaits,
		Retryable: func(err error) bool {
			return fault.Retryable(err) && !errors.Is(err, context.DeadlineExceeded)
		},
	}
}

// retry calls do until it succeeds or the policy is exhausted. If the run ends during a
// wait, the error is the reason why it ended.
func (r *run) retry(ctx context.Context, policy retry.Policy, what string, do func() error) error {
	policy.Notify = func(err error, wait time.Duration) {
		r.Log.WarnContext(ctx, what+" failed; trying again", "task_id", r.request.TaskID, "after", wait, "error", err)
	}
	err := policy.Do(ctx, do)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
