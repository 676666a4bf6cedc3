package awslambda

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	shortestWait = 50 * time.Millisecond
	longestWait  = 5 * time.Second
)

// backoff waits longer and longer, and never as long as another that began at the same moment.
type backoff struct{ times int }

// next waits before the next attempt. It gives the cause of ctx's end, or nil at once when stop is closed.
func (b *backoff) next(ctx context.Context, stop <-chan struct{}) error {
	most := longestWait
	if b.times < 7 { // so that the shift cannot overflow
		most = min(most, shortestWait<<b.times)
	}
	b.times++
	timer := time.NewTimer(most/2 + rand.N(most/2))
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
