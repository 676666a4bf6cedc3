package tablerepair

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/retry"
	"ace/shared/task"
)

const (
	// retryWait is the wait before the second attempt. It doubles before each further
	// attempt.
	retryWait = time.Second
	// cancelWait bounds how long a cancelled run takes to determine how its attempts
	// ended.
	cancelWait = 15 * time.Second
)

// attemptPolicy bounds the attempts that one run makes for a target.
func attemptPolicy(retryable func(error) bool) retry.Policy {
	return retry.Policy{Backoff: retry.Backoff{First: retryWait}, Tries: 3, Retryable: retryable}
}

// Coordinator runs whole repairs. It makes the plan, invokes a unit for each target, and
// determines how each unit ended.
type Coordinator struct {
	store   archive.Store
	nodes   Opener
	invoker Invoker
	log     *slog.Logger
}

// NewCoordinator returns a coordinator.
func NewCoordinator(store archive.Store, nodes Opener, invoker Invoker, log *slog.Logger) *Coordinator {
	return &Coordinator{store: store, nodes: nodes, invoker: invoker, log: log}
}

// Result is how a run ended on each node.
type Result struct {
	Nodes    []NodeResult
	Warnings []string
	Report   *task.Document // nil if there is none
}

// NodeResult is how the repair of one node ended. Outcome is empty in a dry run.
type NodeResult struct {
	Node    string
	Outcome string
	Totals  Totals
	Error   *Problem // why the node was not repaired
	altered *Stored
}

// Run carries out the request, or continues where an earlier run stopped. It returns a
// result even with an error: if one node could not be repaired, others may have been.
func (c *Coordinator) Run(ctx context.Context, req Request, report func(task.Progress)) (Result, error) {
	r := &run{Coordinator: c, req: req, started: time.Now(), progress: progress{report: report}}

	// Durable: the plan and its keys, which every later run uses.
	if err := r.makePlan(ctx); err != nil {
		return Result{}, causeOrErr(ctx, err)
	}

	r.checkReplication(ctx)

	// Durable: the repaired rows of the targets, and how each attempt ended.
	r.repairTargets(ctx)
	if r.isInterrupted(ctx) {
		return Result{}, context.Cause(ctx)
	}

	result := Result{Nodes: r.results, Warnings: r.warnings()}
	err := r.verdict(ctx)

	// Durable: the report. It is written last because it contains the outcomes.
	if req.Report {
		reporting, cancel := r.outlasting(ctx)
		defer cancel()
		report, writing := r.writeReport(reporting, result)
		result.Report = report
		err = cmp.Or(err, writing)
	}
	return result, err
}

