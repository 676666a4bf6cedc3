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
	"ace/shared/table"
	"ace/shared/tablediff/plan"
	"ace/shared/task"
)

// Coordinator runs whole comparisons: it plans, hands out units, and merges what comes back.
type Coordinator struct{ CoordinatorOptions }

// CoordinatorOptions of a coordinator.
type CoordinatorOptions struct {
	Store   archive.Store
	Nodes   plan.Opener
	Invoker Invoker
	// LocalWorker is the worker that does the units, if this process does them all, and otherwise nil.
	LocalWorker LocalWorker
	// Patience bounds the waits between the attempts at a unit that fails for a reason that may pass, all together.
	Patience time.Duration
	Log      *slog.Logger
}

// NewCoordinator makes a coordinator.
func NewCoordinator(o CoordinatorOptions) *Coordinator { return &Coordinator{o} }

// Run does the job, or goes on with it where an earlier run stopped. report is called whenever something was done. The
// context ends the run; what was stored by then stays for the next.
func (c *Coordinator) Run(ctx context.Context, job Job, report func(task.Progress)) (Result, error) {
	r := &run{Coordinator: c, job: job, started: time.Now(), progress: newProgress(report)}
	var result Result
	for _, step := range []func(context.Context) error{r.makePlan, r.scan, r.compare, r.confirm, r.checkUnaltered, r.checkIndexes, r.checkFacts, func(ctx context.Context) (err error) {
		result, err = r.merge(ctx)
		return err
	}, r.storeBaseline} {
		if err := step(ctx); err != nil {
			if ctx.Err() != nil { // what the work says when it is cut short is only an echo of why
				err = context.Cause(ctx)
			}
			return Result{}, err
		}
	}
	return result, nil
}

// run is the state of one Run.
type run struct {
	*Coordinator
	job               Job
	started           time.Time
	plan              *plan.Plan
	progress          *progress
	anyUnitDone       atomic.Bool // a compare unit is done
	mostDiffer        atomic.Bool // most leaves of the latest one differed
	timings           timings
	equal             plan.Totals        // of leaves that the scan found equal
	multipleSnapshots bool               // not all units of a pass have read the same snapshot
	keyList           keyList            // of a rerun
	factsUnchanged    bool               // what a baseline depends on is as it was when the run was planned
	expectedSums      []table.Sum        // per node: what is listed by the index was seen on its pages to hold; nil: nothing is
	pageRanges        [][]plan.PageRange // per node, in the order of its pages: what a baseline keeps of the pages strategy
	unchangedRanges   int64              // stretches that hold what they held at the baseline
	unchangedTable    *plan.Totals       // of the whole table, if it is as it was at the baseline
	compares          []plan.Unit
	compared          []plan.Totals
	confirmed         []plan.Totals // zero where there was no candidate
}

// makePlan reads the stored plan, or makes and stores one.
func (r *run) makePlan(ctx context.Context) error {
	defer r.timings.measure(plan.PhasePlan)()
	r.progress.phase(plan.PhasePlan)
	p, err := plan.Load(ctx, r.Store, r.job.TaskID)
	if errors.Is(err, archive.ErrNotFound) {
		err = r.retry(ctx, planningPolicy(), "planning", func() error {
			p, err = r.newPlan(ctx)
			return err
		})
		if err == nil {
			p, err = plan.Store(ctx, r.Store, p)
		}
	}
	if err != nil {
		return err
	}
	r.plan = p
	r.progress.planned(p)
	return nil
}

func (r *run) newPlan(ctx context.Context) (*plan.Plan, error) {
	if r.job.Rerun != nil {
		return planRerun(ctx, r.Store, r.Nodes, r.job, time.Now())
	}
	p, err := makePlan(ctx, r.Nodes, r.job, time.Now())
	if err != nil {
		return nil, err
	}
	return p.plan, r.useBaseline(ctx, p)
}

// scan decides what there is to compare: all leaves; in the pages strategy, what reading all pages of every node shows to
// differ; in a rerun, the keys of the document.
func (r *run) scan(ctx context.Context) error {
	switch r.plan.Strategy {
	case plan.Keys:
		return r.listKeys(ctx)
	case plan.KeyRanges:
		return r.scanRanges(ctx)
	}
	defer r.timings.measure(plan.PhaseCompare)()
	r.progress.phase(plan.PhaseCompare)
	switch {
	case r.plan.Known != nil:
		return r.scanKnown(ctx)
	case r.plan.Buckets > 0:
		return r.scanBuckets(ctx, nil)
	}
	return r.scanChunks(ctx, nil)
}

