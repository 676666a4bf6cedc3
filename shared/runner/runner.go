// Package runner runs tasks. It acquires a task's lease, renews it while the handler
// works, stores how the task ended, and deletes the objects that were needed only for the
// work. If the process dies, another run continues from the task's parts.
//
// Running a task that another runner works on does nothing, and running a task that has
// ended only completes its cleanup. So a start may be repeated at any time.
package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"ace/shared/fault"
	"ace/shared/retry"
	"ace/shared/task"
	"ace/shared/taskid"
)

// Outcome is what a handler returns. If it returns an error too, the result and the
// report are stored anyway: they describe what was done before the work failed or was
// cancelled. The document of a failed task is stored too. A handler that fails must
// therefore return a document only if the document states what is missing. The document
// of a cancelled task is not stored.
type Outcome struct {
	Result   json.RawMessage
	Document *task.Document
	Report   *task.Document
	Scripts  map[string]task.Document // the scripts that make the changes of a dry run, by node
}

// Handler does the work of one type of task. It must return soon after its context has
// ended.
type Handler func(ctx context.Context, rec task.Record, report func(task.Progress)) (Outcome, error)

// Options configure a runner.
type Options struct {
	Tasks    *task.Registry
	Handlers map[task.Type]Handler
	Owner    string // names this process in leases and errors
	// Handover is the error which means that another run must continue the task (for
	// instance, because this process stops). If the context ends with this cause, or the
	// handler returns this error, the runner releases the lease instead of ending the task.
	// If Handover is nil, no task is handed over.
	Handover error
	// NoProgress, if set, is called at a handover and reports whether the attempt made no
	// progress. Such an attempt counts towards maxAttempts.
	NoProgress func() bool
	// Restart, if set, is called at a handover, after the lease was released. It starts the
	// task again.
	Restart func(ctx context.Context, taskID string) error
	// LeaseLost, if set, is called when a run lost the lease, or stops because it could not
	// renew the lease.
	LeaseLost func()
	Log       *slog.Logger
}

// Runner runs tasks.
type Runner struct {
	Options
	newer sync.Map // the ids of tasks of a newer version that were logged
}

// New returns a runner.
func New(o Options) *Runner { return &Runner{Options: o} }

const (
	// maxAttempts bounds the attempts to run a task. Without it a task that crashes the
	// process would be run again for ever.
	maxAttempts = 20
	// finishTimeout bounds the time in which the runner tries to store an outcome after the
	// work has ended.
	finishTimeout = 20 * time.Second
	// grace bounds the time in which the runner tries to store an outcome after its own
	// context has ended. It is short, because the runner's context ends when the process
	// must stop.
	grace = 3 * time.Second
	// finishWait is the wait between two tries to store an outcome.
	finishWait = 500 * time.Millisecond
)

// Run runs one task to its end, unless another runner does. takeOver means that the owner
// of the task's lease is known to be dead, so Run acquires the lease even if it is still
// live.
func (r *Runner) Run(ctx context.Context, taskID string, takeOver bool) {
	ctx = taskid.With(ctx, taskID)
	log := r.Log.With(taskid.Field, taskID)

	// From here on this runner owns the task: other runners are refused until the lease
	// expires.
	lease, err := r.Tasks.Acquire(ctx, taskID, r.Owner, task.AcquireOptions{TakeOver: takeOver})
	if err != nil {
		log.Log(ctx, r.levelOf(ctx, taskID, err), "task not started by this process", "reason", err)
		return
	}
	rec := lease.Record()
	log.InfoContext(ctx, "task started",
		"type", rec.Type, "cluster", rec.ClusterName, "table", rec.TableName, "attempt", rec.Attempts)
	if rec.Attempts > maxAttempts {
		err := fault.New(fault.Internal, "the task was given up after %d attempts, none of which ended it", maxAttempts)
		r.settle(ctx, log, lease, Outcome{}, err, nil)
		return
	}

	// The lease is renewed while the handler works. stop must be called before the
	// outcome is stored.
	progress := &latestProgress{}
	work, stop := lease.KeepAlive(ctx, task.Intervals{}, progress.get)
	outcome, err := r.handle(work, rec, progress.set)
	lost := stop()

	r.settle(ctx, log, lease, outcome, err, lost)
}

