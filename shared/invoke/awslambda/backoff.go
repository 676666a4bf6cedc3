package awslambda

import (
	"context"
	"time"

	"ace/shared/retry"
)

// backoff returns an exponential backoff with jitter.
func backoff() retry.Backoff {
	return retry.Backoff{First: 50 * time.Millisecond, Max: 5 * time.Second, Jitter: true}
}

// wait waits for d, or until stop is closed. If the context ends first, wait returns the
// context's cause.
func wait(ctx context.Context, stop <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-stop:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