// scanRanges has all batches compared, unless the whole table is as it was.
func (r *run) scanRanges(ctx context.Context) error {
	if r.plan.Known != nil && r.plan.Known.Whole != nil && r.LocalWorker != nil {
		defer r.timings.measure(plan.PhaseCompare)()
		r.progress.phase(plan.PhaseCompare)
		if err := r.findUnchangedTable(ctx); err != nil || r.unchangedTable != nil {
			return err
		}
	}
	r.compares = r.batches()
	return nil
}

// batches makes a compare unit of every batch of blocks.
func (r *run) batches() []plan.Unit {
	units := make([]plan.Unit, r.plan.Layout.Batches())
	for i := range units {
		units[i] = r.unit(plan.PhaseCompare, i)
		units[i].From, units[i].To = r.plan.Layout.ChunksOfBatch(i)
	}
	return units
}

// scanLeaves digests the rows of these buckets, or all, by leaf, and has the leaves narrowed that differ.
func (r *run) scanChunks(ctx context.Context, buckets []int) error {
	sums, err := r.scanPages(ctx, plan.PhaseScan, r.plan.Layout.Chunks(), buckets)
	if err == nil {
		r.expectListed(sums, false)
		r.compares, r.equal = narrowingUnits(r.plan, sums, buckets, listedPerUnit(r.plan))
	}
	return err
}

// scanPages reads all pages of every node and adds up the sums of each group.
func (r *run) scanPages(ctx context.Context, phase string, groups int, buckets []int) ([][]table.Sum, error) {
	units, err := r.scanUnits(ctx, phase, buckets)
	if err != nil {
		return nil, err
	}
	if r.plan.Grid > 0 && r.plan.Known == nil && r.pageRanges == nil {
		r.pageRanges = make([][]plan.PageRange, len(r.plan.Nodes))
	}
	return combineScans(ctx, r.Store, len(r.plan.Nodes), groups, units, r.keepPageRanges)
}

