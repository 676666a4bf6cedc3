package service

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"ace/shared/archive"
	"ace/shared/cluster"
	"ace/shared/diffarchive"
	"ace/shared/fault"
	"ace/shared/patience"
	"ace/shared/runner"
	"ace/shared/setdiff"
	"ace/shared/tablediff"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

// progressEvery is the shortest time between two log lines about the progress of a task.
const progressEvery = 10 * time.Second

// Executor executes tasks: it reads the stored request, runs the engine and computes the
// task's result. It is safe for concurrent use.
type Executor struct {
	Tasks       *task.Registry
	Clusters    Clusters
	Renderings  *diffarchive.Renderings
	Diffs       *tablediff.Coordinator
	Sets        *setdiff.Coordinator
	Store       archive.Store // the archive, in which the documents of replication-diff are stored
	Replication ReplicationReader
	Nodes       Nodes
	Repairs     *tablerepair.Coordinator
	Parallel    int // units of work that run at once if max_cpu_ratio is 1
	// Patience is how long a step of a task tolerates that a node or the store cannot be
	// used. ScheduledPatience is the same for a task that a schedule submitted.
	Patience, ScheduledPatience time.Duration
	Outages                     *patience.Outages // shared by all tasks; may be nil
	Log                         *slog.Logger
}

// Handlers returns the handler of each task type.
func (e *Executor) Handlers() map[task.Type]runner.Handler {
	return map[task.Type]runner.Handler{
		task.TableDiff:   e.handler(e.tableDiff),
		task.TableRerun:  e.handler(e.tableRerun),
		task.TableRepair: e.handler(e.tableRepair),
		task.TableUndo:   e.handler(e.tableUndo),
		task.SchemaDiff:  e.handler(e.schemaDiff),
		task.RepsetDiff:  e.handler(e.repsetDiff),

		task.ReplicationDiff: e.handler(e.replicationDiff),
	}
}

// execution is one execution of a task.
type execution struct {
	rec      task.Record
	patience patience.Budget
	report   func(task.Progress) // stores the progress of the task; it is safe for concurrent use
}

// handler converts a function that executes a task to a runner.Handler.
func (e *Executor) handler(execute func(context.Context, execution) (runner.Outcome, error)) runner.Handler {
	return func(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
		w := &waitReporter{report: report}
		budget := patience.Budget{For: e.Patience, Log: e.Log.With("task_id", rec.TaskID), Outages: e.Outages, Waiting: w.waiting}
		if rec.Scheduled {
			budget.For = e.ScheduledPatience
		}
		return execute(ctx, execution{rec: rec, patience: budget, report: w.progress})
	}
}

// waitReporter passes the progress of a task on to report. While a step of the task
// waits, it adds the reason to the progress (Retrying), until the task reports its next
// progress.
type waitReporter struct {
	mu     sync.Mutex
	last   task.Progress
	report func(task.Progress)
}

func (w *waitReporter) progress(p task.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = p
	w.report(p)
}

func (w *waitReporter) waiting(reason error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.last
	p.Retrying = fault.PublicMessage(reason)
	w.report(p)
}

// loadCluster reads the definition of a cluster. It retries a failed read as long as the
// task's patience allows, because the definition may be in a bucket that cannot be
// reached for a while.
func (e *Executor) loadCluster(ctx context.Context, x execution, name string) (definition cluster.Cluster, err error) {
	err = x.patience.Do(ctx, "reading the cluster definition", func() (err error) {
		definition, err = e.Clusters.Load(ctx, name)
		return err
	})
	return definition, err
}

// comparedTargets loads the cluster's definition, and returns the name of the database
// and the nodes to compare.
func (e *Executor) comparedTargets(
	ctx context.Context, x execution, clusterName, dbname string, nodes []string,
) (database string, targets []cluster.Target, err error) {
	definition, err := e.loadCluster(ctx, x, clusterName)
	if err != nil {
		return "", nil, err
	}
	return comparedTargets(definition, dbname, nodes)
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
			slog.Int("tables_done", p.TablesDone), slog.Int("tables_total", p.TablesTotal),
			slog.Int64("rows_compared", p.RowsCompared), slog.Int64("mismatched_rows", p.MismatchedRows))
	}
}
