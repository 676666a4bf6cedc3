package tablerepair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/patience"
	"ace/shared/table"
	"ace/shared/task"
)

const (
	// cancelWait bounds how long a cancelled run takes to determine how its attempts
	// ended.
	cancelWait = 15 * time.Second
	// manifestWait bounds the read of the manifest of an attempt whose outcome the node
	// cannot report.
	manifestWait = 5 * time.Second
)

// Coordinator runs whole repairs. It makes the plan, invokes a unit for each target, and
// determines how each unit ended.
type Coordinator struct {
	store     archive.Store
	nodes     Opener
	invoker   Invoker
	log       *slog.Logger
	abandoned time.Duration // bounds the wait for an abandoned transaction
}

// NewCoordinator returns a coordinator.
func NewCoordinator(store archive.Store, nodes Opener, invoker Invoker, log *slog.Logger) *Coordinator {
	return &Coordinator{store: store, nodes: nodes, invoker: invoker, log: log, abandoned: abandonedWait}
}

// WaitForAbandoned returns a copy of the coordinator that waits at most for d until a
// node has ended an abandoned transaction: a transaction of an earlier attempt whose
// worker has died or hangs.
func (c *Coordinator) WaitForAbandoned(d time.Duration) *Coordinator {
	other := *c
	other.abandoned = d
	return &other
}

// Result is how a run ended on each node.
type Result struct {
	Nodes    []NodeResult
	Warnings []string
	Rule     *RuleResult              // nil unless it was a repair by rule
	Report   *task.Document           // nil if there is none
	Scripts  map[string]task.Document // for each node, the SQL script that makes its changes
}

// NodeResult is how the repair of one node ended. Outcome is empty in a dry run.
type NodeResult struct {
	Node    string
	Outcome string
	Totals  Totals
	Error   *Problem // why the node was not repaired
	// Grants are the statements that grant what the role lacks for this repair; in a dry
	// run, for the repair that the dry run tries.
	Grants  []string
	altered *Stored
}

// Run carries out the request, or continues where an earlier run stopped. If some nodes
// could not be repaired, it returns a result and an error, because others may have been
// repaired. The result is empty if there is no plan, or if this run was interrupted and
// another run will continue.
func (c *Coordinator) Run(ctx context.Context, req Request, report func(task.Progress)) (Result, error) {
	r := &run{Coordinator: c, req: req, progress: progress{report: report}}

	// Durable: the plan and its keys, which every later run uses.
	if err := r.makePlan(ctx); err != nil {
		return Result{}, causeOrErr(ctx, err)
	}

	r.checkReplication(ctx)

	// Durable: the decisions of a repair by rule, which every later run uses.
	if err := r.decideKeys(ctx); err != nil {
		return Result{}, causeOrErr(ctx, err)
	}

	// Durable: the repaired rows of the targets, and how each attempt ended.
	r.repairTargets(ctx)
	if r.isInterrupted(ctx) {
		return Result{}, context.Cause(ctx)
	}

	result := Result{Nodes: r.results, Warnings: r.warnings(), Rule: r.ruleResult()}
	err := r.verdict(ctx)

	// Durable: the report. It is written last because it contains the outcomes.
	if req.Report {
		reporting, cancel := r.outlasting(ctx)
		defer cancel()
		writing := r.req.Patience.Do(reporting, "writing the report", func() (err error) {
			result.Report, err = r.writeReport(reporting, result)
			return err
		})
		err = cmp.Or(err, writing)
	}

	// Durable: the scripts. Only a dry run has them.
	if r.plan.Scripts && ctx.Err() == nil {
		writing := r.req.Patience.Do(ctx, "writing the scripts", func() error {
			return r.writeScripts(ctx, &result)
		})
		err = cmp.Or(err, writing)
	}
	return result, err
}

// run is the state of one call of Run. replication and results have one entry for each
// target of the plan, in the same order.
type run struct {
	*Coordinator
	req         Request
	plan        *Plan
	replication []replication
	results     []NodeResult
	progress    progress
	decided     decidedTotals // in a repair by rule
}

