// Package runner runs tasks: it takes the lease, keeps it alive while the capability works, stores how the task ended and
// clears up what only the work needed. Whatever happens to the process, the task can be run again from its parts.
//
// Running a task that ended, or that somebody else runs, does nothing: any start may be repeated.
package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"ace/shared/fault"
	"ace/shared/retry"
	"ace/shared/task"
)

// Outcome is what a capability ended with. A result and a report that come with an error are stored as well: they say what
// was done before the work failed or was cancelled.
type Outcome struct {
	Result   json.RawMessage
	Document *task.Document
	Report   *task.Document
}

// Handler does the tasks of one type. It must return soon after its context has ended.
type Handler func(ctx context.Context, rec task.Record, report func(task.Progress)) (Outcome, error)

// Options of a runner.
type Options struct {
	Tasks    *task.Registry
	Handlers map[task.Type]Handler
	Owner    string // names this process in leases and errors
	// Handover gives the lease back instead of ending the task: as the cause of a context's end, or as the work's error.
	Handover error
	// NoProgress, if set, says at a hand-over that the attempt has brought the task no further: then it counts.
	NoProgress func() bool
	// Restart, if set, has a task started again whose lease was given back.
	Restart func(ctx context.Context, taskID string) error
	Log     *slog.Logger
}

// Runner runs tasks.
type Runner struct{ Options }

// New makes a runner.
func New(o Options) *Runner { return &Runner{Options: o} }

const (
	// maxAttempts ends a task that nobody gets to its end, one that brings the process down above all.
	maxAttempts = 20
	// finishTimeout bounds the storing of an outcome, which goes on after the work's context has ended, grace how long
	// after the end of the runner's own: a service that is told to stop has little time.
	finishTimeout = 20 * time.Second
	grace         = 3 * time.Second
	finishWait    = 500 * time.Millisecond
)

// Run runs one task to its end, if nobody else does. takeOver says that whoever lease its lease is known to be dead.
func (r *Runner) Run(ctx context.Context, taskID string, takeOver bool) {
	log := r.Log.With("task_id", taskID)
	lease, err := r.Tasks.Acquire(ctx, taskID, r.Owner, task.AcquireOptions{TakeOver: takeOver})
	if err != nil {
		log.Log(ctx, notStarted(ctx, err), "task not started here", "reason", err)
		return
	}
	rec := lease.Record()
	log.InfoContext(ctx, "task started", "type", rec.Type, "cluster", rec.ClusterName, "table", rec.TableName, "attempt", rec.Attempts)
	if rec.Attempts > maxAttempts {
		err := fault.New(fault.Internal, "given up after %d attempts, none of which came to an end", maxAttempts)
		r.settle(ctx, log, lease, Outcome{}, err, nil)
		return
	}
	reports := newLatest()
	work, stop := lease.KeepAlive(ctx, task.Intervals{}, reports.get)
	outcome, err := r.work(work, rec, reports.set)
	lost := stop()
	r.settle(ctx, log, lease, outcome, errors.Join(lost, err), lost)
}

// notStarted is how loudly to say why a lease was not acquired. That a task has ended, or that somebody else runs it, is
// nothing unusual; neither is any error when the process stops.
func notStarted(ctx context.Context, err error) slog.Level {
	code := fault.CodeOf(err)
	if code == fault.Conflict || code == fault.NotFound || ctx.Err() != nil {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// work has the capability do the task; a panic of it ends the task, not the process.
func (r *Runner) work(ctx context.Context, rec task.Record, report func(task.Progress)) (_ Outcome, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fault.Wrap(fmt.Errorf("panic: %v\n%s", cause, debug.Stack()), fault.Internal, "the task failed: this is a defect; the log has the details")
		}
	}()
	work, ok := r.Handlers[rec.Type]
	if !ok {
		return Outcome{}, fault.New(fault.Internal, "this version cannot run tasks of type %q", rec.Type)
	}
	return work(ctx, rec, report)
}

// settle stores how the task ended. A runner that has lost the lease, or is told to hand over, ends nothing.
func (r *Runner) settle(ctx context.Context, log *slog.Logger, lease *task.Lease, outcome Outcome, err, lost error) {
	done, cancel := lasting(ctx)
	defer cancel()
	end := task.Outcome{Status: task.Completed, Result: outcome.Result, Document: outcome.Document, Report: outcome.Report}
	switch {
	case err == nil:
	case errors.Is(lost, task.ErrLeaseLost):
		log.WarnContext(ctx, "task is run by somebody else now")
		return
	case lost == nil && r.handsOver(ctx, err):
		r.handOver(done, log, lease)
		return
	case fault.CodeOf(lost) == fault.Cancelled:
		end = task.Outcome{Status: task.Cancelled, Result: outcome.Result, Report: outcome.Report, Error: lost}
	case lost != nil: // nothing can be stored now; what was done is in the parts
		log.WarnContext(ctx, "task interrupted: it goes on when the archive is back", "error", lost)
		return
	default:
		end = task.Outcome{Status: task.Failed, Result: outcome.Result, Report: outcome.Report, Error: err}
	}
	if err := r.finish(done, lease, end); err != nil {
		log.ErrorContext(ctx, "outcome not stored: the task will be run again", "error", err)
		return
	}
	logEnd(ctx, log, lease.Record(), end)
	if err := lease.Clear(done); err != nil {
		log.WarnContext(ctx, "working files not removed: that is tried again when open tasks are looked for", "error", err)
	}
}

func (r *Runner) handsOver(ctx context.Context, err error) bool {
	return r.Handover != nil && (errors.Is(context.Cause(ctx), r.Handover) || errors.Is(err, r.Handover))
}

// handOver gives the lease back and has the task started again. What fails here costs time only: the lease runs out, and
// whoever looks for open tasks starts them.
func (r *Runner) handOver(ctx context.Context, log *slog.Logger, lease *task.Lease) {
	giveBack := lease.Release
	if r.NoProgress != nil && r.NoProgress() {
		giveBack = lease.Forfeit
	}
	if err := giveBack(ctx); err != nil {
		log.WarnContext(ctx, "lease not given back: it will run out", "error", err)
		return
	}
	log.InfoContext(ctx, "task interrupted: it goes on at the next start")
	if r.Restart == nil {
		return
	}
	if err := r.Restart(ctx, lease.Record().TaskID); err != nil {
		log.WarnContext(ctx, "task not started again: the sweep will", "error", err)
	}
}

// lasting gives a context that goes on when ctx has ended, but not for long.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return done, func() {
		stop()
		cancel()
	}
}

// finish stores the outcome, again and again while the store is out of reach and time is left.
func (r *Runner) finish(ctx context.Context, lease *task.Lease, end task.Outcome) error {
	policy := retry.Policy{Backoff: retry.Backoff{First: finishWait, Max: finishWait}, Retryable: fault.Retryable}
	return policy.Do(ctx, func() error {
		_, err := lease.Finish(ctx, end)
		return err
	})
}

func logEnd(ctx context.Context, log *slog.Logger, rec task.Record, end task.Outcome) {
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("status", string(rec.Status))}
	if rec.StartedAt != nil && rec.FinishedAt != nil {
		attrs = append(attrs, slog.Duration("took", rec.FinishedAt.Sub(*rec.StartedAt)))
	}
	if end.Error != nil {
		attrs = append(attrs, slog.Any("error", end.Error))
		level = slog.LevelWarn
	}
	log.LogAttrs(ctx, level, "task ended", attrs...)
}
