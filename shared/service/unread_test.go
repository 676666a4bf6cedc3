package service_test

import (
	"testing"

	"ace/shared/fault"
	"ace/shared/service"
)

// A task that fails because a node was not read is worth a retry only if every such node
// was unavailable.
func TestUnreadError_HasTheCodeOfTheCause(t *testing.T) {
	away, wrong := fault.New(fault.Unavailable, "away"), fault.New(fault.Invalid, "wrong password")
	for name, test := range map[string]struct {
		got, want fault.Code
	}{
		"nothing":                  {service.UnreadCode(false), ""},
		"unavailable":              {service.UnreadCode(false, away, away), fault.Unavailable},
		"not valid":                {service.UnreadCode(false, wrong), fault.Invalid},
		"unavailable and invalid":  {service.UnreadCode(false, wrong, away), fault.Invalid},
		"denied":                   {service.UnreadCode(true), fault.Conflict},
		"unavailable and a denial": {service.UnreadCode(true, away), fault.Conflict},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", name, test.got, test.want)
		}
	}
}
