// Package retry repeats a call that failed for a temporary reason.
//
// A Policy defines how often a call is repeated, how long to wait in between, and after
// which failures. Do always returns the error of the last call. Existing libraries return
// the error of the context instead if the context ends during a wait, which hides why the
// call failed.
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff computes waits that double, from First up to Max.
type Backoff struct {
	First  time.Duration
	Max    time.Duration // 0 means that the waits have no bound
	Jitter bool          // each wait has a random length between half of the computed length and all of it
}

// After returns the length of the wait after the n-th failure; the first failure is
// number 1.
func (b Backoff) After(n int) time.Duration {
	wait := b.First
	for ; n > 1 && (b.Max == 0 || wait < b.Max); n-- {
		wait *= 2
	}
	if b.Max > 0 {
		wait = min(wait, b.Max)
	}
	if b.Jitter {
		wait = wait/2 + rand.N(wait/2+1)
	}
	return wait
}

// Policy defines when a failed call is repeated.
type Policy struct {
	Backoff
	Tries     int              // the maximum number of calls, including the first; zero means no bound
	MaxTotal  time.Duration    // bounds the sum of all waits; zero means no bound
	MaxDelay  time.Duration    // the longest delay that an error can request (see DelayError); zero means that none is respected
	Retryable func(error) bool // reports whether to repeat the call after this failure; nil means after any failure
	// Notify, if set, is called before each wait.
	Notify func(err error, wait time.Duration)
}

// Do calls fn until it succeeds or the policy or the context allows no further call. It
// returns the error of the last call.
func (p Policy) Do(ctx context.Context, fn func() error) error {
	var waited time.Duration
	for try := 1; ; try++ {
		err := fn()
		if err == nil || ctx.Err() != nil || try == p.Tries || p.Retryable != nil && !p.Retryable(err) {
			return err
		}

		wait := max(p.After(try), min(Delay(err), p.MaxDelay))
		if p.MaxTotal > 0 && waited+wait > p.MaxTotal {
			return err
		}
		waited += wait
		if p.Notify != nil {
			p.Notify(err, wait)
		}
		if Sleep(ctx, wait) != nil {
			return err
		}
	}
}

// Sleep waits for d. If the context ends first, Sleep returns its cause.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
