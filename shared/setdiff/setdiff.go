// Package setdiff compares several tables as one task, the parent. Each table is an
// ordinary table-diff task whose parent it is.
//
// The parent reads the list of tables from every node once and stores it as its plan. So
// a parent that another process continues compares the same list. It submits the task of
// a table when one of its tables has ended, so at most a few of its tasks wait or run at
// any time. The submission of a table's task can be repeated: it creates one task only.
//
// The parent keeps no other state. After a crash, the next run of the parent submits all
// tables again, finds those that have ended, and waits for the others.
//
// The verdict is computed only from the stored records of the tables' tasks. A table is
// identical only if its task completed, was about all nodes of the parent, and found no
// difference. Any other end is a difference or a failure.
package setdiff

import (
	"context"
	"log/slog"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/finding"
	"ace/shared/patience"
	"ace/shared/setfile"
	"ace/shared/task"
)

// Source finds what a parent compares.
type Source interface {
	// Read reads the tables from every node. An error means that a node could not be read,
	// or that there is nothing to compare.
	Read(ctx context.Context) (Set, error)
}

// Set is what a parent compares.
type Set struct {
	Tables   []Table           `json:"tables"` // in the order of their names
	Findings []finding.Finding `json:"findings,omitempty"`
}

// Table is a table that at least one node has.
type Table struct {
	Name api.TableName `json:"table"`
	// Verdict is set if the table is not to be compared: missing, keyless or skipped.
	Verdict   string   `json:"verdict,omitempty"`
	Reason    string   `json:"reason,omitempty"` // why it is not to be compared
	MissingOn []string `json:"missing_on,omitempty"`
	Rows      int64    `json:"rows,omitempty"` // the largest estimate of the nodes
}

// Runner runs the tasks of tables.
type Runner interface {
	// RunChild makes sure that a stored task runs, and returns when this run has ended, or
	// when another process runs the task. An error means that this process can run no
	// further tasks. It returns soon after ctx has ended.
	RunChild(ctx context.Context, parent, taskID string) error
}

// Options are the options of a Coordinator. All fields are required.
type Options struct {
	Store  archive.Store
	Tasks  *task.Registry
	Runner Runner
	Now    func() time.Time
	Log    *slog.Logger
}

// Coordinator runs parents. It is safe for concurrent use.
type Coordinator struct{ Options }

// New returns a coordinator.
func New(o Options) *Coordinator { return &Coordinator{o} }

// Request is one parent to run.
type Request struct {
	Parent    task.Record // as it was when its lease was acquired
	Source    Source
	TableDiff func(api.TableName) api.TableDiffRequest // returns the request of a table's task
	Summary   setfile.Summary                          // the members that describe the request
	AtOnce    int                                      // how many tables are compared at the same time
	FailFast  bool                                     // stop at the first table that is not identical
	Patience  patience.Budget
}

// Result is the result of a parent.
type Result struct {
	Document task.Document
	Content  setfile.Document
}

// Run runs a parent, or continues it. If some tables could not be compared, it returns
// the result with an error. When ctx ends with a cancellation, it requests the
// cancellation of the tables' tasks, and returns the tables that have ended, without a
// document.
func (c *Coordinator) Run(ctx context.Context, req Request, report func(task.Progress)) (Result, error) {
	report(task.Progress{Phase: phaseList})
	r := &run{Coordinator: c, request: req, results: map[int]setfile.Table{}, running: map[string]int{}}
	r.progress.report = report

	// Durable: the list of tables. From here on, every run of the parent compares the same.
	if err := r.makePlan(ctx); err != nil {
		return Result{}, err
	}

	// Each table's task is durable. A later run finds it by the number of the table.
	err := r.compare(ctx)
	content := r.document()
	if err != nil {
		return Result{Content: content}, err
	}

	// Durable: the document. If an earlier run has stored one, it is the result.
	document, content, err := r.publish(ctx, content)
	if err != nil {
		return Result{}, err
	}
	return Result{Document: document, Content: content}, r.failure(content)
}

// run is the state of one call of Run.
type run struct {
	*Coordinator
	request Request
	plan    plan

	progress progress
	results  map[int]setfile.Table // by the number of the table in the plan; guarded by progress.mu
	running  map[string]int        // ids of the running tasks, and their tables; guarded by progress.mu
	failed   fault.Code            // of the first table that failed; guarded by progress.mu
	stop     bool                  // no further table is started; guarded by progress.mu
}
