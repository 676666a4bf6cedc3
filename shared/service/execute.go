package service

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"ace/shared/diffarchive"
	"ace/shared/fault"
	"ace/shared/runner"
	"ace/shared/tablediff"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

// progressEvery is the shortest time between two log lines about the progress of a task.
const progressEvery = 10 * time.Second

// Executor executes tasks: it reads the stored request, runs the engine and computes the
// task's result. It is safe for concurrent use.
type Executor struct {
	Tasks      *task.Registry
	Clusters   Clusters
	Renderings *diffarchive.Renderings
	Diffs      *tablediff.Coordinator
	Repairs    *tablerepair.Coordinator
	Parallel   int // units of work that run at once if max_cpu_ratio is 1
	Log        *slog.Logger
}

// Handlers returns the handler of each task type.
func (e *Executor) Handlers() map[task.Type]runner.Handler {
	return map[task.Type]runner.Handler{
		task.TableDiff:   e.tableDiff,
		task.TableRerun:  e.tableRerun,
		task.TableRepair: e.tableRepair,
		task.TableUndo:   e.tableUndo,
	}
}

// readRequest decodes the request that a task stores.
func readRequest(rec task.Record, req any) error {
	if err := json.Unmarshal(rec.Parameters, req); err != nil {
		return fault.Wrap(err, fault.Internal, "the parameters of task %s cannot be read", rec.TaskID)
	}
	return nil
}

// logged returns a function that calls report and also logs the progress, at most once
// per progressEvery. The function must not be called concurrently.
func (e *Executor) logged(ctx context.Context, taskID string, report func(task.Progress)) func(task.Progress) {
	last := time.Now()
	return func(p task.Progress) {
		report(p)
		now := time.Now()
		if now.Sub(last) < progressEvery {
			return
		}
		last = now
		e.Log.LogAttrs(ctx, slog.LevelInfo, "progress",
			slog.String("task_id", taskID), slog.String("phase", p.Phase),
			slog.Int("blocks_done", p.BlocksDone), slog.Int("blocks_total", p.BlocksTotal),
			slog.Int64("rows_compared", p.RowsCompared), slog.Int64("mismatched_rows", p.MismatchedRows))
	}
}
