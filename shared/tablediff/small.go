package tablediff

import (
	"context"
	"errors"
	"slices"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/tablediff/plan"
	"ace/shared/tablediff/scratch"
)

// Storing the plan and the part of a table with a few rows, reading them back and
// deleting them takes longer than comparing the table. So if the table is one of a set, a
// run keeps them in memory. A crash then loses the whole comparison, which is one unit,
// and the next run compares the table again. If rows differ, the plan and the part are
// stored before the rows are read again, because confirm_delay may be long.

// smallRows is the estimated number of rows up to which a table is small.
const smallRows = 10_000

// useScratch makes the run keep p, which was not stored yet, and the parts in memory if
// the table is a small one of a set and this process does the only unit.
func (r *run) useScratch(p *plan.Plan) {
	small := p.Strategy == plan.KeyRanges && p.Layout.Batches() == 1 && p.RowEstimate <= smallRows
	if !r.request.OfSet || r.LocalWorker == nil || !small {
		return
	}
	r.scratch = scratch.New(r.Coordinator.Store, p.TaskID)
	r.Store = r.scratch
	r.leaveScratch = r.LocalWorker.Use(p.TaskID, r.scratch)
}

// endScratch makes the worker use the archive again. It must be called when the run has
// ended.
func (r *run) endScratch() {
	if r.leaveScratch != nil {
		r.leaveScratch()
	}
}

// If a compare unit has found candidates, keepCandidates stores the plan and the parts,
// if these are only in memory.
func (r *run) keepCandidates(ctx context.Context) error {
	if r.scratch == nil || !slices.ContainsFunc(r.compared, func(t plan.Totals) bool { return t.Candidates > 0 }) {
		return nil
	}
	err := r.scratch.Keep(ctx)
	if errors.Is(err, archive.ErrPrecondition) {
		// The next run continues with the stored plan.
		return fault.Wrap(err, fault.Unavailable, "another process compares the table too")
	}
	return err
}
