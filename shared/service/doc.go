// Package service implements what ACE does for a request (Service) and for a task
// (Executor).
//
// A Service validates a request against the cluster's definition, stores a task and
// starts it. It also returns the status of tasks, cancels them, lists them, and returns
// documents. It depends neither on the transport nor on whether it runs on a host or in
// Lambda. It contacts no database, except to check nodes and to list tables (Nodes).
//
// A runner that has acquired a task's lease calls the Executor. The Executor decodes the
// stored request, runs the engine (tablediff or tablerepair) and converts the engine's
// result to the task's result in the API.
package service

import (
	"context"
	"io"
	"log/slog"
	"time"

	"ace/shared/archive"
	"ace/shared/audit"
	"ace/shared/backup"
	"ace/shared/cluster"
	"ace/shared/diffarchive"
	"ace/shared/diffindex"
	"ace/shared/inventory"
	"ace/shared/structure/catalog"
	"ace/shared/table"
	"ace/shared/task"
)

// Clusters finds cluster definitions.
type Clusters interface {
	Load(ctx context.Context, name string) (cluster.Cluster, error)
	// Names returns the sorted names of all clusters, also of those whose definitions
	// cannot be used.
	Names(ctx context.Context) ([]string, error)
}

// Nodes asks the nodes of clusters.
type Nodes interface {
	// Probe connects to every database of a cluster on every active node, and returns
	// one check for each connection. The checks are ordered by database, then by node,
	// both in the order of the definition. Callers must not change the checks, because
	// concurrent calls for one cluster return the same ones.
	Probe(ctx context.Context, definition cluster.Cluster) ([]inventory.NodeCheck, error)
	// Tables returns a page of the list of tables in the databases to which targets
	// connect. There is one target for each node.
	Tables(ctx context.Context, targets []cluster.Target, of table.Selection) (inventory.Page, error)
	// Structure returns the structure of the schemas on each node, by the name of the
	// node. An empty list of schemas means all schemas of users.
	Structure(ctx context.Context, targets []cluster.Target, schemas []string) (map[string]catalog.Catalog, error)
}

// Starter starts tasks.
type Starter interface {
	// Submit calls create, which stores a new task, and starts this task. If the queue is
	// full, Submit returns Unavailable and does not call create. If create fails, Submit
	// returns the error unchanged and starts nothing. Any other error means that the task
	// exists but was not started: the sweep will start it.
	Submit(ctx context.Context, create func(context.Context) (taskID string, err error)) error
	// Accepts returns nil if Submit would accept a task now, or the error that it would
	// return.
	Accepts() error
	// Drop releases the queue slot of a task that was cancelled while it waited. It does
	// not affect a running task.
	Drop(taskID string)
}

// Files opens files of the host that a client named.
type Files interface {
	// Open opens the file at an absolute path. The error is Invalid if clients may not
	// name this file.
	Open(path string) (io.ReadCloser, error)
}

// BeforeImages creates documents of the rows as they were before a repair or undo.
type BeforeImages interface {
	// Ensure returns the document with the before-images of an ended repair or undo. It
	// creates the document if it does not exist yet. The error is NotFound if the task
	// changed no row.
	Ensure(ctx context.Context, rec task.Record) (task.Document, error)
}

// Snapshot is the state of the archive at one moment. The caller must call Close.
type Snapshot interface {
	Taken() time.Time
	Owner() backup.Owner
	// Each calls fn with every object. It may be called once.
	Each(ctx context.Context, fn func(backup.Object) error) error
	Close()
}

// Service answers requests. It is safe for concurrent use.
type Service struct {
	Tasks        *task.Registry
	Diffs        *diffindex.Index
	Audit        *audit.Log
	Store        archive.Store
	Location     archive.Location // the bucket and prefix of Store
	Renderings   *diffarchive.Renderings
	MaxImport    int64 // maximum size of an imported document in bytes
	Files        Files // nil in functions, which read no files
	BeforeImages BeforeImages
	// TakeSnapshot takes a snapshot of the archive. It is nil if the archive is a bucket.
	TakeSnapshot func(ctx context.Context) (Snapshot, error)
	Version      string // of ACE, for backups
	Clusters     Clusters
	Nodes        Nodes
	Starter      Starter
	Scheduled    bool // the tasks are submitted by a schedule, not by a client
	Now          func() time.Time
	Log          *slog.Logger

	ready readiness
}
