package retry

import (
	"errors"
	"strconv"
	"time"
)

// DelayError is the error of a server that asks not to be called again before the time
// After has passed.
type DelayError struct {
	Err   error
	After time.Duration
}

// Error returns the text of the server's error.
func (e *DelayError) Error() string { return e.Err.Error() }

// Unwrap returns the server's error.
func (e *DelayError) Unwrap() error { return e.Err }

// WithDelay adds to err the delay that the value of a Retry-After header asks for, in
// seconds or as a time. Another value is ignored.
func WithDelay(err error, header string) error {
	if seconds, failed := strconv.ParseUint(header, 10, 31); failed == nil {
		return &DelayError{Err: err, After: time.Duration(seconds) * time.Second}
	}
	for _, form := range timeForms() {
		if until, failed := time.Parse(form, header); failed == nil {
			return &DelayError{Err: err, After: max(0, time.Until(until))}
		}
	}
	return err
}

// timeForms returns the forms of a time that HTTP allows. net/http has them too, but most
// programs that import this package must not depend on it.
func timeForms() []string {
	return []string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC}
}

// Delay returns the delay that err asks for, or 0 if it asks for none.
func Delay(err error) time.Duration {
	var delay *DelayError
	if !errors.As(err, &delay) {
		return 0
	}
	return delay.After
}
