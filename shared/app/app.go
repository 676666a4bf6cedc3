// Package app connects the parts of the service: the capabilities (comparison, repair,
// runner, schedules, retention; see ARCHITECTURE.md) and the adapters (PostgreSQL, S3,
// ...). The local service and the functions pass different implementations of the store,
// the starter of tasks and the invoker of units to an App, and use the App in the same
// way.
package app

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"golang.org/x/sync/singleflight"

	"ace/docs"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/audit"
	"ace/shared/caller"
	"ace/shared/cluster"
	"ace/shared/cluster/awslogin"
	"ace/shared/diffarchive"
	"ace/shared/diffindex"
	"ace/shared/endpoint"
	"ace/shared/fault"
	"ace/shared/inventory"
	"ace/shared/invoke"
	"ace/shared/notify"
	"ace/shared/pg"
	"ace/shared/retention"
	"ace/shared/service"
	"ace/shared/tablediff/worker"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

// Options configure an application.
type Options struct {
	Store    archive.Store
	Location archive.Location // the s3:// address of Store; a diff_file may begin with it
	Clusters cluster.Source
	// DefinitionAge is how long the units of comparisons may use a cluster definition
	// without reading it again. 0 means that each unit reads it.
	DefinitionAge time.Duration
	// MaxConns is the maximum number of connections to one node.
	MaxConns         int
	StatementTimeout time.Duration
	// AnswerMargin is added to StatementTimeout. The sum bounds the wait for one statement,
	// also if the node has fallen silent and does not end the statement itself. 0 means 30
	// seconds.
	AnswerMargin time.Duration
	// RepairAnswerTimeout bounds the wait for a node that sends nothing while a repair may
	// hold locks. 0 means one minute.
	RepairAnswerTimeout time.Duration
	// RepairLockWait bounds how long an attempt of a repair waits for another repair of
	// the table to end. 0 means 30 seconds.
	RepairLockWait time.Duration
	// SnapshotMax bounds how long units of work share a snapshot when they read a table
	// by page ranges. A unit that begins later uses a new snapshot.
	SnapshotMax time.Duration
	// UnitTimeout is the time limit of a unit of work in a function. 0 means no limit.
	UnitTimeout time.Duration
	// Lease is the time without a renewal after which a task's lease expires. 0 means
	// task.LeaseDuration.
	Lease time.Duration
	// Patience is how long a step of a task tolerates that a node or the store cannot be
	// used. 0 means a minute, which is usually enough until a node has restarted or a
	// connection is free. For a scheduled task it is scheduledPatience times as long.
	Patience  time.Duration
	MaxImport int64 // maximum size of an imported document in bytes; 0 means 1 GiB
	// Files opens the files of the host that a diff_file names by their absolute path.
	// nil means that no file is read.
	Files service.Files
	// TakeSnapshot takes a snapshot of the archive for a backup. nil means that Store is a
	// bucket, which has backups of its own.
	TakeSnapshot func(ctx context.Context) (Snapshot, error)
	Version      string // of ACE, for backups
	// Sender receives the event of each ended task, if the type of the event is one of
	// EventTypes (see package api). nil means that no events are sent.
	Sender     notify.Sender
	EventTypes []string
	// Observer is notified of the tasks that this process creates and ends. It may be nil.
	Observer task.Observer
	Log      *slog.Logger
}

// Snapshot is the state of the archive at one moment.
type Snapshot = service.Snapshot

// defaultMaxImport is the default of Options.MaxImport.
const defaultMaxImport = 1 << 30

func (o Options) maxImport() int64 { return cmp.Or(o.MaxImport, defaultMaxImport) }

// App holds what all requests and tasks of a process share. The caller must call Close.
type App struct {
	options  Options
	tasks    *task.Registry
	diffs    *diffindex.Index
	audit    *audit.Log
	pools    *pg.Pools
	catalogs inventory.Connections // the connections with which tables are listed
	// states has the connections for reading how nodes replicate. They are separate, so that
	// no comparison waits for them.
	states     *pg.Pools
	probes     singleflight.Group // the running checks of clusters, by the name of the cluster
	worker     *worker.Worker
	repair     tablerepair.Invoker // runs units of repairs in this process, because a unit is one transaction
	renderings *diffarchive.Renderings
	notifier   *notify.Notifier // nil if there is no Sender
}

const (
	defaultPatience            = time.Minute
	scheduledPatience          = 10
	defaultRepairAnswerTimeout = time.Minute
	defaultAnswerMargin        = 30 * time.Second
)

