// Package app puts the service together: it is the only package that knows both the capabilities and the adapters. The
// functions and the local service differ in what they give it (a store, a way to start tasks, a way to have units
// done), not in what they get.
package app

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/cluster"
	"ace/shared/cluster/awslogin"
	"ace/shared/diffarchive"
	"ace/shared/diffindex"
	"ace/shared/endpoint"
	"ace/shared/fault"
	"ace/shared/invoke"
	"ace/shared/pg"
	"ace/shared/retention"
	"ace/shared/service"
	"ace/shared/tablediff/worker"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

// Options of an application.
type Options struct {
	Store    archive.Store
	Location archive.Location // where Store lies, as diff_file may name it
	Clusters cluster.Source
	// MaxConns caps the connections to one node.
	MaxConns         int
	StatementTimeout time.Duration
	// SnapshotMax is how long the units of one pass over a table's pages may share a snapshot.
	SnapshotMax time.Duration
	// Lease is how long a task may go without a sign of life; 0: task.LeaseDuration.
	Lease time.Duration
	// Patience bounds the waits for a node that is in trouble, those of one unit of work together; 0: 16 seconds, in which a
	// node has restarted or has connections to spare again.
	Patience  time.Duration
	MaxImport int64 // bytes of an imported document; 0 is 1 GiB
	Log       *slog.Logger
}

// defaultMaxImport is what an imported document may have by default.
const defaultMaxImport = 1 << 30

func (o Options) maxImport() int64 { return cmp.Or(o.MaxImport, defaultMaxImport) }

// App is the service's parts. It must be closed.
type App struct {
	options    Options
	tasks      *task.Registry
	diffs      *diffindex.Index
	pools      *pg.Pools
	worker     *worker.Worker
	repair     tablerepair.Invoker // a repair is one transaction, which the runner's own process does
	renderings *diffarchive.Renderings
}

const defaultPatience = 16 * time.Second

// New makes an application. It contacts nobody.
func New(o Options) *App {
	o.Patience = cmp.Or(o.Patience, defaultPatience)
	a := &App{
		options:    o,
		tasks:      task.NewRegistry(o.Store, time.Now).WithLease(cmp.Or(o.Lease, task.LeaseDuration)),
		diffs:      diffindex.New(o.Store),
		renderings: diffarchive.NewRenderings(o.Store),
		pools:      pg.NewPools(pg.Options{MaxConns: o.MaxConns, StatementTimeout: o.StatementTimeout, Passwords: awslogin.New()}),
	}
	a.tasks.OnPublished(a.diffs.Add)
	a.worker = worker.New(o.Store, a.nodes(), o.SnapshotMax)
	a.repair = repairInvoker{invoke.Handle(tablerepair.NewWorker(o.Store, a.repairNodes(), a.tasks).Do, a.unitFailed)}
	return a
}

// Close closes the connections to the nodes.
func (a *App) Close() { a.pools.Close() }

// Tasks gives the tasks' registry.
func (a *App) Tasks() *task.Registry { return a.tasks }

// Retention gives the sweeper of what is older than it must be kept.
func (a *App) Retention() *retention.Sweeper {
	return &retention.Sweeper{Store: a.options.Store, Tasks: a.tasks, Diffs: a.diffs, Now: time.Now}
}

// Worker is the handler of units of work, in bytes.
func (a *App) Worker() invoke.Handler {
	return invoke.Handle(a.worker.Do, a.unitFailed)
}

func (a *App) unitFailed(ctx context.Context, err error) {
	level := slog.LevelDebug // the task's own end is logged once, where the runner stores it
	if fault.CodeOf(err) == fault.Internal {
		level = slog.LevelError // the answer carries no cause
	}
	a.options.Log.Log(ctx, level, "unit failed", "error", err)
}

// service gives the use cases.
func (a *App) service(starter service.Starter) *service.Service {
	return &service.Service{
		Tasks: a.tasks, Diffs: a.diffs, Store: a.options.Store, Location: a.options.Location, Renderings: a.renderings,
		MaxImport: a.options.maxImport(), BeforeImages: tablerepair.NewBeforeImages(a.options.Store), Clusters: a.options.Clusters, Starter: starter, Now: time.Now, Log: a.options.Log,
	}
}

// Endpoints is what the service answers, the same under every transport.
func (a *App) Endpoints(starter service.Starter) []endpoint.Endpoint {
	s := a.service(starter)
	return []endpoint.Endpoint{
		endpoint.JSON(api.RouteTableDiff, api.DecodeTableDiff, s.SubmitTableDiff),
		endpoint.JSON(api.RouteTableRerun, api.DecodeTableRerun, s.SubmitTableRerun),
		endpoint.JSON(api.RouteTableRepair, api.DecodeTableRepair, s.SubmitTableRepair),
		endpoint.JSON(api.RouteTableUndo, api.DecodeTableUndo, s.SubmitTableUndo),
		endpoint.JSON(api.RouteTaskStatus, api.DecodeTask, s.TaskStatus),
		endpoint.JSON(api.RouteTaskCancel, api.DecodeTask, s.CancelTask),
		endpoint.JSON(api.RouteTasks, api.DecodeTasks, s.ListTasks),
		endpoint.Receiving(endpoint.JSON(api.RouteDiffs, api.DecodeDiffs, s.ListDiffs), a.options.maxImport(), api.DecodeImport, s.Import),
		endpoint.Download(api.RouteDiff, api.DecodeDiff, s.Diff),
		endpoint.Download(api.RouteReport, api.DecodeTask, s.Report),
		endpoint.Download(api.RouteBefore, api.DecodeTask, s.RowsBefore),
		endpoint.JSON(api.RouteHealth, api.DecodeHealth, s.Health),
	}
}
