package tablediff

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/patience"
	"ace/shared/retry"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
	"ace/shared/tablediff/scratch"
	"ace/shared/task"
)

// Coordinator runs whole comparisons. It makes the plan, hands out units and merges their
// parts. It is safe for concurrent use.
type Coordinator struct{ CoordinatorOptions }

// CoordinatorOptions holds the options of a Coordinator.
type CoordinatorOptions struct {
	Store   archive.Store
	Nodes   plan.Opener
	Invoker Invoker
	// LocalWorker is the worker that does the units, if this process does all of them.
	// Otherwise it is nil.
	LocalWorker LocalWorker
	// StatementMax and SnapshotMax bound how long one statement of a comparison, and all
	// statements in one snapshot, are expected to take. They decide whether a table is read
	// by sequential scans. 0 means no limit.
	StatementMax time.Duration
	SnapshotMax  time.Duration
	Log          *slog.Logger
}

// NewCoordinator returns a coordinator.
func NewCoordinator(o CoordinatorOptions) *Coordinator { return &Coordinator{o} }

// Run does a comparison, or continues it where an earlier run of the task stopped. It
// calls report whenever progress was made. When ctx ends, the run ends; a later run
// continues with what was stored by then.
//
// If a step fails because a node or the store cannot be used for a moment, Run starts
// again, within the patience of the request, and continues with what was stored, as the
// next run of the task would.
func (c *Coordinator) Run(ctx context.Context, req Request, report func(task.Progress)) (result Result, err error) {
	var reach patience.Reach
	err = req.Patience.DoWithProgress(ctx, "comparison", reach.Progress, func() (err error) {
		result, err = c.runOnce(ctx, req, report, &reach)
		if errors.Is(err, scratch.ErrTooLarge) {
			req.OfSet = false
			result, err = c.runOnce(ctx, req, report, &reach)
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		// The error of a step that was cancelled is only a consequence of the
		// cancellation.
		err = context.Cause(ctx)
	}
	if err != nil {
		return Result{}, err
	}

	return result, nil
}

func (c *Coordinator) runOnce(ctx context.Context, req Request, report func(task.Progress), reach *patience.Reach) (Result, error) {
	r := &run{Coordinator: c, Store: c.Store, request: c.withLimit(req.withUsefulSizes()), progress: newProgress(report), reach: reach}
	defer func() { r.endScratch() }()
	return r.complete(ctx)
}

// withLimit returns the request with the limits of the coordinator.
func (c *Coordinator) withLimit(req Request) Request {
	req.scanLimit = scanLimit{statement: c.StatementMax, snapshot: c.SnapshotMax}
	return req
}

// retry calls do, which does one step of the run. If do fails because a node or the store
// cannot be used, retry calls it again, within the patience of the request. Repeating one
// step costs less than starting the run again. what names the step.
func (r *run) retry(ctx context.Context, what string, do func() error) error {
	return r.request.Patience.Do(ctx, what, do)
}

// complete does the steps of a run in order. Each step uses what an earlier run of the
// task has stored, so a crash loses only the units that were not finished.
func (r *run) complete(ctx context.Context) (result Result, err error) {
	// Stores the plan. From here on, every run of the task works on the same ranges.
	if err := r.makePlan(ctx); err != nil {
		return result, err
	}
	r.reach.Stage(1)

	// Stores a part for each scan unit or each block of keys, and makes the compare units. A
	// later run makes the same units from the same parts.
	if err := r.scan(ctx); err != nil {
		return result, err
	}
	r.reach.Stage(2)

	// Stores a part for each compare unit. These parts contain the candidates.
	if err := r.compare(ctx); err != nil {
		return result, err
	}
	if err := r.keepCandidates(ctx); err != nil {
		return result, err
	}
	r.reach.Stage(3)

	// Stores a part for each confirm unit. These parts contain the findings. The step needs
	// the totals of all compare units, because max_diff_rows also counts the candidates of
	// earlier units.
	if err := r.confirm(ctx); err != nil {
		return result, err
	}
	r.reach.Stage(4)

	// The checks store nothing. They follow the last read of a row, because they verify that
	// everything the reads relied on stayed true. If a check fails, the parts are never
	// merged.
	if err := r.checkUnaltered(ctx); err != nil {
		return result, err
	}
	if err := r.checkIndexes(ctx); err != nil {
		return result, err
	}
	if err := r.checkFacts(ctx); err != nil {
		return result, err
	}
	r.reach.Stage(5)

	// Publishes the document, which is the result. If the run is interrupted after this, the
	// next run adopts the document.
	if result, err = r.merge(ctx); err != nil {
		return result, err
	}

	// Stores the baseline. This is the last step, because only a comparison that has a
	// document may have a baseline. A comparison without a baseline is complete too.
	return result, r.storeBaseline(ctx)
}

// run is the state of one call of Run. If the comment of a field begins with the name of
// a step, that step sets the field and later steps read it.
type run struct {
	*Coordinator
	// Store replaces the Store of the Coordinator. It is the same archive, or a scratch
	// store on top of it (see useScratch).
	Store             archive.Store
	scratch           *scratch.Store // makePlan: the same as Store if that is a scratch store; otherwise nil
	leaveScratch      func()         // makePlan: makes the worker use the archive again; nil without a scratch store
	request           Request
	plan              *plan.Plan
	progress          *progress
	reach             *patience.Reach // shared by all runs of one call of Run
	anyUnitDone       atomic.Bool     // compare: a unit is done
	mostDiffer        atomic.Bool     // compare: the unit that was done last was dense, see plan.Totals.IsDense
	timings           timings
	equal             plan.Totals        // scan: totals of the chunks or buckets that were equal
	multipleSnapshots bool               // scan: some pass over the pages used more than one snapshot of a node
	keyList           keyList            // scan: the keys to compare in a rerun
	factsUnchanged    bool               // checkFacts: a baseline may rely on the facts
	expectedSums      []table.Sum        // scan: per node, the sum of the rows that compare units will list through the node's index, as computed from the node's pages; nil if not known
	rangeSums         [][]plan.RangeSums // scan: per node, the sums of its page ranges, for a baseline of the pages strategy
	unchangedRanges   int64              // scan: number of page ranges that are unchanged since the baseline
	unchangedTable    *plan.Totals       // scan: totals of the table if all of it is unchanged since the baseline; otherwise nil
	compares          []plan.Unit
	compared          []plan.Totals
	confirmed         []plan.Totals // one for each compare unit; zero if the unit found no candidate
}

// makePlan reads the stored plan, or makes and stores one.
func (r *run) makePlan(ctx context.Context) error {
	defer r.timings.measure(plan.PhasePlan)()
	r.progress.setPhase(plan.PhasePlan)

	p, err := plan.Load(ctx, r.Store, r.request.TaskID)
	if errors.Is(err, archive.ErrNotFound) {
		err = r.retry(ctx, "planning", func() error {
			p, err = r.newPlan(ctx)
			return err
		})
		if err == nil {
			r.useScratch(p)
			// If another run has stored a plan in the meantime, this run uses that plan.
			p, err = plan.Store(ctx, r.Store, p)
		}
	}
	if err != nil {
		return err
	}

	r.plan = p
	r.progress.setTotals(p)
	return nil
}

func (r *run) newPlan(ctx context.Context) (*plan.Plan, error) {
	if r.request.Rerun != nil {
		return planRerun(ctx, r.Store, r.Nodes, r.request, time.Now())
	}
	p, err := makePlan(ctx, r.Nodes, r.request, time.Now())
	if err != nil {
		return nil, err
	}
	return p.plan, r.useBaseline(ctx, p)
}

// scan decides what to compare. In the strategies that read pages it reads all pages of
// every node and selects what differs. In a rerun it selects the keys of the document.
// Otherwise it selects all chunks.
func (r *run) scan(ctx context.Context) error {
	switch r.plan.Strategy {
	case plan.Keys:
		return r.listKeys(ctx)
	case plan.KeyRanges:
		return r.scanRanges(ctx)
	case plan.Sequential:
		return r.scanSequential(ctx)
	}
	defer r.timings.measure(plan.PhaseCompare)()

	r.progress.setPhase(plan.PhaseCompare)
	switch {
	case r.plan.Known != nil:
		return r.scanKnown(ctx)
	case r.plan.Buckets > 0:
		return r.scanBuckets(ctx, nil)
	}

	return r.scanChunks(ctx, nil)
}

// scanRanges makes compare units for all blocks, unless the whole table is unchanged.
func (r *run) scanRanges(ctx context.Context) error {
	if r.plan.Known != nil && r.plan.Known.Whole != nil && r.LocalWorker != nil {
		defer r.timings.measure(plan.PhaseCompare)()
		r.progress.setPhase(plan.PhaseCompare)
		if err := r.findUnchangedTable(ctx); err != nil || r.unchangedTable != nil {
			return err
		}
	}
	r.compares = r.batches()
	return nil
}

// batches returns the compare units that together cover all blocks.
func (r *run) batches() []plan.Unit {
	units := make([]plan.Unit, r.plan.Layout.Batches())
	for i := range units {
		units[i] = r.unit(plan.PhaseCompare, i)
		units[i].From, units[i].To = r.plan.Layout.ChunksOfBatch(i)
	}
	return units
}

// scanChunks digests rows by chunk: the rows of the given buckets, or all rows if buckets
// is nil. It makes compare units for the chunks that differ.
func (r *run) scanChunks(ctx context.Context, buckets []int) error {
	sums, err := r.scanPages(ctx, plan.PhaseScan, r.plan.Layout.Chunks(), buckets)
	if err == nil {
		r.expectListed(sums, false)
		r.compares, r.equal = narrowingUnits(r.plan, sums, buckets, listedPerUnit(r.plan))
	}
	return err
}

// scanPages reads all pages of every node and adds up the sums of each group (a chunk or
// a bucket). The result has, for each node and each group, the sum of the group's rows.
// If buckets is not nil, only the rows of these buckets are added up.
func (r *run) scanPages(ctx context.Context, phase string, groups int, buckets []int) ([][]table.Sum, error) {
	units, err := r.scanUnits(ctx, phase, buckets)
	if err != nil {
		return nil, err
	}
	if r.plan.Grid > 0 && r.plan.Known == nil && r.rangeSums == nil {
		r.rangeSums = make([][]plan.RangeSums, len(r.plan.Nodes))
	}
	return combineScans(ctx, r.Store, len(r.plan.Nodes), groups, units, r.keepRangeSums)
}

// scanUnits does the scan units of a phase and returns them. Together they read all pages
// of every node.
func (r *run) scanUnits(ctx context.Context, phase string, buckets []int) ([]plan.Unit, error) {
	units := make([]plan.Unit, len(r.plan.Scans))
	for i := range units {
		units[i] = r.unit(phase, i)
		units[i].Buckets = buckets
	}

	if r.LocalWorker != nil && r.plan.Strategy != plan.Sequential { // a sequential scan has a snapshot of its own
		defer r.LocalWorker.Share(r.plan.TaskID)()
	}

	totals, err := r.doUnits(ctx, phase, units, func(t plan.Totals, done, total int) {
		switch {
		case phase == plan.PhaseAges: // findUnchangedTable counts the rows if the table is unchanged
			r.progress.setPhase(plan.PhaseCompare)
		case buckets == nil: // with buckets, the rows have been counted in an earlier phase
			r.progress.addScanned(t, r.plan.Layout.Blocks()*done/total)
		}
	})
	if err != nil {
		return nil, err
	}

	r.multipleSnapshots = r.multipleSnapshots || slices.ContainsFunc(totals, func(t plan.Totals) bool { return t.Snapshot != totals[0].Snapshot })
	return units, nil
}

func (r *run) unit(phase string, index int) plan.Unit {
	return plan.Unit{TaskID: r.plan.TaskID, PlanHash: r.plan.Hash(), Phase: phase, Index: index}
}

// listedPerUnit returns about how many rows one compare unit lists after a scan.
func listedPerUnit(p *plan.Plan) int64 {
	if p.ByText { // each unit reads the whole table, so there should be few units
		return plan.MaxScanListed
	}
	return plan.SplitAbove * p.BlockRows
}

// compare digests all chunks. In the strategies that read pages it narrows the chunks or
// buckets that the scan found to differ, and in a rerun it compares the keys of the
// document.
func (r *run) compare(ctx context.Context) (err error) {
	if r.unchangedTable != nil {
		r.compared = []plan.Totals{*r.unchangedTable}
		return nil
	}

	narrowing := r.plan.ReadsPages()
	phase := plan.PhaseCompare
	if narrowing {
		phase = "narrow"
	}
	defer r.timings.measure(phase)()

	r.progress.setPhase(phase)
	r.compared, err = r.doUnits(ctx, plan.PhaseCompare, r.compares, func(t plan.Totals, _, _ int) {
		r.mostDiffer.Store(t.IsDense(r.plan))
		r.anyUnitDone.Store(true)
		if !narrowing {
			r.progress.addCompared(t, r.plan.Layout.BlockOf(t.To-1)-r.plan.Layout.BlockOf(t.From)+1)
		}

		r.progress.addMismatched(t.Candidates - t.WithoutDigest)
	})
	return err
}

// confirm reads the candidates again once confirm_delay has passed since the last
// candidate was found.
func (r *run) confirm(ctx context.Context) error {
	defer r.timings.measure(plan.PhaseConfirm)()
	r.progress.setPhase(plan.PhaseConfirm)
	units, at := r.confirmUnits()
	r.confirmed = make([]plan.Totals, len(r.compared))
	if len(units) == 0 {
		return nil
	}
	if err := r.awaitConfirmation(ctx, units); err != nil {
		return err
	}

	totals, err := r.doUnits(ctx, plan.PhaseConfirm, units, func(t plan.Totals, _, _ int) {
		if t.WithoutDigest > 0 {
			r.progress.addCompared(t, 0)
			r.progress.addMismatched(min(t.WithoutDigest, t.Mismatched))
		}
	})

	for i, t := range totals {
		r.confirmed[at[i]] = t
	}

	return err
}

// awaitConfirmation waits for confirm_delay, unless all confirm units are done already.
func (r *run) awaitConfirmation(ctx context.Context, units []plan.Unit) error {
	stored, err := r.storedParts(ctx, plan.PhaseConfirm)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(units, func(u plan.Unit) bool { return !stored[u.PartKey()] }) {
		return nil
	}
	return retry.Sleep(ctx, r.plan.ConfirmDelay)
}

// confirmUnits returns a confirm unit for each compare unit that has candidates, and the
// indexes of those compare units.
func (r *run) confirmUnits() (units []plan.Unit, at []int) {
	before := make([]int64, len(r.plan.Pairs()))
	for i, t := range r.compared {
		if t.Candidates == 0 {
			continue
		}

		u := r.unit(plan.PhaseConfirm, r.compares[i].Index)
		u.From = r.compares[i].From
		u.To = r.compares[i].To
		u.Before = append([]int64(nil), before...)
		units = append(units, u)
		at = append(at, i)
		for p, n := range t.PairCandidates {
			before[p] += n
		}
	}

	return units, at
}

// doUnits invokes the units that have no stored part yet, and returns the totals of all
// units in the order of units. It calls done for each unit, with the totals of the unit,
// the number of units that are done and the number of all units.
func (r *run) doUnits(ctx context.Context, phase string, units []plan.Unit, done func(t plan.Totals, done, total int)) ([]plan.Totals, error) {
	stored, err := r.storedParts(ctx, phase)
	if err != nil {
		return nil, err
	}

	count := counter{total: len(units), done: done}
	return fanout.Map(ctx, r.unitsAtOnce(phase), units, func(ctx context.Context, u plan.Unit) (plan.Totals, error) {
		var totals plan.Totals
		var err error
		if stored[u.PartKey()] {
			totals, err = plan.ReadTotals(ctx, r.Store, u)
		} else {
			r.hint(&u)
			totals, err = r.invoke(ctx, u)
		}

		if err == nil {
			count.add(totals)
		}

		return totals, err
	})
}

// hint sets Dense and Probe of a compare unit. Both depend on the compare units that are
// done: whether any unit is done, and whether the unit that was done last was dense (see
// plan.Totals.IsDense).
func (r *run) hint(u *plan.Unit) {
	switch {
	case u.Phase != plan.PhaseCompare || r.plan.Known != nil:
	case r.plan.Strategy == plan.KeyRanges:
		u.Dense = r.mostDiffer.Load()
		u.Probe = !r.anyUnitDone.Load()
	case r.plan.Strategy == plan.Keys:
		atOnce := r.plan.ConfirmDelay == 0 && !r.plan.ByText && r.keyList.Keys <= r.plan.MaxDiffRows
		u.Probe = atOnce && (r.mostDiffer.Load() || !r.anyUnitDone.Load())
	}
}

// unitsAtOnce returns how many units of a phase are started at once. A sequential scan
// reads only one node, so all nodes are read at the same time.
func (r *run) unitsAtOnce(phase string) int {
	count := r.plan.Workers + r.extraUnits()
	if phase == plan.PhaseScan && r.plan.Strategy == plan.Sequential {
		count = max(count, len(r.plan.Nodes))
	}
	return count
}

// extraUnits returns how many units are started at once in addition to one per worker. If
// the units run in this process, the result is 1. A unit that writes its part does not
// use the nodes, so the extra unit can use them meanwhile. The slots of package worker
// still let only as many units as there are workers use the nodes at once.
func (r *run) extraUnits() int {
	if r.LocalWorker != nil {
		return 1
	}
	return 0
}

func (r *run) storedParts(ctx context.Context, phase string) (map[string]bool, error) {
	stored := map[string]bool{}
	err := r.Store.List(ctx, archive.PartsPrefix(r.plan.TaskID, phase), "", func(info archive.Info) bool {
		stored[info.Key] = true
		return true
	})
	return stored, err
}

// invoke invokes one unit until it succeeds or the patience is exhausted.
func (r *run) invoke(ctx context.Context, u plan.Unit) (totals plan.Totals, err error) {
	err = r.retry(ctx, "unit "+u.Phase+"-"+u.Name(), func() error {
		totals, err = r.invokeOnce(ctx, u)
		return err
	})
	if err == nil && r.scratch == nil { // a part in memory is lost if the run starts again
		r.reach.Part()
	}
	return totals, r.plan.Locate(err, u)
}

// invokeOnce invokes one unit. If the invocation succeeds, invokeOnce returns the totals
// of the stored part, not those that the invocation returned.
func (r *run) invokeOnce(ctx context.Context, u plan.Unit) (plan.Totals, error) {
	if _, err := r.Invoker.Invoke(ctx, u); err != nil {
		return plan.Totals{}, err
	}
	totals, err := plan.ReadTotals(ctx, r.Store, u)
	if errors.Is(err, archive.ErrNotFound) {
		err = fault.Wrap(err, fault.Internal, "unit %s-%s was done but its part is not in the archive: the comparison is incomplete", u.Phase, u.Name())
	}
	return totals, err
}

// Invoker does one unit of work, in this process or another one, and returns the totals
// of its stored part. It must be safe for concurrent use. A second call with the same
// unit must be harmless.
type Invoker interface {
	Invoke(ctx context.Context, u plan.Unit) (plan.Totals, error)
}

// LocalWorker does all units of a task in this process, so they can share one snapshot
// per node.
type LocalWorker interface {
	// Share lets the units of the task that read pages share one snapshot of every node
	// until end is called. The caller must call end after the last of these units has
	// returned.
	Share(taskID string) (end func())
	// Use makes the units of the task read the plan and store their parts in store, until
	// end is called. The caller must call end after the last unit of the task has returned.
	Use(taskID string, store archive.Store) (end func())
}
