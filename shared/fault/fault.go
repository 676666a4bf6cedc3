// Package fault is the one error type that crosses package borders: a code that a transport can turn into a status,
// a message fit for the user, and the cause, which is for the log only.
//
// Adapters (PostgreSQL, S3, Lambda) translate foreign errors into a fault exactly once. Whatever nobody translated
// counts as Internal, and its text is never shown to a user. The package imports the standard library only.
package fault

import (
	"context"
	"errors"
)

// Code says what kind of trouble an error is. The transports map it to a status in one table.
type Code string

// The codes, from the caller's fault to ours.
const (
	Invalid     Code = "invalid"     // a parameter or a document is wrong: nothing was done
	Forbidden   Code = "forbidden"   // the request may not be made from there
	NotFound    Code = "not_found"   // the named cluster, task, document or route does not exist
	Method      Code = "method"      // the route exists, the method does not
	Conflict    Code = "conflict"    // the state does not allow it, or somebody else was first
	TooLarge    Code = "too_large"   // the request body exceeds the limit
	Unavailable Code = "unavailable" // a node, the store or the queue cannot serve now: trying later may help
	Cancelled   Code = "cancelled"   // the task was cancelled on request
	Internal    Code = "internal"    // a defect of ours or an error that nobody translated
)

// publicInternal is all that a user sees of an error of unknown origin.
const publicInternal = "internal error; the server's log has the details"

// Error is an error with a code and a message that may be shown to the user. Err, the cause, may be nil.
type Error struct {
	Code    Code
	Message string
	Err     error
}

// Error gives the message followed by the cause: for logs, not for users.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	var below *Error
	if errors.As(e.Err, &below) {
		return e.Message + ": " + cut(e.Err.Error(), maxMessage)
	}
	return e.Message + ": " + Short(e.Err.Error())
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an error without a cause. Of an argument whose text has more than a kilobyte the message has the beginning.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: message(format, args)}
}

// Wrap makes an error with a cause. The message is public, the cause is not. The message is bounded as that of New.
func Wrap(err error, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: message(format, args), Err: err}
}

// CodeOf gives the code of the outermost fault in err's chain. A nil error has no code (""); a context that was
// cancelled is Cancelled, one that ran out of time Unavailable, anything unknown Internal.
func CodeOf(err error) Code {
	var fe *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &fe):
		return fe.Code
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	}
	return Internal
}

// PublicMessage gives the text that may be shown to a user.
func PublicMessage(err error) string {
	var fe *Error
	switch {
	case errors.As(err, &fe):
		return fe.Message
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "ran out of time"
	}
	return publicInternal
}

// Retryable says whether the same call may succeed later without anybody changing anything.
func Retryable(err error) bool { return CodeOf(err) == Unavailable }
