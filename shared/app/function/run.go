package function

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"ace/shared/app"
	"ace/shared/invoke"
	"ace/shared/invoke/awslambda"
	"ace/shared/runner"
)

// RunTask runs the task start.TaskID to its end, or until the invocation's time is nearly
// over. In the second case it waits for the running units, releases the lease and starts
// another invocation, which continues from the stored parts. RunTask does nothing if
// another runner has the task's lease. If the task has ended, it only completes the
// task's cleanup, and sends the task's event.
func (f *Function) RunTask(ctx context.Context, start invoke.TaskStart) {
	f.runTask(ctx, start.TaskID)
	f.deliver(ctx, start.TaskID)
}

// runTask does what RunTask does, except sending the event of the task.
func (f *Function) runTask(ctx context.Context, taskID string) {
	now := time.Now()
	end := workDeadline(ctx, now)
	ctx, cancel := context.WithDeadlineCause(ctx, end, awslambda.ErrStopped)
	defer cancel()
	dispatching, stop := context.WithDeadline(ctx, dispatchUntil(now, end, f.config.UnitTimeout))
	defer stop()
	dispatcher := f.Invoker.Dispatch(dispatching.Done())

	var rows atomic.Int64
	defer func() { f.metrics.RowsCompared(rows.Load()) }()
	counted := app.CountRows(dispatcher, func(n int64) { rows.Add(n) })
	running := runner.Options{
		Tasks: f.Tasks(), Owner: owner(), Handover: awslambda.ErrStopped, NoProgress: dispatcher.Idle, LeaseLost: f.metrics.LeaseLost, Log: f.log,
	}

	// A task that compares several tables runs the tasks of its tables in this invocation.
	// If they ran in other invocations, this one would only wait for them. At a handover,
	// only the parent is started again (own.Restart), and then runs the tasks of the tables.
	slots := make(chan struct{}, runnerConns) // planning a table uses one connection to each node
	tables := app.RunChild(func(_ context.Context, _, taskID string) error {
		slots <- struct{}{}
		defer func() { <-slots }()
		runner.New(running).Run(ctx, taskID, false)
		if dispatching.Err() != nil {
			return awslambda.ErrStopped
		}
		return nil
	})
	running.Handlers = f.Handlers(counted, tables, app.Capacity{Parallel: f.config.MaxInvocations})

	own := running
	own.Restart = f.Invoker.Start
	runner.New(own).Run(ctx, taskID, false)
}

// owner returns the name by which leases identify this execution environment.
func owner() string { return "task runner " + os.Getenv("AWS_LAMBDA_LOG_STREAM_NAME") }
