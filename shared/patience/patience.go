// Package patience retries steps of a task that failed because a node or the store could
// not be used for a moment. For example, a node restarts, has no free connection or no
// room for a lock, or cancels a statement because of a recovery conflict. The store may
// ask for fewer requests.
//
// It is the only place that decides how long a task tolerates such a fault. The caller
// must make sure that its step can be repeated: it has changed nothing, or it finds out
// what an earlier try has changed.
package patience

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ace/shared/fault"
	"ace/shared/retry"
)

// The first wait between two tries takes firstWait. Each further wait is twice as long,
// up to maxWait.
const (
	firstWait = 500 * time.Millisecond
	maxWait   = 5 * time.Second
)

// Budget defines how long the steps of one task tolerate a fault. The zero Budget retries
// nothing. It is safe for concurrent use.
type Budget struct {
	// For is the longest time from the first failure of a step to its last try. Every step
	// may use all of this time, even if other steps run at the same time or have waited
	// before.
	For time.Duration
	Log *slog.Logger // required if For is not 0
	// Outages, if set, shortens the wait for a failure for which another task has just
	// waited in vain.
	Outages *Outages
	// Waiting, if set, is called before each wait, with the error of the step.
	Waiting func(reason error)
}

// Do calls fn until it succeeds, fails for a reason that does not pass by itself, or the
// budget is spent. what names the step in the log. The error is the error of the last
// try. If the budget is spent, this error is marked (see Exhausted). If ctx ends, the
// error is the reason why it ended.
func (b Budget) Do(ctx context.Context, what string, fn func() error) error {
	return b.DoWithProgress(ctx, what, func() int64 { return 0 }, fn)
}

// DoWithProgress is like Do for a step of many parts. progress returns a number that
// grows with every part that any try has done. If the number is greater at a failure than
// at the failures before, this failure counts as another fault, and the whole budget is
// available again.
func (b Budget) DoWithProgress(ctx context.Context, what string, progress func() int64, fn func() error) error {
	waits := retry.Backoff{First: firstWait, Max: maxWait}
	var first time.Time
	var last error
	reached := progress()
	for failures := 1; ; failures++ {
		err := fn()
		switch {
		case err == nil:
			b.Outages.over(last)
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case b.For <= 0 || !fault.Retryable(err) || IsExhausted(err):
			return err
		}

		if now := progress(); failures == 1 || now > reached {
			first, reached, failures = time.Now(), now, 1
		}
		last = err
		left := b.Outages.limit(err, b.For) - time.Since(first)
		if left <= 0 {
			b.Outages.lasts(err)
			return Exhausted(err)
		}
		if err := b.wait(ctx, what, err, min(waits.After(failures), left)); err != nil {
			return err
		}
	}
}

func (b Budget) wait(ctx context.Context, what string, reason error, wait time.Duration) error {
	b.Log.WarnContext(ctx, what+" failed; trying again", "after", wait, "error", reason)
	if b.Waiting != nil {
		b.Waiting(reason)
	}
	return retry.Sleep(ctx, wait)
}

// Exhausted marks err as the error of a step that has already waited as long as its
// budget allows. A Budget never retries a step that fails with a marked error, so an
// outer step does not wait again for the same fault.
func Exhausted(err error) error {
	if err == nil || IsExhausted(err) {
		return err
	}
	return &exhausted{err}
}

// IsExhausted reports whether Exhausted has marked an error.
func IsExhausted(err error) bool {
	var marked *exhausted
	return errors.As(err, &marked)
}

type exhausted struct{ error }

func (e *exhausted) Unwrap() error { return e.error }

// Reach computes the progress of a step for DoWithProgress. It adds up the stages that
// the step has reached and the parts that the step has done. It is safe for concurrent
// use.
type Reach struct {
	mu    sync.Mutex
	stage int
	parts int64
}

// Stage records that the stage with this number was reached. It changes nothing if a
// stage with the same or a greater number was reached before.
func (r *Reach) Stage(stage int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stage = max(r.stage, stage)
}

// Part records that one more part is done.
func (r *Reach) Part() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts++
}

// Progress returns a number that grows with each new stage and each part.
func (r *Reach) Progress() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.stage) + r.parts
}