// abandoned returns the time after which a server has ended a repair's transaction whose
// client is gone. First a running statement may take StatementTimeout, and then the
// server waits for the client for RepairAnswerTimeout. AnswerMargin allows for delays.
func (o Options) abandoned() time.Duration {
	return o.StatementTimeout + o.RepairAnswerTimeout + o.AnswerMargin
}

// New returns an application. It opens no connection.
func New(o Options) *App {
	o.Patience = cmp.Or(o.Patience, defaultPatience)
	o.AnswerMargin = cmp.Or(o.AnswerMargin, defaultAnswerMargin)
	o.RepairAnswerTimeout = cmp.Or(o.RepairAnswerTimeout, defaultRepairAnswerTimeout)
	a := &App{
		options:    o,
		tasks:      task.NewRegistry(o.Store, time.Now).WithLease(cmp.Or(o.Lease, task.LeaseDuration)),
		diffs:      diffindex.New(o.Store),
		audit:      audit.New(o.Store, time.Now),
		renderings: diffarchive.NewRenderings(o.Store),
		pools: pg.NewPools(pg.Options{
			MaxConns: o.MaxConns, StatementTimeout: o.StatementTimeout, AnswerMargin: o.AnswerMargin,
			RepairAnswerTimeout: o.RepairAnswerTimeout, Passwords: awslogin.New(),
		}),
	}
	a.catalogs = connect()
	a.states = pg.NewPools(pg.Options{MaxConns: 1, StatementTimeout: min(replicationStatement, cmp.Or(o.StatementTimeout, replicationStatement)), AnswerMargin: o.AnswerMargin, Passwords: awslogin.New()})
	a.tasks.OnPublished(a.diffs.Add)
	if o.Sender != nil {
		a.notifier = notify.New(notify.Options{Store: o.Store, Sender: o.Sender, Types: o.EventTypes, Now: time.Now, Log: o.Log})
		a.tasks.OnEnded(a.notifier.Add)
	}
	if o.Observer != nil {
		a.tasks.Observe(o.Observer)
	}
	a.worker = worker.New(o.Store, a.unitNodes(), o.SnapshotMax)
	a.repair = repairInvoker{invoke.Handle(tablerepair.NewWorker(o.Store, a.lockedNodes(), a.tasks).WaitForLock(o.RepairLockWait).Do, a.logUnitFailure)}
	return a
}

// Close closes the connections to the nodes.
func (a *App) Close() {
	a.pools.Close()
	a.catalogs.Close()
	a.states.Close()
}

// Tasks returns the registry of tasks.
func (a *App) Tasks() *task.Registry { return a.tasks }

// Notifier returns the notifier that sends the events of ended tasks, or nil if there is
// no Sender.
func (a *App) Notifier() *notify.Notifier { return a.notifier }

// Diffs returns the list of archived documents.
func (a *App) Diffs() *diffindex.Index { return a.diffs }

// Traffic returns how many bytes were received from the nodes and sent to them.
func (a *App) Traffic() (received, sent int64) { return a.pools.Traffic() }

// Audit returns the audit log.
func (a *App) Audit() *audit.Log { return a.audit }

// Retention returns the sweeper that deletes data older than the retention period.
func (a *App) Retention() *retention.Sweeper {
	return &retention.Sweeper{Store: a.options.Store, Tasks: a.tasks, Diffs: a.diffs, Now: time.Now}
}

// Worker returns the handler that does the units of work of comparisons.
func (a *App) Worker() invoke.Handler {
	return invoke.Handle(a.worker.Do, a.logUnitFailure)
}

// logUnitFailure logs the error of a unit of work. Errors other than Internal are logged
// by the runner too, when it stores the outcome of the task. The cause of an Internal
// error is logged only here, because the reply of the unit does not contain the cause.
func (a *App) logUnitFailure(ctx context.Context, err error) {
	level := slog.LevelDebug
	if fault.CodeOf(err) == fault.Internal {
		level = slog.LevelError
	}

	a.options.Log.Log(ctx, level, "unit failed", "error", err)
}

// service returns the Service that answers requests. starter starts the tasks that the
// Service creates.
func (a *App) service(starter service.Starter) *service.Service {
	return &service.Service{
		Tasks:        a.tasks,
		Diffs:        a.diffs,
		Audit:        a.audit,
		Store:        a.options.Store,
		Location:     a.options.Location,
		Renderings:   a.renderings,
		MaxImport:    a.options.maxImport(),
		Files:        a.options.Files,
		BeforeImages: tablerepair.NewBeforeImages(a.options.Store),
		TakeSnapshot: a.options.TakeSnapshot,
		Version:      a.options.Version,
		Clusters:     a.options.Clusters,
		Nodes:        askedNodes{a},
		Starter:      starter,
		Now:          time.Now,
		Log:          a.options.Log,
	}
}

