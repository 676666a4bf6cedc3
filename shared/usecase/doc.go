// Package usecase is what the service does for one request, whoever carries it: submit a comparison or a repair, tell how
// a task is doing, cancel it, list tasks, give a document back. A use case sees no transport and no environment; it answers at
// once, before any database is contacted.
package usecase

import (
	"context"
	"time"

	"ace/shared/archive"
	"ace/shared/cluster"
	"ace/shared/task"
)

// Clusters finds cluster definitions.
type Clusters interface {
	Load(ctx context.Context, name string) (cluster.Cluster, error)
}

// Starter has tasks run.
type Starter interface {
	// Admit says whether another task may be submitted now; it is asked before the task exists.
	Admit(ctx context.Context) error
	// Start has a task run soon. Starting one again does nothing. If it fails the task is found and started later.
	Start(ctx context.Context, taskID string) error
	// Drop gives the place of a task back that was cancelled while it waited. It does not touch one that runs.
	Drop(taskID string)
}

// Service has what the use cases need.
type Service struct {
	Tasks    *task.Registry
	Store    archive.Store
	Location archive.Location // where Store lies
	Clusters Clusters
	Starter  Starter
	Now      func() time.Time
}
