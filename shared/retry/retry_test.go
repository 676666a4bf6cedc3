package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ace/shared/retry"
)

var (
	errTransient = errors.New("transient")
	errFinal     = errors.New("final")
)

// failing returns a function that fails with each of errs in turn and then succeeds.
// calls is the number of its calls.
func failing(errs ...error) (fn func() error, calls *int) {
	calls = new(int)
	return func() error {
		*calls++
		if *calls <= len(errs) {
			return errs[*calls-1]
		}
		return nil
	}, calls
}

func TestAfter_WaitsDoubleUpToTheMaximum(t *testing.T) {
	b := retry.Backoff{First: 50 * time.Millisecond, Max: 5 * time.Second}
	want := []int{50, 100, 200, 400, 800, 1600, 3200, 5000, 5000}
	for i, ms := range want {
		if got := b.After(i + 1); got.Milliseconds() != int64(ms) {
			t.Errorf("wait %d is %s, want %d ms", i+1, got, ms)
		}
	}
	if got := b.After(1_000_000); got != b.Max {
		t.Errorf("a late wait is %s, want %s", got, b.Max)
	}
}

func TestAfter_JitterShortensAWaitByAtMostHalf(t *testing.T) {
	b := retry.Backoff{First: time.Second, Jitter: true}
	for range 1000 {
		if got := b.After(2); got < time.Second || got > 2*time.Second {
			t.Fatalf("wait is %s, want between 1s and 2s", got)
		}
	}
}

func TestDo_RepeatsUntilTheCallSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		fn, calls := failing(errTransient, errTransient)
		var waits []time.Duration
		p := retry.Policy{Backoff: retry.Backoff{First: time.Second}, Notify: func(err error, wait time.Duration) {
			if !errors.Is(err, errTransient) {
				t.Errorf("notified of %v", err)
			}
			waits = append(waits, wait)
		}}
		if err := p.Do(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
		if *calls != 3 || time.Since(began) != 3*time.Second {
			t.Errorf("%d calls in %s, want 3 in 3s", *calls, time.Since(began))
		}
		if len(waits) != 2 || waits[0] != time.Second || waits[1] != 2*time.Second {
			t.Errorf("notified of waits %v, want [1s 2s]", waits)
		}
	})
}

func TestDo_StopsAtItsBoundsWithTheLastError(t *testing.T) {
	backoff := retry.Backoff{First: time.Second}
	transientOnly := func(err error) bool { return errors.Is(err, errTransient) }
	tests := []struct {
		name   string
		policy retry.Policy
		errs   []error
		calls  int
		want   error
	}{
		{"number of tries", retry.Policy{Backoff: backoff, Tries: 2}, []error{errTransient, errFinal, errTransient}, 2, errFinal},
		{"sum of waits", retry.Policy{Backoff: backoff, MaxTotal: 3 * time.Second}, []error{errTransient, errTransient, errFinal, errTransient}, 3, errFinal},
		{"failure that is not retryable", retry.Policy{Backoff: backoff, Retryable: transientOnly}, []error{errTransient, errFinal, errTransient}, 2, errFinal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fn, calls := failing(tt.errs...)
				if err := tt.policy.Do(t.Context(), fn); !errors.Is(err, tt.want) || *calls != tt.calls {
					t.Errorf("%v after %d calls, want %v after %d", err, *calls, tt.want, tt.calls)
				}
			})
		})
	}
}

func TestDo_ReturnsTheErrorOfTheCallWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		began := time.Now()
		fn, calls := failing(errTransient, errFinal, errTransient)
		err := retry.Policy{Backoff: retry.Backoff{First: time.Second}}.Do(ctx, fn)
		if !errors.Is(err, errFinal) || *calls != 2 || time.Since(began) != 1500*time.Millisecond {
			t.Errorf("%v after %d calls and %s, want %v after 2 calls and 1.5s", err, *calls, time.Since(began), errFinal)
		}
	})
}

func TestSleep_ReturnsTheCauseOfTheContextsEnd(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errFinal)
	if err := retry.Sleep(ctx, time.Hour); !errors.Is(err, errFinal) {
		t.Errorf("got %v, want %v", err, errFinal)
	}
}