// levelOf returns the level at which to log that a lease was not acquired: debug if the
// task has ended or has another runner, or if the process stops, because all this is
// normal; otherwise warn. A task that a newer version has stored waits until that version
// runs, and every sweep finds it. It is a warning once.
func (r *Runner) levelOf(ctx context.Context, taskID string, err error) slog.Level {
	if errors.Is(err, task.ErrNewer) {
		if _, known := r.newer.LoadOrStore(taskID, true); known {
			return slog.LevelDebug
		}
		return slog.LevelWarn
	}
	code := fault.CodeOf(err)
	if code == fault.Conflict || code == fault.NotFound || ctx.Err() != nil {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// handle calls the handler of the task. A panic of the handler ends the task, not the
// process.
func (r *Runner) handle(
	ctx context.Context, rec task.Record, report func(task.Progress),
) (_ Outcome, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fault.Wrap(fmt.Errorf("panic: %v\n%s", cause, debug.Stack()), fault.Internal,
				"the task failed because of a defect in ACE; the log has the details")
		}
	}()
	handler, ok := r.Handlers[rec.Type]
	if !ok {
		return Outcome{}, fault.New(fault.Internal, "this version cannot run tasks of type %q", rec.Type)
	}
	return handler(ctx, rec, report)
}

// settle stores how the task ended. err is the error of the work. lost is nil, or the
// reason why the renewal of the lease stopped the work: the lease was lost, a request to
// cancel arrived, or the store was unreachable. settle does not end the task if the lease
// was lost, if the store is unreachable, or if the task is handed over.
func (r *Runner) settle(
	ctx context.Context, log *slog.Logger, lease *task.Lease, outcome Outcome, err, lost error,
) {
	storing, cancel := outlasting(ctx)
	defer cancel()

	end := task.Outcome{Status: task.Completed, Result: outcome.Result, Document: outcome.Document, Report: outcome.Report, Scripts: outcome.Scripts}
	cancelled := fault.CodeOf(lost) == fault.Cancelled
	switch {
	case errors.Is(lost, task.ErrLeaseLost):
		log.WarnContext(ctx, "lease lost: another runner works on the task")
		r.leaseLost()
		return
	case err == nil && (lost == nil || cancelled): // a request to cancel arrived after the work was done
	case lost == nil && r.isHandover(ctx, err):
		r.handOver(storing, log, lease)
		return
	case cancelled || lost == nil && r.wasCancelled(storing, lease, err):
		end.Status = task.Cancelled
		end.Document = nil
		end.Error = cancellation(err, lost)
	case lost != nil: // The archive is unreachable, so nothing can be stored. Finished units are in the parts.
		log.WarnContext(ctx, "task interrupted; it will continue when the archive is reachable", "error", lost)
		r.leaseLost()
		return
	default:
		end.Status = task.Failed
		end.Error = err
	}

	// The task has ended once this write succeeds. After an earlier crash, the next runner
	// repeats the run.
	if err := r.finish(storing, lease, end); err != nil {
		log.ErrorContext(ctx, "outcome not stored; the task will be run again", "error", err)
		if errors.Is(err, task.ErrLeaseLost) {
			r.leaseLost()
		}
		return
	}
	logEnd(ctx, log, lease.Record(), end)

	// After a crash or failure here the open marker still exists, and the sweep completes
	// the cleanup.
	if err := lease.Clear(storing); err != nil {
		log.WarnContext(ctx, "cleanup failed; the next sweep retries it", "error", err)
	}
}

func (r *Runner) leaseLost() {
	if r.LeaseLost != nil {
		r.LeaseLost()
	}
}

// wasCancelled reports whether the work ended with err because it found a request to
// cancel the task, before the goroutine that renews the lease found the request. For
// example, a unit of a repair checks for the request itself (task.Registry.CheckLease).
func (r *Runner) wasCancelled(ctx context.Context, lease *task.Lease, err error) bool {
	if fault.CodeOf(err) != fault.Cancelled {
		return false
	}
	requested := false
	_ = untilStored().Do(ctx, func() (err error) {
		requested, err = r.Tasks.CancelRequested(ctx, lease.Record().TaskID)
		return err
	})
	return requested
}

