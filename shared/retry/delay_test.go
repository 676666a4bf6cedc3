package retry_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"ace/shared/retry"
)

func TestWithDelay_ReadsSecondsAndTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for header, want := range map[string]time.Duration{
			"7": 7 * time.Second, "0": 0, "": 0, "-3": 0, "soon": 0, "7.5": 0, "99999999999": 0,
			time.Now().Add(time.Minute).UTC().Format(http.TimeFormat):  time.Minute,
			time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat): 0,
		} {
			err := retry.WithDelay(errTransient, header)
			if got := retry.Delay(err); got != want {
				t.Errorf("%q asks for %s, want %s", header, got, want)
			}
			if !errors.Is(err, errTransient) || err.Error() != errTransient.Error() {
				t.Errorf("%q: the error is %v", header, err)
			}
		}
	})
}

func TestDo_WaitsAsLongAsTheErrorAsks(t *testing.T) {
	asks := func(after time.Duration) error { return &retry.DelayError{Err: errTransient, After: after} }
	backoff := retry.Backoff{First: time.Second}
	for _, tt := range []struct {
		name   string
		policy retry.Policy
		err    error
		want   time.Duration // between the first and the second call; -1: there is none
	}{
		{"longer than the backoff", retry.Policy{Backoff: backoff, MaxDelay: time.Minute}, asks(7 * time.Second), 7 * time.Second},
		{"shorter than the backoff", retry.Policy{Backoff: backoff, MaxDelay: time.Minute}, asks(0), time.Second},
		{"longer than the maximum", retry.Policy{Backoff: backoff, MaxDelay: time.Minute}, asks(time.Hour), time.Minute},
		{"no delay is respected", retry.Policy{Backoff: backoff}, asks(time.Hour), time.Second},
		{"longer than all waits may be", retry.Policy{Backoff: backoff, MaxDelay: time.Minute, MaxTotal: 30 * time.Second}, asks(time.Hour), -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				fn, calls := failing(tt.err)
				err := tt.policy.Do(t.Context(), fn)
				switch waited := time.Since(began); {
				case tt.want < 0 && (!errors.Is(err, errTransient) || *calls != 1 || waited != 0):
					t.Errorf("%v after %d calls and %s, want the error at once", err, *calls, waited)
				case tt.want >= 0 && (err != nil || *calls != 2 || waited != tt.want):
					t.Errorf("%v after %d calls and %s, want success after %s", err, *calls, waited, tt.want)
				}
			})
		})
	}
}

func FuzzWithDelay(f *testing.F) {
	for _, header := range []string{"", "7", "-1", "1e9", "Fri, 15 Mar 2024 12:00:00 GMT", "Friday, 15-Mar-24 12:00:00 GMT", "Fri Mar 15 12:00:00 2024"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		err := retry.WithDelay(errTransient, header)
		if !errors.Is(err, errTransient) || retry.Delay(err) < 0 {
			t.Errorf("%q: %v, delay %s", header, err, retry.Delay(err))
		}
	})
}
