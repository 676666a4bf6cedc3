package app

import (
	"runtime"

	"ace/shared/patience"
	"ace/shared/runner"
	"ace/shared/service"
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
// comparisons to invoker.
func (a *App) Handlers(invoker tablediff.Invoker, capacity Capacity) map[task.Type]runner.Handler {
	var local tablediff.LocalWorker
	if capacity.InProcess {
		local = a.worker
	}
	diffs := tablediff.NewCoordinator(tablediff.CoordinatorOptions{
		Store: a.options.Store, Nodes: a.nodes(), Invoker: invoker, LocalWorker: local, Log: a.options.Log,
	})
	executor := &service.Executor{
		Tasks: a.tasks, Clusters: a.options.Clusters, Renderings: a.renderings,
		Diffs: diffs, Repairs: tablerepair.NewCoordinator(a.options.Store, a.repairNodes(), a.repair, a.options.Log).WaitForAbandoned(a.options.abandoned()),
		Parallel: capacity.Parallel, Log: a.options.Log,
		Patience: a.options.Patience, ScheduledPatience: scheduledPatience * a.options.Patience,
		Outages: &patience.Outages{},
	}
	return executor.Handlers()
}
