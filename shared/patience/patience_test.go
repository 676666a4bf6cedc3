package patience_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"ace/shared/fault"
	"ace/shared/patience"
)

var (
	errDown    = fault.New(fault.Unavailable, "down")
	errInvalid = fault.New(fault.Invalid, "no")
)

func minute() patience.Budget {
	return patience.Budget{For: time.Minute, Log: slog.New(slog.DiscardHandler)}
}

func TestDo_RetriesAFaultForTheBudgetAndNoLonger(t *testing.T) {
	for _, tt := range []struct {
		name      string
		budget    patience.Budget
		lasts     time.Duration // how long the fault lasts
		err       error
		took      time.Duration
		succeeds  bool
		exhausted bool
	}{
		{"no fault", minute(), 0, errDown, 0, true, false},
		{"one second", minute(), time.Second, errDown, 1500 * time.Millisecond, true, false},
		{"half a minute", minute(), 30 * time.Second, errDown, 32500 * time.Millisecond, true, false},
		{"just the budget", minute(), time.Minute, errDown, time.Minute, true, false},
		{"longer than the budget", minute(), time.Hour, errDown, time.Minute, false, true},
		{"a reason that does not pass", minute(), time.Hour, errInvalid, 0, false, false},
		{"an inner step that has waited already", minute(), time.Hour, patience.Exhausted(errDown), 0, false, true},
		{"no budget", patience.Budget{}, time.Hour, errDown, 0, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, waited := time.Now(), 0
				tt.budget.Waiting = func(reason error) {
					if waited++; !errors.Is(reason, tt.err) {
						t.Errorf("waiting because of %v", reason)
					}
				}
				err := tt.budget.Do(t.Context(), tt.name, func() error {
					if time.Since(began) >= tt.lasts {
						return nil
					}
					return tt.err
				})
				if took := time.Since(began); (err == nil) != tt.succeeds || took != tt.took || patience.IsExhausted(err) != tt.exhausted {
					t.Errorf("%v after %s, want success %t after %s", err, took, tt.succeeds, tt.took)
				}
				if !tt.succeeds && (!errors.Is(err, tt.err) || fault.CodeOf(err) != fault.CodeOf(tt.err)) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if (waited > 0) != (tt.took > 0) {
					t.Errorf("%d waits in %s", waited, tt.took)
				}
			})
		})
	}
}

// The time before the first failure does not count toward the budget, but the time of
// each later try does.
func TestDo_CountsFromTheFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, tries := time.Now(), 0
		err := minute().Do(t.Context(), "connecting", func() error {
			tries++
			time.Sleep(50 * time.Second)
			return errDown
		})
		if tries != 3 || !patience.IsExhausted(err) || time.Since(began) > 3*time.Minute {
			t.Errorf("%d tries in %s: %v", tries, time.Since(began), err)
		}
	})
}

func TestDo_EndsAWaitAtOnceWithTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := fault.New(fault.Cancelled, "stopped")
		time.AfterFunc(10700*time.Millisecond, func() { cancel(stopped) })
		began := time.Now()
		err := minute().Do(ctx, "it", func() error { return errDown })
		if !errors.Is(err, stopped) || time.Since(began) != 10700*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// A schedule starts many comparisons while a node is down. The first waits as long as it
// may, the others briefly, until one succeeds.
func TestDo_WaitsOnceForANodeThatStaysDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := minute()
		budget.Outages = &patience.Outages{}
		downUntil := time.Now().Add(90 * time.Second)
		var took []time.Duration
		for range 8 {
			began := time.Now()
			_ = budget.Do(t.Context(), "it", func() error {
				if time.Now().Before(downUntil) {
					return errDown
				}
				return nil
			})
			took = append(took, time.Since(began).Round(time.Second))
		}
		downUntil = time.Now().Add(30 * time.Second) // another outage
		if err := budget.Do(t.Context(), "it", func() error {
			if time.Now().Before(downUntil) {
				return errDown
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		want := []int{60, 5, 5, 5, 5, 5, 5, 0}
		for i := range want {
			if took[i] != time.Duration(want[i])*time.Second {
				t.Fatalf("the steps took %v, want %v seconds", took, want)
			}
		}
		if err := budget.Do(t.Context(), "it", func() error { return fault.New(fault.Unavailable, "another node is down") }); !patience.IsExhausted(err) {
			t.Error(err)
		}
	})
}

// Each fault of a long step has the whole budget, if the step has made progress since the
// previous fault.
func TestDoWithProgress_HasTheWholeBudgetForEachFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var reach patience.Reach
		next := 1
		err := minute().DoWithProgress(t.Context(), "it", reach.Progress, func() error {
			reach.Stage(1) // repeated by each try
			if time.Since(began) < time.Duration(next)*50*time.Second {
				return errDown
			}
			if reach.Part(); next == 10 {
				return nil
			}
			next++
			return errDown
		})
		if err != nil || next != 10 {
			t.Errorf("%v after %s, at part %d", err, time.Since(began), next)
		}
		if err := minute().DoWithProgress(t.Context(), "it", reach.Progress, func() error {
			reach.Stage(1)
			return errDown
		}); !patience.IsExhausted(err) {
			t.Errorf("%v", err)
		}
	})
}
