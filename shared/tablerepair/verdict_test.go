package tablerepair

import (
	"context"
	"testing"

	"ace/shared/fault"
)

// Case O-F6, see docs/RELIABILITY.md.
func TestVerdict_OfACancelledRepairNamesTheCommittedNodes(t *testing.T) {
	stopped := &Problem{Code: fault.Cancelled, Message: "cancelled on request"}
	broken := &Problem{Code: fault.Invalid, Message: "node \"n3\": no"}
	lost := &Problem{Code: fault.Unavailable, Message: "node \"n4\": it is unknown whether the repair was committed: gone"}
	done := NodeResult{Node: "n2", Outcome: Committed}
	for _, tt := range []struct {
		name      string
		cancelled bool // the context has ended
		nodes     []NodeResult
		code      fault.Code
		message   string
	}{
		{"all were committed", true, []NodeResult{done, {Node: "n3", Outcome: Committed}}, "", ""},
		{"none was committed", true, []NodeResult{{Node: "n2", Outcome: RolledBack, Error: stopped}}, fault.Cancelled, "cancelled on request"},
		{"the worker found the request", false, []NodeResult{{Node: "n2", Outcome: RolledBack, Error: stopped}}, fault.Cancelled, "cancelled on request"},
		{"some were committed", false, []NodeResult{done, {Node: "n3", Outcome: RolledBack, Error: stopped}}, fault.Cancelled,
			"cancelled on request; node n2 was committed before"},
		{"one failed", false, []NodeResult{done, {Node: "n3", Outcome: RolledBack, Error: broken}}, fault.Invalid, `node "n3": no`},
		{"one failed, one was stopped", true, []NodeResult{{Node: "n2", Outcome: RolledBack, Error: stopped}, {Node: "n3", Outcome: RolledBack, Error: broken}},
			fault.Cancelled, `cancelled on request; node "n3": no`},
		{"one is unknown", true, []NodeResult{done, {Node: "n4", Outcome: Unknown, Error: lost}}, fault.Cancelled,
			`cancelled on request; node n2 was committed before; node "n4": it is unknown whether the repair was committed: gone`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.cancelled {
				cancel()
			}
			err := (&run{results: tt.nodes}).verdict(ctx)
			if fault.CodeOf(err) != tt.code || err != nil && fault.PublicMessage(err) != tt.message {
				t.Errorf("got %v, want %s %q", err, tt.code, tt.message)
			}
		})
	}
}
