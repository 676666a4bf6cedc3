package function

import (
	"context"
	"os"
	"time"

	"ace/shared/app"
	"ace/shared/invoke"
	"ace/shared/invoke/awslambda"
	"ace/shared/runner"
)

// RunTask runs a task to its end, or as far as the invocation's time goes: then it lets the units in flight come back,
// gives the lease back and has itself started again, to go on from the parts. A task that somebody else runs, or that has
// ended, is left alone.
func (f *Function) RunTask(ctx context.Context, start invoke.TaskStart) {
	now := time.Now()
	end := usable(ctx, now)
	ctx, cancel := context.WithDeadlineCause(ctx, end, awslambda.ErrStopped)
	defer cancel()
	dispatching, stop := context.WithDeadline(ctx, dispatchUntil(now, end, f.config.UnitTimeout))
	defer stop()
	dispatcher := f.Invoker.Dispatch(dispatching.Done())
	runner.New(runner.Options{
		Tasks: f.Tasks(), Handlers: f.Handlers(dispatcher, app.Capacity{Parallel: f.config.MaxInvocations}), Owner: owner(),
		Handover: awslambda.ErrStopped, NoProgress: dispatcher.Idle, Restart: f.Invoker.Start, Log: f.log,
	}).Run(ctx, start.TaskID, false)
}

// owner names this execution environment in leases.
func owner() string { return "task runner " + os.Getenv("AWS_LAMBDA_LOG_STREAM_NAME") }
