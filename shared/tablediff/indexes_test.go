package tablediff

import (
	"context"
	"log/slog"
	"testing"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// replaced is a node whose address leads to another server than the plan was made for.
type replaced struct {
	plan.Node
	bound bool
}

func (n replaced) Open(context.Context, string, string, []string) ([]plan.Node, error) {
	return []plan.Node{n}, nil
}

func (n replaced) Expecting(table.Identity) plan.Node { return replaced{bound: true} }

func (n replaced) Begin(context.Context, table.Access) (plan.Tx, error) {
	if n.bound {
		return nil, fault.New(fault.Conflict, "another server")
	}
	return nil, fault.New(fault.Internal, "the node is not bound to a server")
}

func TestCheckIndexes_RefusesAnotherServer(t *testing.T) {
	r := &run{
		Coordinator: NewCoordinator(CoordinatorOptions{Log: slog.New(slog.DiscardHandler), Nodes: replaced{}}),
		plan: &plan.Plan{
			Nodes: []string{"n1"}, Strategy: plan.KeyRanges, Sources: make([]table.Source, 1),
			Servers: []table.Identity{{Database: "5"}},
		},
	}
	if err := r.checkIndexes(t.Context()); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("got %v, want a Conflict", err)
	}
}

func TestListedDiffers_AfterASequentialScan(t *testing.T) {
	for _, tt := range []struct {
		name        string
		listed      table.Sum
		unversioned bool
		want        bool
	}{
		{"the same rows", table.Sum{Rows: 10, Digest: 1}, true, false},
		{"fewer rows", table.Sum{Rows: 9, Digest: 1}, false, true},
		{"other rows, as in a table in use", table.Sum{Rows: 10, Digest: 2}, false, false},
		{"other rows in a collation of unknown version", table.Sum{Rows: 10, Digest: 2}, true, true},
	} {
		r := &run{
			plan:         &plan.Plan{Strategy: plan.Sequential, Sources: []table.Source{{Unversioned: tt.unversioned}}},
			expectedSums: []table.Sum{{Rows: 10, Digest: 1}},
			compared:     []plan.Totals{{Listed: []table.Sum{tt.listed}}},
		}
		if got := r.listedDiffers(0); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
