// Package fault defines the error type that packages exchange. An error has a code, a
// message for the user, and a cause for the log. A transport converts the code to a
// status.
//
// An adapter (for PostgreSQL, S3 or Lambda) converts the errors of its technology to
// faults exactly once. Any other error counts as Internal, and its text is never shown to
// a user. The package imports only the standard library.
package fault

import (
	"context"
	"errors"
)

// Code is the kind of an error. Package endpoint maps each code to an HTTP status.
type Code string

// The codes, from errors of the caller to errors of the service.
const (
	Invalid      Code = "invalid"      // a parameter or a document is wrong; nothing was done
	Forbidden    Code = "forbidden"    // the caller may not send this request
	Unauthorized Code = "unauthorized" // the token is missing or wrong
	NotFound     Code = "not_found"    // the named cluster, task, document or route does not exist
	Method       Code = "method"       // the route does not support the method
	Conflict     Code = "conflict"     // the current state does not allow the operation
	TooLarge     Code = "too_large"    // the request body exceeds the limit
	Unavailable  Code = "unavailable"  // a node, the store or the queue cannot be used now; a retry may succeed
	Cancelled    Code = "cancelled"    // the task or the request was cancelled
	Internal     Code = "internal"     // a defect, or an error that is not a fault
)

// publicInternal is the message that a user sees for an error that is not a fault.
const publicInternal = "internal error; the server's log has the details"

// Error is a fault. Its message may be shown to the user. Err is the cause and may be
// nil.
type Error struct {
	Code    Code
	Message string
	Err     error
}

// Error returns the message followed by the cause. It is for logs, not for users.
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

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns a fault without a cause. An argument that is longer than one kilobyte is
// shortened in the message. If the format is "%s", only the whole message is shortened,
// to 16 kilobytes.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: message(format, args)}
}

// Wrap returns a fault with a cause. The message is public, the cause is not. Arguments
// are shortened as by New.
func Wrap(err error, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: message(format, args), Err: err}
}

// CodeOf returns the code of the outermost fault in err's chain, or "" for nil. If the
// chain has no fault, the code is Cancelled for context.Canceled, Unavailable for
// context.DeadlineExceeded, and Internal for any other error.
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

// PublicMessage returns the part of err's text that may be shown to a user.
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

// Retryable reports whether the same call may succeed later.
func Retryable(err error) bool { return CodeOf(err) == Unavailable }