// Refused adds to the audit log a request that its caller may not make. It is the
// function for endpoint.Options.Refused.
func (a *App) Refused(ctx context.Context, action string, refusal *caller.RefusalError) {
	e := api.AuditEntry{Action: action, ClusterName: refusal.Cluster, Reason: refusal.Error()}
	if by := caller.RequestedBy(ctx); by != nil {
		e.RequestedBy = *by
	}
	ctx, cancel := refusedContext(ctx)
	defer cancel()
	if err := a.audit.AddRefused(ctx, e); err != nil {
		a.options.Log.WarnContext(ctx, "refused request not added to the audit log", "error", err)
	}
}

// refusedTime bounds the time in which the entry of a refused request is stored.
const refusedTime = 10 * time.Second

// refusedContext returns the context in which the entry of a refused request is stored. A
// client that closes its connection at once does not prevent the entry.
func refusedContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), refusedTime)
}

// WrongToken adds to the audit log a request whose token no caller has.
func (a *App) WrongToken(ctx context.Context, by api.RequestedBy) {
	ctx, cancel := refusedContext(ctx)
	defer cancel()
	err := a.audit.AddUnknown(ctx, api.AuditEntry{Action: "authenticate", RequestedBy: by, Reason: "the token is wrong"})
	if err != nil {
		a.options.Log.WarnContext(ctx, "refused request not added to the audit log", "error", err)
	}
}

// describeAPI returns the OpenAPI description of the API. It uses neither a node nor the
// store.
func describeAPI(context.Context, api.OpenAPIRequest) (json.RawMessage, error) {
	return json.RawMessage(docs.OpenAPI()), nil
}

// Endpoints returns the endpoints of the service, which are the same for every transport.
// starter starts the tasks that the requests create.
func (a *App) Endpoints(starter service.Starter) []endpoint.Endpoint {
	s := a.service(starter)
	return []endpoint.Endpoint{
		endpoint.JSON(api.RouteTableDiff, api.DecodeTableDiff, s.SubmitTableDiff),
		endpoint.JSON(api.RouteTableRerun, api.DecodeTableRerun, s.SubmitTableRerun),
		endpoint.JSON(api.RouteTableRepair, api.DecodeTableRepair, s.SubmitTableRepair),
		endpoint.JSON(api.RouteTableUndo, api.DecodeTableUndo, s.SubmitTableUndo),
		endpoint.JSON(api.RouteSchemaDiff, api.DecodeSchemaDiff, s.SubmitSchemaDiff),
		endpoint.JSON(api.RouteRepsetDiff, api.DecodeRepsetDiff, s.SubmitRepsetDiff),
		endpoint.JSON(api.RouteReplicationDiff, api.DecodeReplicationDiff, s.SubmitReplicationDiff),
		endpoint.JSON(api.RouteTaskStatus, api.DecodeTask, s.TaskStatus),
		endpoint.JSON(api.RouteTaskCancel, api.DecodeTask, s.CancelTask),
		endpoint.JSON(api.RouteTasks, api.DecodeTasks, s.ListTasks),
		endpoint.Receiving(endpoint.JSON(api.RouteDiffs, api.DecodeDiffs, s.ListDiffs), a.options.maxImport(), api.DecodeImport, s.Import),
		endpoint.Download(api.RouteDiff, api.DecodeDiff, s.Diff),
		endpoint.Download(api.RouteReport, api.DecodeReport, s.Report),
		endpoint.Download(api.RouteBefore, api.DecodeTask, s.RowsBefore),
		endpoint.Receiving(endpoint.JSON(api.RouteRules, api.DecodeRules, s.Rules), api.MaxRules, api.DecodeAddRules, s.AddRules),
		endpoint.JSON(api.RouteAudit, api.DecodeAudit, s.ListAudit),
		endpoint.JSON(api.RouteBackup, api.DecodeBackup, s.Backup),
		endpoint.JSON(api.RouteClusters, api.DecodeClusters, s.ListClusters),
		endpoint.JSON(api.RouteClusterCheck, api.DecodeClusterCheck, s.CheckClusters),
		endpoint.JSON(api.RouteTables, api.DecodeTables, s.ListTables),
		endpoint.JSON(api.RouteOpenAPI, api.DecodeOpenAPI, describeAPI),
		endpoint.JSON(api.RouteHealth, api.DecodeHealth, s.Health),
		endpoint.JSON(api.RouteReady, api.DecodeHealth, s.Ready),
	}
}
