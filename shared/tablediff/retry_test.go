package tablediff

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"ace/shared/fault"
	"ace/shared/retry"
)

func TestRetry_RepeatsTransientFailuresUntilThePolicyIsExhausted(t *testing.T) {
	down := fault.New(fault.Unavailable, "down")
	silent := fault.Wrap(context.DeadlineExceeded, fault.Unavailable, "silent")
	r := &run{Coordinator: NewCoordinator(CoordinatorOptions{Patience: 16 * time.Second, Log: slog.New(slog.DiscardHandler)})}
	for _, tt := range []struct {
		name     string
		policy   retry.Policy
		failures int // before it succeeds
		err      error
		attempts int
		took     time.Duration
	}{
		{"success", r.unitPolicy(), 0, down, 1, 0},
		{"a failure that passes", r.unitPolicy(), 2, down, 3, 1500 * time.Millisecond},
		{"a failure that just passes", r.unitPolicy(), 5, down, 6, 15500 * time.Millisecond},
		{"a failure that does not pass", r.unitPolicy(), 100, down, 6, 15500 * time.Millisecond},
		{"a node that does not answer", r.unitPolicy(), 100, silent, 6, 15500 * time.Millisecond},
		{"a failure that does not pass by itself", r.unitPolicy(), 100, fault.New(fault.Invalid, "no"), 1, 0},
		{"planning that passes", planningPolicy(), 2, down, 3, 1500 * time.Millisecond},
		{"planning that does not pass", planningPolicy(), 100, down, 3, 1500 * time.Millisecond},
		{"planning with a node that does not answer", planningPolicy(), 100, silent, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts, start := 0, time.Now()
				err := r.retry(t.Context(), tt.policy, tt.name, func() error {
					if attempts++; attempts <= tt.failures {
						return tt.err
					}
					return nil
				})

				if attempts != tt.attempts || time.Since(start) != tt.took || (err == nil) != (tt.attempts > tt.failures) {
					t.Errorf("%d attempts in %s, error %v; want %d in %s", attempts, time.Since(start), err, tt.attempts, tt.took)
				}
			})
		})
	}
}

func TestRetry_StopsWaitingWhenTheRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{Coordinator: NewCoordinator(CoordinatorOptions{Patience: time.Hour, Log: slog.New(slog.DiscardHandler)})}
		stopped := fault.New(fault.Cancelled, "stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(700*time.Millisecond, func() { cancel(stopped) })
		start := time.Now()
		err := r.retry(ctx, r.unitPolicy(), "it", func() error { return fault.New(fault.Unavailable, "down") })
		if fault.CodeOf(err) != fault.Cancelled || time.Since(start) != 700*time.Millisecond {
			t.Errorf("ended after %s with %v", time.Since(start), err)
		}
	})
}