// run is the state of one call of Run. Its lists have one entry for each target of the
// plan, in the same order.
type run struct {
	*Coordinator
	req                 Request
	started             time.Time
	plan                *Plan
	replication         []replication
	replicationWarnings []string
	results             []NodeResult
	progress            progress
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
// continue. Then this run must not draw conclusions from failures.
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
	plan, err := loadPlan(ctx, r.store, r.req.TaskID)
	if errors.Is(err, archive.ErrNotFound) {
		if plan, err = makePlan(ctx, r.store, r.nodes, r.req); err == nil {
			plan, err = storePlan(ctx, r.store, plan)
		}
	}
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

// repairTargets repairs all nodes concurrently. What happens on one does not affect
// another.
func (r *run) repairTargets(ctx context.Context) {
	r.progress.phase(phaseRepair)
	r.results = make([]NodeResult, len(r.plan.Targets))
	var wait, watching sync.WaitGroup
	for i := range r.plan.Targets {
		wait.Go(func() { r.results[i] = r.repairTarget(ctx, i) })
	}
	watched, stop := context.WithCancel(ctx)
	watching.Go(func() { r.watch(watched) })
	wait.Wait()
	stop()
	watching.Wait()
	r.reportTotals()
}

// repairTarget repairs one node.
func (r *run) repairTarget(ctx context.Context, i int) NodeResult {
	t := &r.plan.Targets[i]
	result := NodeResult{Node: t.Node}
	if !r.plan.DryRun {
		result.Outcome = RolledBack
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

	if err != nil {
		result.Error = problemOf(causeOrErr(ctx, err))
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

// dryRun invokes the unit that decides what to change and writes nothing.
func (r *run) dryRun(ctx context.Context, i int) (Totals, error) {
	unit := Unit{TaskID: r.plan.TaskID, PlanHash: r.plan.Hash(), Phase: phaseDryRun, Target: i, Lease: r.req.Lease}
	var totals Totals
	err := attemptPolicy(fault.Retryable).Do(ctx, func() (err error) {
		unit.Attempt++
		totals, err = r.invoker.Invoke(ctx, unit)
		return err
	})
	return totals, err
}

// repair continues where an earlier run stopped. If an attempt was committed, its outcome
// is the result. If the outcome of an attempt is unknown, the repair of this node ends. A
// new attempt is made only if all earlier ones are known to be rolled back.
func (r *run) repair(ctx context.Context, i int) (outcome, error) {
	node, err := r.open(ctx, r.plan.Targets[i].Node)
	if err != nil {
		return outcome{Outcome: Unknown}, err
	}
	s := &settler{store: r.store, plan: r.plan, target: &r.plan.Targets[i], node: node}
	found, last, err := s.attempts(ctx)
	if err != nil {
		return outcome{Outcome: Unknown}, err
	}

	// An earlier attempt may have been committed, or may still be running.
	for n := range found {
		if o, err := s.settleWithRetry(ctx, n); err != nil || o.Outcome != RolledBack {
			return o, err
		}
	}

	if err := r.replication[i].problem; err != nil {
		return outcome{Outcome: RolledBack}, err
	}

	var o outcome
	policy := attemptPolicy(func(err error) bool { return o.Outcome == RolledBack && fault.Retryable(err) })
	policy.Notify = func(err error, wait time.Duration) {
		r.log.WarnContext(ctx, "repair attempt failed and will be repeated", "task_id", r.plan.TaskID,
			"node", s.target.Node, "attempt", last, "after", wait, "error", err)
	}
	err = policy.Do(ctx, func() (err error) {
		last++
		o, err = r.attempt(ctx, s, i, last)
		return err
	})
	return o, err
}

// attempt invokes the unit that makes one attempt. The returned outcome is the one that
// is stored or that the node reports, whatever the unit returned.
func (r *run) attempt(ctx context.Context, s *settler, i, number int) (outcome, error) {
	_, failed := r.invoker.Invoke(ctx, Unit{
		TaskID: r.plan.TaskID, PlanHash: r.plan.Hash(), Phase: phaseRepair, Target: i, Attempt: number, Lease: r.req.Lease,
		Applied: r.replication[i].applied, SourceFeeds: r.replication[i].sourceFeeds,
	})
	// The next runner determines the outcome.
	if r.isInterrupted(ctx) {
		return outcome{Outcome: Unknown}, context.Cause(ctx)
	}

	settling, cancel := r.outlasting(ctx)
	defer cancel()
	o, err := s.settleWithRetry(settling, number)
	if o.Outcome == Unknown && fault.CodeOf(err) == fault.Conflict {
		// The node cannot report how the attempt ended, for example because it is another
		// server now. But the unit has returned, and an attempt without a manifest has written
		// nothing.
		if _, missing := loadManifest(settling, r.store, r.plan.TaskID, s.target.Node, number); errors.Is(missing, archive.ErrNotFound) {
			return outcome{Outcome: RolledBack}, err
		}
	}
	if err == nil && o.Outcome == RolledBack && failed == nil {
		err = fault.New(fault.Unavailable, "node %q: the worker reported success, but the repair was not committed", s.target.Node)
	}
	if err != nil && o.Outcome == Unknown {
		return o, fault.Wrap(err, fault.CodeOf(err), "node %q: it is unknown whether the repair was committed: %s", s.target.Node, fault.PublicMessage(err))
	}
	return o, errors.Join(failed, err)
}

// verdict returns nil if every node was repaired, otherwise an error that names the nodes
// that were not.
func (r *run) verdict(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failed []string
	code := fault.Invalid
	for _, n := range r.results {
		if n.Error == nil {
			continue
		}
		message := n.Error.Message
		if !strings.Contains(message, n.Node) {
			message = "node " + n.Node + ": " + message
		}
		failed = append(failed, message)
		code = n.Error.Code
	}
	if len(failed) == 0 {
		return nil
	}
	return fault.New(code, "%s", strings.Join(failed, "; "))
}

func (r *run) warnings() []string {
	warnings := slices.Concat(r.plan.Warnings, r.replicationWarnings)
	for _, n := range r.results {
		warnings = append(warnings, n.Totals.Warnings...)
	}
	return distinct(warnings)
}

// distinct removes repeated texts. Warnings about the source occur once per target.
func distinct(texts []string) []string {
	said := map[string]bool{}
	return slices.DeleteFunc(texts, func(text string) bool {
		again := said[text]
		said[text] = true
		return again
	})
}
