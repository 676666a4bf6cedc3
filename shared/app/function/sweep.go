package function

import (
	"context"
	"slices"
	"sync/atomic"

	"ace/shared/fanout"
	"ace/shared/fault"
)

// sweptAtOnce is how many tasks a sweep looks at at the same time.
const sweptAtOnce = 16

// Sweep starts the tasks that nobody runs: those of a runner that died, or whose start failed. It ends those that no
// runner takes, and clears up behind those that have ended.
func (f *Function) Sweep(ctx context.Context) error {
	ids, err := f.Tasks().Open(ctx)
	if err != nil {
		return err
	}
	var failed atomic.Int64
	err = fanout.Each(ctx, sweptAtOnce, slices.Values(ids), func(ctx context.Context, id string) error {
		if err := f.restart(ctx, id); err != nil {
			failed.Add(1)
			f.log.WarnContext(ctx, "task not looked at", "task_id", id, "error", err)
		}
		return nil // one task's trouble is not the others'
	})
	if n := failed.Load(); err == nil && n > 0 {
		err = fault.New(fault.Unavailable, "%d of %d open tasks could not be looked at: the log says why", n, len(ids))
	}
	return err
}

func (f *Function) restart(ctx context.Context, id string) error {
	due, err := f.Tasks().Restart(ctx, id)
	if err != nil || !due {
		return err
	}
	f.log.InfoContext(ctx, "task that nobody runs is started again", "task_id", id)
	return f.Invoker.Start(ctx, id)
}