// causeOrErr returns the reason why the context has ended, if it has, and otherwise err.
// When the context ends, err is only a consequence.
func causeOrErr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// isInterrupted reports whether this run was stopped and another run of the task will
// continue. Then this run must not draw conclusions from failures, because the stop may
// have caused them.
func (r *run) isInterrupted(ctx context.Context) bool {
	return ctx.Err() != nil && fault.CodeOf(context.Cause(ctx)) != fault.Cancelled
}

// outlasting returns a context in which a cancelled run can still determine how its
// attempts ended, since no later run would do that. If ctx has not ended, it returns ctx.
func (r *run) outlasting(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), cancelWait)
}

func (r *run) makePlan(ctx context.Context) error {
	r.progress.phase(phasePlan)
	var plan *Plan
	err := r.req.Patience.Do(ctx, "planning", func() (err error) {
		plan, err = loadPlan(ctx, r.store, r.req.TaskID)
		if errors.Is(err, archive.ErrNotFound) {
			if plan, err = makePlan(ctx, r.store, r.nodes, r.req); err == nil {
				plan, err = storePlan(ctx, r.store, plan)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	r.plan = plan
	r.progress.setTotals(plan)
	return nil
}

func (r *run) open(ctx context.Context, node string) (Node, error) {
	opened, err := r.nodes.Open(ctx, r.plan.ClusterName, r.plan.DBName, []string{node})
	if err != nil {
		return nil, err
	}
	return r.plan.bind(opened[0]), nil
}

// repairTargets repairs all targets: by rule one after the other (see rule.go), otherwise
// concurrently. A failure on one target does not affect the other targets.
func (r *run) repairTargets(ctx context.Context) {
	r.progress.phase(phaseRepair)
	r.results = make([]NodeResult, len(r.plan.Targets))
	var wait, watching sync.WaitGroup
	watched, stop := context.WithCancel(ctx)
	watching.Go(func() { r.watch(watched) })
	for i := range r.plan.Targets {
		if r.plan.byRule() {
			r.results[i] = r.repairByRule(ctx, i)
			continue
		}
		wait.Go(func() { r.results[i] = r.repairTarget(ctx, i) })
	}
	wait.Wait()
	stop()
	watching.Wait()
	r.reportTotals()
}

// repairTarget repairs one node.
func (r *run) repairTarget(ctx context.Context, i int) NodeResult {
	t := &r.plan.Targets[i]
	result := NodeResult{Node: t.Node}
	if t.Denied != nil {
		result.Grants = t.Denied.Grants
	}
	if !r.plan.DryRun {
		result.Outcome = RolledBack
	}
	if t.isIdle(r.plan) || r.decidedIdle(t) {
		if !r.plan.DryRun {
			result.Outcome = Committed // there was nothing to change on the node
		}
		return result
	}

	err := t.problem()
	switch {
	case err != nil:
	case r.plan.DryRun:
		result.Totals, err = r.dryRun(ctx, i)
	default:
		var o outcome
		o, err = r.repair(ctx, i)
		result.Outcome = o.Outcome
		result.Totals = o.Totals
		result.altered = o.Altered
	}

	if err != nil && result.Outcome != Unknown {
		err = causeOrErr(ctx, err)
	}
	if err != nil {
		result.Error = problemOf(err)
		if result.Outcome == Committed {
			result.Error = nil
		}
	}
	return result
}

func (t *Target) problem() error {
	if t.Problem == nil {
		return nil
	}
	return t.Problem.err()
}

// dryRun invokes the unit that decides what a repair of one target would change. The unit
// changes nothing on the node; it stores only its decisions and totals in the archive.
func (r *run) dryRun(ctx context.Context, i int) (Totals, error) {
	unit := Unit{TaskID: r.plan.TaskID, PlanHash: r.plan.Hash(), Phase: phaseDryRun, Target: i, Lease: r.req.Lease, Relays: r.replication[i].relays}
	var totals Totals
	err := r.req.Patience.Do(ctx, "dry run on node "+r.plan.Targets[i].Node, func() (err error) {
		unit.Attempt++
		totals, err = r.invoker.Invoke(ctx, unit)
		return err
	})
	if err == nil && len(totals.Refused) > 0 {
		err = fault.New(fault.Invalid, "%s", strings.Join(totals.Refused, "; "))
	}
	return totals, cmp.Or(err, r.replication[i].problem)
}

// repair repairs one node. It makes attempts until one is committed or fails for a reason
// that does not pass by itself, or until the request's patience is exhausted.
func (r *run) repair(ctx context.Context, i int) (o outcome, err error) {
	var failed error
	err = r.req.Patience.Do(ctx, "repair of node "+r.plan.Targets[i].Node, func() error {
		var next outcome
		var attempted bool
		next, attempted, failed = r.repairOnce(ctx, i)

		// A try makes no attempt if it fails to determine the outcome of the earlier attempts.
		// Then it does not change what is known about them.
		if attempted || next.Outcome != Unknown || o.Outcome == "" {
			o = next
		}
		return failed
	})
	if o.Outcome == Unknown && failed != nil {
		err = failed // has more details than the error of the cancellation
	}
	return o, err
}

// repairOnce continues where an earlier call or an earlier run stopped. If an earlier
// attempt was committed, repairOnce returns its outcome. It makes a new attempt only if
// all earlier ones are known to be rolled back. attempted reports whether it made a new
// attempt.
func (r *run) repairOnce(ctx context.Context, i int) (o outcome, attempted bool, err error) {
	// If the task was cancelled, the node is still asked how earlier attempts ended.
	opening, cancel := r.outlasting(ctx)
	defer cancel()
	node, err := r.open(opening, r.plan.Targets[i].Node)
	if err != nil {
		return outcome{Outcome: Unknown}, false, err
	}
	s := &settler{store: r.store, plan: r.plan, target: &r.plan.Targets[i], node: node, wait: r.abandoned}
	last, o, err := r.settleEarlier(ctx, s)
	if err != nil || o.Outcome != RolledBack {
		return o, false, err
	}

	if err := r.replication[i].problem; err != nil {
		return outcome{Outcome: RolledBack}, false, patience.Exhausted(err) // checkReplication has already waited for the problem to pass
	}
	o, err = r.attempt(ctx, s, i, last+1)
	return o, true, err
}

// settleEarlier determines how the attempts of earlier tries and runs ended: an attempt
// may have been committed, or may still be running. It returns the number of the last
// attempt.
func (r *run) settleEarlier(ctx context.Context, s *settler) (last int, o outcome, err error) {
	err = r.determine(ctx, s, func(ctx context.Context) (err error) {
		last, o, err = s.settleAll(ctx)
		return err
	})
	if err == nil && o.Outcome == RolledBack && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return last, o, err
}

// determine calls fn, which determines an outcome. If the task is cancelled meanwhile,
// determine calls fn again with a context that has not ended, because no later run of the
// task will determine the outcome.
func (r *run) determine(ctx context.Context, s *settler, fn func(context.Context) error) error {
	what := "determining the outcome on node " + s.target.Node
	err := r.req.Patience.Do(ctx, what, func() error { return fn(ctx) })
	if err == nil || ctx.Err() == nil || r.isInterrupted(ctx) {
		return err
	}
	settling, cancel := r.outlasting(ctx)
	defer cancel()
	return r.req.Patience.Do(settling, what, func() error { return fn(settling) })
}

// attempt invokes the unit that makes one attempt. It returns the stored outcome, or else
// the outcome that the node reports. It does not rely on what the unit returned.
func (r *run) attempt(ctx context.Context, s *settler, i, number int) (outcome, error) {
	_, failed := r.invoker.Invoke(ctx, Unit{
		TaskID: r.plan.TaskID, PlanHash: r.plan.Hash(), Phase: phaseRepair, Target: i, Attempt: number, Lease: r.req.Lease,
		Applied: r.replication[i].applied, AppliedBy: r.replication[i].appliedBy, SourceFeeds: r.replication[i].sourceFeeds, Relays: r.replication[i].relays,
	})
	// This run was interrupted, so the next run determines the outcome.
	if r.isInterrupted(ctx) {
		return outcome{Outcome: Unknown}, context.Cause(ctx)
	}

	var o outcome
	err := r.determine(ctx, s, func(ctx context.Context) (err error) {
		if o, err = s.settle(ctx, number); o.Outcome == Unknown && cannotSettle(err, failed) {
			// The unit has returned, and an attempt without a manifest has written nothing. So a
			// missing manifest means a rollback. The manifest is read even if ctx ended while the
			// node was asked.
			asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), manifestWait)
			defer cancel()
			if _, missing := loadManifest(asking, r.store, r.plan.TaskID, s.target.Node, number); errors.Is(missing, archive.ErrNotFound) {
				o.Outcome = RolledBack
			}
		}
		return err
	})
	if o.Outcome == RolledBack && cannotSettle(err, failed) {
		return o, cmp.Or(failed, err)
	}
	if err == nil && o.Outcome == RolledBack && failed == nil {
		err = fault.New(fault.Unavailable, "node %q: the worker reported success, but the repair was not committed", s.target.Node)
	}
	if err != nil && o.Outcome == Unknown {
		return o, fault.Wrap(err, fault.CodeOf(err), "node %q: it is unknown whether the repair was committed: %s", s.target.Node, fault.PublicMessage(err))
	}
	return o, errors.Join(failed, err)
}

// cannotSettle reports whether it is useless to determine an outcome again after the
// error err. This is so in two cases: err is a Conflict, because the node is another
// server now; or failed, the error of the unit, is permanent. For example, a store that
// refused the before-images will refuse the outcome too.
func cannotSettle(err, failed error) bool {
	return err != nil && (fault.CodeOf(err) == fault.Conflict || failed != nil && !fault.Retryable(failed))
}

// verdict returns nil if every node was repaired, otherwise an error that names the nodes
// that were not repaired. If the task was cancelled before all nodes were repaired, the
// error is a fault Cancelled that also names the nodes that were repaired.
func (r *run) verdict(ctx context.Context) error {
	var failed []string
	var lacking []*table.Denied
	code := fault.Invalid
	cancelled := false
	for i, n := range r.results {
		switch {
		case n.Error == nil:
			continue
		case n.Error.Code == fault.Cancelled && n.Outcome != Unknown:
			cancelled = true
			continue
		case n.Grants != nil && r.plan.Targets[i].Problem != nil:
			lacking = append(lacking, r.plan.Targets[i].Denied)
			continue
		}
		message := n.Error.Message
		if !strings.Contains(message, n.Node) {
			message = "node " + n.Node + ": " + message
		}
		failed = append(failed, message)
		code = n.Error.Code
	}
	if len(lacking) > 0 {
		failed = append(failed, deniedText(forRepair, lacking))
	}

	if cancelled || len(failed) > 0 && ctx.Err() != nil {
		return fault.New(fault.Cancelled, "%s", strings.Join(slices.Concat([]string{task.CancelledOnRequest}, r.committed(), failed), "; "))
	}
	if len(failed) == 0 {
		return nil
	}
	return fault.New(code, "%s", strings.Join(failed, "; "))
}

// committed describes the nodes that were repaired although the task was cancelled.
func (r *run) committed() []string {
	var texts []string
	for _, n := range r.results {
		if n.Outcome == Committed {
			texts = append(texts, fmt.Sprintf("node %s was committed before", n.Node))
		}
	}
	return texts
}

func (r *run) warnings() []string {
	warnings := slices.Clone(r.plan.Warnings)
	for _, found := range r.replication {
		warnings = append(warnings, found.warnings...)
	}
	for i, n := range r.results {
		warnings = append(warnings, n.Totals.Warnings...)
		if text := r.plan.unrepairableWarning(&r.plan.Targets[i], &n.Totals); text != "" {
			warnings = append(warnings, text)
		}
	}
	return distinct(warnings)
}

// distinct removes repeated texts. Warnings about the source occur once per target, and
// the warnings of a repeated check occur once per try.
func distinct(texts []string) []string {
	said := map[string]bool{}
	return slices.DeleteFunc(texts, func(text string) bool {
		again := said[text]
		said[text] = true
		return again
	})
}
