package setdiff

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/fault"
)

// planFormat is the format of the stored plan.
const planFormat = "ace-set-plan/1"

// plan is the stored list of the tables and nodes that a parent compares. It never
// changes.
type plan struct {
	Format    string    `json:"format"`
	PlannedAt time.Time `json:"planned_at"`
	Nodes     []string  `json:"nodes"` // the nodes to compare, in the cluster's order
	Set
}

// makePlan sets r.plan to the stored plan. If there is none, it first reads the tables
// from the nodes and stores them as the plan.
func (r *run) makePlan(ctx context.Context) error {
	id := r.request.Parent.TaskID
	return r.request.Patience.Do(ctx, "listing tables", func() error {
		err := r.loadPlan(ctx)
		if !errors.Is(err, archive.ErrNotFound) {
			return err
		}

		set, err := r.request.Source.Read(ctx)
		if err != nil {
			return err
		}
		made := plan{Format: planFormat, PlannedAt: r.Now().UTC(), Nodes: r.request.Summary.Nodes, Set: set}
		err = archive.PutJSONIfAbsent(ctx, r.Store, archive.PlanKey(id), made)
		if err != nil && !errors.Is(err, archive.ErrPrecondition) {
			return err
		}
		return r.loadPlan(ctx) // another run may have stored its plan first
	})
}

func (r *run) loadPlan(ctx context.Context) error {
	var stored plan
	if _, _, err := archive.ReadJSONUpTo(ctx, r.Store, archive.PlanKey(r.request.Parent.TaskID), maxStored, &stored); err != nil {
		return err
	}
	if stored.Format != planFormat {
		return fault.New(fault.Internal, "this version cannot read the plan of task %s", r.request.Parent.TaskID)
	}
	r.plan = stored
	return nil
}

// nodesOf returns the nodes on which the table with the number i is compared.
func (p plan) nodesOf(i int) []string {
	if on := p.Tables[i].CompareOn; len(on) > 0 {
		return on
	}
	return p.Nodes
}

// order returns the numbers (indexes in the plan) of the tables that are to be compared.
// Large tables are first, so that no large table runs alone at the end.
func (p plan) order() []int {
	numbers := slices.DeleteFunc(fanout.Indexes(len(p.Tables)), func(i int) bool { return !p.Tables[i].isCompared() })
	slices.SortStableFunc(numbers, func(a, b int) int { return cmp.Compare(p.Tables[b].Rows, p.Tables[a].Rows) })
	return numbers
}
