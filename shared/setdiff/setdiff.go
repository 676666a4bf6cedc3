// Package setdiff compares several tables as one task, the parent. For each table, the
// parent submits an ordinary table-diff task.
//
// The parent reads the list of tables from every node once and stores it as its plan.
// So a parent that another process continues compares the same list. It submits the
// next task only when an earlier one has ended, so at most Request.AtOnce of its tasks
// wait or run at any time. If it submits the task of a table again, no second task is
// created.
//
// The parent stores no other state. After a crash, the next run of the parent submits the
// tasks of all tables again. It uses the results of the tasks that have ended, and waits
// for the others.
//
// The results of tables are computed only from the stored records of their tasks. A table
// is identical only if its task completed, compared all nodes of the parent, and found no
// difference. Otherwise the table is different, or its comparison has failed.
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

// Source finds the tables that a parent compares.
type Source interface {
	// Read returns the tables of all nodes, and the findings about their structure. An
	// error means that a node could not be read, or that there is nothing to compare.
	Read(ctx context.Context) (Set, error)
}

// Set has the tables that a parent compares, and the findings about structure.
type Set struct {
	Name     string            `json:"name,omitempty"` // what is compared, if the summary of the request does not have it
	Tables   []Table           `json:"tables"`         // in the order of their names
	Findings []finding.Finding `json:"findings,omitempty"`
}

// Table is a table that at least one node has.
type Table struct {
	Name api.TableName `json:"table"`
	// Verdict is missing, keyless, skipped or failed if the table is not to be compared,
	// and "" otherwise.
	Verdict   string   `json:"verdict,omitempty"`
	Reason    string   `json:"reason,omitempty"`     // why the table is not to be compared
	MissingOn []string `json:"missing_on,omitempty"` // the nodes that lack the table
	// CompareOn are the nodes that have the table, if some nodes lack it and its rows are to
	// be compared between the others. The verdict of the table remains missing.
	CompareOn []string `json:"compare_on,omitempty"`
	Rows      int64    `json:"rows,omitempty"` // the largest estimate of the number of rows on a node
	// TableFilter and IgnoreColumns replace those of the request: they restrict the
	// comparison to the rows and columns that are replicated. If one of them is empty, that
	// of the request is used.
	TableFilter   string   `json:"table_filter,omitempty"`
	IgnoreColumns []string `json:"ignore_columns,omitempty"`
}

// isCompared reports whether the rows of the table are to be compared.
func (t Table) isCompared() bool {
	return t.Verdict == "" || t.Verdict == api.SetMissing && len(t.CompareOn) > 1
}

// restrict returns a request with the table's filter, ignored columns and nodes.
func (t Table) restrict(req api.TableDiffRequest) api.TableDiffRequest {
	if t.TableFilter != "" {
		req.TableFilter = t.TableFilter
	}
	if len(t.IgnoreColumns) > 0 {
		req.IgnoreColumns = t.IgnoreColumns
	}
	if len(t.CompareOn) > 0 {
		req.Nodes = t.CompareOn
	}
	return req
}

// Runner runs the tasks of tables.
type Runner interface {
	// RunChild runs a stored task of a parent and returns when the run has ended. If
	// another process runs the task, RunChild returns without running it. So the caller
	// must read the task's record to find out whether the task has ended. An error
	// means that this process can run no further tasks. RunChild returns soon after ctx
	// has ended.
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
	Parent    task.Record // the record of the parent when its lease was acquired
	Source    Source
	TableDiff func(api.TableName) api.TableDiffRequest // returns the request of a table's task
	Summary   setfile.Summary                          // has only the members that describe the request
	AtOnce    int                                      // how many tables are compared at the same time
	FailFast  bool                                     // start no further table after one that is not identical
	Patience  patience.Budget
}

// Result is the result of a parent.
type Result struct {
	Document task.Document    // the stored document; the zero value if none was stored
	Content  setfile.Document // the content of the document
}

// Run runs a parent, or continues it. If some tables could not be compared, Run returns
// both the result and an error. If ctx ends, Run stores no document and returns the
// results of the tables that have ended, and an error. If the cancellation of the
// parent was requested, Run then also requests the cancellation of the tables' tasks.
func (c *Coordinator) Run(ctx context.Context, req Request, report func(task.Progress)) (Result, error) {
	report(task.Progress{Phase: phaseList})
	r := &run{Coordinator: c, request: req, results: map[int]setfile.Table{}, running: map[string]int{}}
	r.progress.report = report

	// makePlan makes the list of tables durable. From then on, every run of the parent
	// compares the tables of this list.
	if err := r.makePlan(ctx); err != nil {
		return Result{}, err
	}

	// compare makes a task of each table durable. A later run finds the task by the number
	// of the table.
	err := r.compare(ctx)
	content := r.document()
	if err != nil {
		return Result{Content: content}, err
	}

	// publish makes the document durable. If an earlier run has stored a document, that
	// document is the result.
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
	results  map[int]setfile.Table // the results of the tables that have ended, by the number of the table in the plan; guarded by progress.mu
	running  map[string]int        // the number of the table by the id of its task, while the task runs; guarded by progress.mu
	failed   fault.Code            // the code of the first table that failed, or ""; guarded by progress.mu
	stop     bool                  // FailFast is set and a table is not identical, so no further table is started; guarded by progress.mu
}
