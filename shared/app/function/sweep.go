package function

import (
	"context"
	"slices"
	"sync/atomic"

	"ace/shared/fanout"
	"ace/shared/fault"
)

// sweptAtOnce is how many tasks a sweep checks in parallel.
const sweptAtOnce = 16

// Sweep restarts the open tasks without a runner: those whose runner died or whose start
// failed. It ends a task as FAILED if the task was restarted too often and no runner
// acquired its lease. It deletes the working objects (plan, parts, ...) of ended tasks.
func (f *Function) Sweep(ctx context.Context) error {
	ids, err := f.Tasks().Open(ctx)
	if err != nil {
		return err
	}

	var failed atomic.Int64
	err = fanout.Each(ctx, sweptAtOnce, slices.Values(ids), func(ctx context.Context, id string) error {
		if err := f.restart(ctx, id); err != nil {
			failed.Add(1)
			f.log.WarnContext(ctx, "task not checked; the next sweep retries it", "task_id", id, "error", err)
		}
		return nil // a failure must not prevent the check of the other tasks
	})
	if n := failed.Load(); err == nil && n > 0 {
		err = fault.New(fault.Unavailable, "%d of %d open tasks could not be checked; the log has the reasons", n, len(ids))
	}
	f.deliverLeft(ctx)
	return err
}

func (f *Function) restart(ctx context.Context, id string) error {
	due, err := f.Tasks().Restart(ctx, id)
	if err != nil || !due {
		return err
	}
	f.log.InfoContext(ctx, "task without a runner restarted", "task_id", id)
	return f.Invoker.Start(ctx, id)
}
