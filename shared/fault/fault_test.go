package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"ace/shared/fault"
)

func TestCodeAndPublicMessage(t *testing.T) {
	cause := errors.New("password=secret")
	invalid := fault.New(fault.Invalid, "block_rows is %d", 7)
	tests := []struct {
		name    string
		err     error
		code    fault.Code
		message string
	}{
		{"no error", nil, "", "internal error; the server's log has the details"},
		{"a fault", invalid, fault.Invalid, "block_rows is 7"},
		{"a fault below others", fmt.Errorf("while reading: %w", invalid), fault.Invalid, "block_rows is 7"},
		{"the outermost fault counts", fault.Wrap(invalid, fault.Unavailable, "node n1"), fault.Unavailable, "node n1"},
		{"the cause stays private", fault.Wrap(cause, fault.Unavailable, "node n1"), fault.Unavailable, "node n1"},
		{"a foreign error", cause, fault.Internal, "internal error; the server's log has the details"},
		{"cancelled", fmt.Errorf("x: %w", context.Canceled), fault.Cancelled, "cancelled"},
		{"deadline", context.DeadlineExceeded, fault.Unavailable, "ran out of time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fault.CodeOf(tt.err); got != tt.code {
				t.Errorf("CodeOf = %q, want %q", got, tt.code)
			}
			if got := fault.PublicMessage(tt.err); got != tt.message {
				t.Errorf("PublicMessage = %q, want %q", got, tt.message)
			}
		})
	}
}

func TestError_ContainsTheCause(t *testing.T) {
	err := fault.Wrap(errors.New("refused"), fault.Unavailable, "node n1 is unreachable")
	if got, want := err.Error(), "node n1 is unreachable: refused"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if !fault.Retryable(err) || fault.Retryable(fault.New(fault.Invalid, "x")) {
		t.Error("only Unavailable is retryable")
	}
}
