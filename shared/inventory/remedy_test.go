package inventory_test

import (
	"errors"
	"testing"

	"ace/shared/fault"
	"ace/shared/inventory"
)

// answer is an error that a server has reported.
type answer struct{ error }

func (answer) SQLState() string { return "57P03" }

func TestRemedy_OnlyForAServerThatHasNotAnswered(t *testing.T) {
	failed := errors.New("x")
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"no error":                        {nil, false},
		"no answer":                       {fault.Wrap(failed, fault.Unavailable, "no answer (SQLSTATE is a word here)"), true},
		"a server that is starting":       {fault.Wrap(answer{failed}, fault.Unavailable, "it is starting up"), false},
		"a role that may not log in":      {fault.Wrap(answer{failed}, fault.Invalid, "denied"), false},
		"a definition without a password": {fault.New(fault.Invalid, "no password"), false},
	} {
		if got := inventory.Remedy(test.err) != ""; got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
