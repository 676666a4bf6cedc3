// Package service is what the service does for one request, whoever carries it: submit a comparison or a repair, tell how
// a task is doing, cancel it, list tasks, give a document back. A use case sees no transport and no environment; it answers at
// once, before any database is contacted.
package service

import (
	"context"
	"log/slog"
	"time"

	"ace/shared/archive"
	"ace/shared/cluster"
	"ace/shared/diffarchive"
	"ace/shared/diffindex"
	"ace/shared/task"
)

// Clusters finds cluster definitions.
type Clusters interface {
	Load(ctx context.Context, name string) (cluster.Cluster, error)
}

// Starter has tasks run.
type Starter interface {
	// Submit has a task created and run soon. When there is no room for another it is Unavailable and create is not
	// called. An error of create is given back as it is, and nothing is started. Any other error means that the task
	// exists but was not started: it is found and started later.
	Submit(ctx context.Context, create func(context.Context) (taskID string, err error)) error
	// Drop gives the place of a task back that was cancelled while it waited. It does not touch one that runs.
	Drop(taskID string)
}

// BeforeImages makes documents of the rows as they were before a repair.
type BeforeImages interface {
	// Ensure gives the document of a repair or undo that has ended. NotFound if it changed no row.
	Ensure(ctx context.Context, rec task.Record) (task.Document, error)
}

// Service has what the use cases need.
type Service struct {
	Tasks        *task.Registry
	Diffs        *diffindex.Index
	Store        archive.Store
	Location     archive.Location // where Store lies
	Renderings   *diffarchive.Renderings
	MaxImport    int64 // bytes of an imported document
	BeforeImages BeforeImages
	Clusters     Clusters
	Starter      Starter
	Now          func() time.Time
	Log          *slog.Logger
}