// scanUnits has a unit done for each share of the pages, and gives these units.
func (r *run) scanUnits(ctx context.Context, phase string, buckets []int) ([]plan.Unit, error) {
	units := make([]plan.Unit, len(r.plan.Scans))
	for i := range units {
		units[i] = r.unit(phase, i)
		units[i].Buckets = buckets
	}
	if r.LocalWorker != nil {
		defer r.LocalWorker.Share(r.plan.TaskID)()
	}
	totals, err := r.doUnits(ctx, phase, units, func(t plan.Totals, done, total int) {
		switch {
		case phase == plan.PhaseAges: // how many rows that makes is known in the end
			r.progress.phase(plan.PhaseCompare)
		case buckets == nil: // else all of these rows have been counted
			r.progress.scanned(t, r.plan.Layout.Blocks()*done/total)
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

// listedPerUnit is about how many rows a unit lists that narrows what a scan has found.
func listedPerUnit(p *plan.Plan) int64 {
	if p.ByText { // each unit reads the whole table
		return plan.MaxScanListed
	}
	return plan.SplitAbove * p.BlockRows
}

// compare digests all leaves, or narrows those that the scan found to differ.
func (r *run) compare(ctx context.Context) (err error) {
	if r.unchangedTable != nil {
		r.compared = []plan.Totals{*r.unchangedTable}
		return nil
	}
	narrowing := r.plan.Strategy == plan.Pages
	phase := plan.PhaseCompare
	if narrowing {
		phase = "narrow"
	}
	defer r.timings.measure(phase)()
	r.progress.phase(phase)
	r.compared, err = r.doUnits(ctx, plan.PhaseCompare, r.compares, func(t plan.Totals, _, _ int) {
		r.mostDiffer.Store(t.IsDense(r.plan))
		r.anyUnitDone.Store(true)
		if !narrowing {
			r.progress.compared(t, r.plan.Layout.BlockOf(t.To-1)-r.plan.Layout.BlockOf(t.From)+1)
		}
		r.progress.mismatched(t.Candidates - t.WithoutDigest)
	})
	return err
}

// confirm reads the candidates again, once the youngest is confirm_delay old.
func (r *run) confirm(ctx context.Context) error {
	defer r.timings.measure(plan.PhaseConfirm)()
	r.progress.phase(plan.PhaseConfirm)
	units, at := r.confirmUnits()
	r.confirmed = make([]plan.Totals, len(r.compared))
	if len(units) == 0 {
		return nil
	}
	if err := pause(ctx, r.plan.ConfirmDelay); err != nil {
		return err
	}
	totals, err := r.doUnits(ctx, plan.PhaseConfirm, units, func(t plan.Totals, _, _ int) {
		if t.WithoutDigest > 0 {
			r.progress.compared(t, 0)
			r.progress.mismatched(min(t.WithoutDigest, t.Mismatched))
		}
	})
	for i, t := range totals {
		r.confirmed[at[i]] = t
	}
	return err
}

// confirmUnits makes a unit of each compare unit that has candidates, and says which.
func (r *run) confirmUnits() (units []plan.Unit, at []int) {
	before := make([]int64, len(r.plan.Pairs()))
	for i, t := range r.compared {
		if t.Candidates == 0 {
			continue
		}
		u := r.unit(plan.PhaseConfirm, r.compares[i].Index)
		u.From, u.To = r.compares[i].From, r.compares[i].To
		u.Before = append([]int64(nil), before...)
		units = append(units, u)
		at = append(at, i)
		for p, n := range t.PairCandidates {
			before[p] += n
		}
	}
	return units, at
}

// do has units done, those that have no part yet, and gives the totals of all.
func (r *run) doUnits(ctx context.Context, phase string, units []plan.Unit, done func(t plan.Totals, done, total int)) ([]plan.Totals, error) {
	stored, err := r.storedParts(ctx, phase)
	if err != nil {
		return nil, err
	}
	count := counter{total: len(units), done: done}
	return fanout.Map(ctx, r.plan.Workers+r.extraUnits(), units, func(ctx context.Context, u plan.Unit) (plan.Totals, error) {
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

// hint tells a unit what those before it have found.
func (r *run) hint(u *plan.Unit) {
	switch {
	case u.Phase != plan.PhaseCompare || r.plan.Known != nil:
	case r.plan.Strategy == plan.KeyRanges:
		u.Dense, u.Probe = r.mostDiffer.Load(), !r.anyUnitDone.Load()
	case r.plan.Strategy == plan.Keys:
		atOnce := r.plan.ConfirmDelay == 0 && !r.plan.ByText && r.keyList.Keys <= r.plan.MaxDiffRows
		u.Probe = atOnce && (r.mostDiffer.Load() || !r.anyUnitDone.Load())
	}
}

// ahead is how many units are under way beyond the workers: those that are all done in one process wait there until the nodes
// are free, so that these never wait for a part to be written.
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

// invoke has one unit done.
func (r *run) invoke(ctx context.Context, u plan.Unit) (totals plan.Totals, err error) {
	err = r.retry(ctx, r.unitPolicy(), "unit "+u.Phase+"-"+u.Name(), func() error {
		totals, err = r.invokeOnce(ctx, u)
		return err
	})
	return totals, r.plan.Locate(err, u)
}

// attempt has one unit done. Whatever the answer says, what is stored counts.
func (r *run) invokeOnce(ctx context.Context, u plan.Unit) (plan.Totals, error) {
	if _, err := r.Invoker.Invoke(ctx, u); err != nil {
		return plan.Totals{}, err
	}
	totals, err := plan.ReadTotals(ctx, r.Store, u)
	if errors.Is(err, archive.ErrNotFound) {
		err = fault.Wrap(err, fault.Internal, "unit %s-%s was answered but its part is not in the archive: the comparison is incomplete", u.Phase, u.Name())
	}
	return totals, err
}

// Invoker has one unit of work done, somewhere, and gives the totals of its stored part. It may be called
// concurrently, and again with the same unit.
type Invoker interface {
	Invoke(ctx context.Context, u plan.Unit) (plan.Totals, error)
}

// LocalWorker does all units of a task in this process, so they can share one snapshot per node.
type LocalWorker interface {
	// Share lets the units of the task that read pages share one snapshot of every node. The function that it
	// returns ends that; it must be called after the last of these units has returned.
	Share(taskID string) (end func())
}