// cancellation returns the error to store for a cancelled task. If err, the error of the
// work, is about the cancellation too, cancellation returns err, because err has more
// details. Otherwise it returns lost.
func cancellation(err, lost error) error {
	if lost == nil || fault.CodeOf(err) == fault.Cancelled {
		return err
	}
	return lost
}

func (r *Runner) isHandover(ctx context.Context, err error) bool {
	return r.Handover != nil && (errors.Is(context.Cause(ctx), r.Handover) || errors.Is(err, r.Handover))
}

// handOver releases the lease and starts the task again. A failure only delays the task:
// its lease expires, and then the sweep starts it.
func (r *Runner) handOver(ctx context.Context, log *slog.Logger, lease *task.Lease) {
	release := lease.Release
	if r.NoProgress != nil && r.NoProgress() {
		release = lease.Forfeit
	}

	// After this write any runner may acquire the task.
	if err := release(ctx); err != nil {
		log.WarnContext(ctx, "lease not released; it will expire", "error", err)
		return
	}
	log.InfoContext(ctx, "task interrupted; it will continue at the next start")
	if r.Restart == nil {
		return
	}
	if err := r.Restart(ctx, lease.Record().TaskID); err != nil {
		log.WarnContext(ctx, "task not started again; the sweeper will start it", "error", err)
	}
}

// outlasting returns a context for storing an outcome. It ends after finishTimeout, or
// earlier: when grace has passed since ctx ended.
func outlasting(ctx context.Context) (context.Context, context.CancelFunc) {
	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return storing, func() {
		stop()
		cancel()
	}
}

// finish stores the outcome. It retries while the store is unreachable, until ctx ends.
func (r *Runner) finish(ctx context.Context, lease *task.Lease, end task.Outcome) error {
	return untilStored().Do(ctx, func() error {
		_, err := lease.Finish(ctx, end)
		return err
	})
}

// untilStored returns the policy for calls of the store when the work has ended.
func untilStored() retry.Policy {
	return retry.Policy{
		Backoff:   retry.Backoff{First: finishWait, Max: finishWait},
		Retryable: fault.Retryable,
	}
}

func logEnd(ctx context.Context, log *slog.Logger, rec task.Record, end task.Outcome) {
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("status", string(rec.Status))}
	if rec.StartedAt != nil && rec.FinishedAt != nil {
		attrs = append(attrs, slog.Float64("seconds", math.Round(rec.FinishedAt.Sub(*rec.StartedAt).Seconds()*1000)/1000))
	}
	attrs = append(attrs, counts(end.Result)...)
	if end.Error != nil {
		attrs = append(attrs, slog.Any("error", end.Error))
		level = slog.LevelWarn
	}
	log.LogAttrs(ctx, level, "task ended", attrs...)
}

// counts returns what the log shows of a result: the verdict and the row counts of a
// comparison, or the row counts of a repair or undo, added up over all nodes.
func counts(result json.RawMessage) []slog.Attr {
	var of struct {
		Verdict        string `json:"verdict"`
		TotalRows      *int64 `json:"total_rows"` // nil if the task compared no rows
		MismatchedRows int64  `json:"mismatched_rows"`
		Nodes          map[string]struct {
			Inserted, Updated, Deleted, Unrepairable int64
		} `json:"nodes"`
	}
	if json.Unmarshal(result, &of) != nil {
		return nil
	}
	if of.Nodes == nil {
		if of.Verdict == "" {
			return nil
		}
		if of.TotalRows == nil {
			return []slog.Attr{slog.String("verdict", of.Verdict)}
		}
		return []slog.Attr{
			slog.String("verdict", of.Verdict), slog.Int64("total_rows", *of.TotalRows), slog.Int64("mismatched_rows", of.MismatchedRows),
		}
	}

	var inserted, updated, deleted, unrepairable int64
	for _, node := range of.Nodes {
		inserted += node.Inserted
		updated += node.Updated
		deleted += node.Deleted
		unrepairable += node.Unrepairable
	}
	return []slog.Attr{
		slog.Int64("inserted", inserted), slog.Int64("updated", updated), slog.Int64("deleted", deleted), slog.Int64("unrepairable", unrepairable),
	}
}
