package app

import (
	"context"
	"runtime"
	"time"

	"ace/shared/patience"
	"ace/shared/runner"
	"ace/shared/service"
	"ace/shared/setdiff"
	"ace/shared/tablediff"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

// Capacity describes where an invoker runs units of work, and how many it can run at
// once.
type Capacity struct {
	// Parallel is the number of units that run at once if max_cpu_ratio is 1.
	Parallel int
	// InProcess means that the worker of the same App does all units, in this process.
	InProcess bool
}

// LocalCapacity returns the capacity of this process: one unit for each CPU that the
// process may use, as limited by its container or by GOMAXPROCS.
func LocalCapacity() Capacity { return Capacity{Parallel: runtime.GOMAXPROCS(0), InProcess: true} }

// Handlers returns the handler of each task type. The handlers pass the units of
// comparisons to invoker. A handler that compares several tables passes the task of each
// table to tables.
func (a *App) Handlers(invoker tablediff.Invoker, tables setdiff.Runner, capacity Capacity) map[task.Type]runner.Handler {
	var local tablediff.LocalWorker
	statement := a.options.StatementTimeout
	if capacity.InProcess {
		local = a.worker
	} else if limit := a.options.UnitTimeout / 2; limit > 0 { // half, because a unit also waits for connections and writes its part
		statement = min(statement, limit)
	}
	diffs := tablediff.NewCoordinator(tablediff.CoordinatorOptions{
		Store: a.options.Store, Nodes: a.nodes(), Invoker: invoker, LocalWorker: local, StatementMax: statement, SnapshotMax: a.options.SnapshotMax, Log: a.options.Log,
	})
	executor := &service.Executor{
		Tasks: a.tasks, Clusters: a.options.Clusters, Renderings: a.renderings,
		Diffs: diffs, Nodes: askedNodes{a},
		Store: a.options.Store, Replication: replicationReader{a.states},
		Sets:     setdiff.New(setdiff.Options{Store: a.options.Store, Tasks: a.tasks, Runner: tables, Now: time.Now, Log: a.options.Log}),
		Repairs:  tablerepair.NewCoordinator(a.options.Store, a.repairNodes(), a.repair, a.options.Log).WaitForAbandoned(a.options.abandoned()),
		Parallel: capacity.Parallel, Log: a.options.Log,
		Patience: a.options.Patience, ScheduledPatience: scheduledPatience * a.options.Patience,
		Outages: &patience.Outages{},
	}
	return executor.Handlers()
}

// RunChild is a function that runs the task of one table for its parent, a task that
// compares several tables. It implements setdiff.Runner.
type RunChild func(ctx context.Context, parent, taskID string) error

// RunChild implements setdiff.Runner.
func (run RunChild) RunChild(ctx context.Context, parent, taskID string) error {
	return run(ctx, parent, taskID)
}
