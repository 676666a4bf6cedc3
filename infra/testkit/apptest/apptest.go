// Package apptest runs the whole service inside a test: real PostgreSQL nodes, an archive
// in a directory, the endpoints, the queue, the runner and the workers, everything but a
// network listener.
package apptest

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"ace/infra/testkit/apicheck"
	"ace/infra/testkit/directory"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/archive"
	"ace/shared/archive/dirstore"
	"ace/shared/caller"
	"ace/shared/cluster"
	"ace/shared/difffile"
	"ace/shared/endpoint"
	"ace/shared/invoke"
	"ace/shared/runner"
	"ace/shared/tablediff"
	"ace/shared/task"
)

const (
	timeout = 2 * time.Minute // bounds one task in a test
	poll    = 200 * time.Millisecond
)

// Main runs the tests of a package that uses package apptest, and stops the servers
// afterwards.
func Main(m *testing.M) { Wrapped(m) }

// Wrapped is like Main, but m may do more than run the tests: for example, it may stop a
// server of the caller after them.
func Wrapped(m interface{ Run() int }) {
	pgtest.Main(m)
}

// Store opens an archive that only this test uses.
func Store(t testing.TB) *dirstore.Store {
	t.Helper()
	return directory.Store(t)
}

// Options are the options of New.
type Options struct {
	Store    archive.Store                             // nil: a new directory
	Invoker  func(tablediff.Invoker) tablediff.Invoker // wraps the in-process invoker, to inject faults
	Parallel int                                       // number of units that run at once with max_cpu_ratio=1; 0: 4
	Timeout  time.Duration                             // time limit of a statement; 0: one minute
	Snapshot time.Duration                             // how long a snapshot may be shared; 0: one minute
	Patience time.Duration                             // how long a step tolerates a fault; 0: ten seconds
	Lease    time.Duration                             // how long a lease is valid; 0: the default of package app
	Callers  *caller.Tokens                            // the callers of the web page; nil: everyone may do everything
	Log      *slog.Logger                              // nil: logs to the test's output

	// AnswerMargin and RepairAnswerTimeout bound the waits for a node that sends nothing
	// (see app.Options). 0 means the defaults of package app.
	AnswerMargin, RepairAnswerTimeout time.Duration
	RepairLockWait                    time.Duration // see app.Options
}

// Service is the service over one cluster.
type Service struct {
	Cluster  *pgtest.Cluster
	Clusters string // directory of the cluster definitions
	Store    archive.Store
	App      *app.App
	Mux      *Mux
	Queue    *invoke.Queue

	ends ends
}

// New returns a service whose only cluster is c. It is closed when the test ends.
func New(t testing.TB, c *pgtest.Cluster, o Options) *Service {
	t.Helper()
	if o.Store == nil {
		o.Store = Store(t)
	}
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Snapshot == 0 {
		o.Snapshot = time.Minute
	}
	if o.Patience == 0 {
		o.Patience = 10 * time.Second
	}
	dir := t.TempDir()
	c.WriteDefinition(t, dir)
	log := o.Log
	if log == nil {
		log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	a := app.New(app.Options{
		Store: o.Store, Clusters: cluster.NewSource(cluster.Options{Path: dir}),
		MaxConns: 2 * o.Parallel, StatementTimeout: o.Timeout, SnapshotMax: o.Snapshot, Patience: o.Patience, Lease: o.Lease, Log: log,
		AnswerMargin: o.AnswerMargin, RepairAnswerTimeout: o.RepairAnswerTimeout, RepairLockWait: o.RepairLockWait,
	})
	var invoker tablediff.Invoker = invoke.NewInProcess(a.Worker())
	if o.Invoker != nil {
		invoker = o.Invoker(invoker)
	}
	s := &Service{Cluster: c, Clusters: dir, Store: o.Store, App: a}
	tables := app.RunChild(func(ctx context.Context, parent, taskID string) error { return s.Queue.RunChild(ctx, parent, taskID) })
	run := runner.New(runner.Options{
		Tasks: a.Tasks(), Handlers: a.Handlers(invoker, tables, app.Capacity{Parallel: o.Parallel, InProcess: true}),
		Owner: t.Name(), Handover: invoke.ErrClosing, Log: log,
	})
	s.Queue = invoke.NewQueue(2, 1000, s.ends.announced(run.Run))
	mux, err := endpoint.New(endpoint.Options{Logger: log, Refused: a.Refused}, a.Endpoints(s.Queue)...)
	if err != nil {
		t.Fatal(err)
	}
	s.Mux = &Mux{mux, t}
	t.Cleanup(func() {
		s.Queue.Close()
		a.Close()
	})
	return s
}

// Mux is the mux of a Service. It compares every answer with the description of the API.
type Mux struct {
	*endpoint.Mux
	t testing.TB
}

// Handle answers a request. If ctx carries no caller, the caller "test" may do
// everything.
func (m *Mux) Handle(ctx context.Context, req endpoint.Request) endpoint.Response {
	m.t.Helper()
	if _, identified := caller.FromContext(ctx); !identified {
		ctx = caller.NewContext(ctx, caller.NewIdentity(caller.Unrestricted("test"), api.RequestedBy{Via: "test"}))
	}
	resp := m.Mux.Handle(ctx, req)
	apicheck.Answer(m.t, req, resp)
	return resp
}

// Get sends a GET and decodes the answer into the value that into points to. Any status
// but 200 fails the test.
func (s *Service) Get(t testing.TB, path string, query url.Values, into any) {
	t.Helper()
	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: path, RawQuery: query.Encode()})
	if response.Status != 200 {
		t.Fatalf("GET %s?%s: status %d: %s", path, query.Encode(), response.Status, response.Body)
	}
	if err := json.Unmarshal(response.Body, into); err != nil {
		t.Fatalf("GET %s: %v in %s", path, err, response.Body)
	}
}

// Submit submits a table-diff of the service's cluster and returns the id of the task.
// args are alternately names and values of parameters.
func (s *Service) Submit(t testing.TB, tableName string, args ...string) string {
	t.Helper()
	query := url.Values{"cluster_name": {s.Cluster.Name}, "table_name": {tableName}, "confirm_delay": {"0"}}
	for i := 0; i+1 < len(args); i += 2 {
		query.Set(args[i], args[i+1])
	}
	var submitted api.Submitted
	s.Get(t, "/ace/table-diff", query, &submitted)
	return submitted.TaskID
}

// Wait waits until a task has ended and returns its last status.
func (s *Service) Wait(t testing.TB, taskID string) api.TaskStatus {
	t.Helper()
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); {
		end := s.ends.next()
		var status api.TaskStatus
		s.Get(t, "/ace/task-status/"+taskID, nil, &status)
		if task.Status(status.Status).Terminal() {
			return status
		}
		select {
		case <-end:
		case <-time.After(poll):
		}
	}
	t.Fatalf("task %s did not end within %s", taskID, timeout)
	return api.TaskStatus{}
}

// Diff is the outcome of a completed comparison: the answer, and the content of the
// document.
type Diff struct {
	TaskID      string
	Result      api.DiffResult
	Summary     difffile.Summary
	Rows        []Row             // rows in the document's order
	KeyVariants [][2]difffile.Row // for each key with variants, its two spellings
	Raw         []byte
}

// Row is one row of the document.
type Row struct {
	Pair, Node string
	Values     map[string]string // NULL is pgtest.Null
}

// Diff compares a table and reads the document back through the API. A task that does not
// complete fails the test.
func (s *Service) Diff(t testing.TB, tableName string, args ...string) Diff {
	t.Helper()
	status := s.Wait(t, s.Submit(t, tableName, args...))
	if status.Status != api.StatusCompleted {
		t.Fatalf("table-diff of %s %v ended %s: %s", tableName, args, status.Status, status.Error)
	}
	return s.Document(t, status)
}

// Fail compares a table and returns the error of the task. A task that does not end
// FAILED fails the test.
func (s *Service) Fail(t testing.TB, tableName string, args ...string) string {
	t.Helper()
	status := s.Wait(t, s.Submit(t, tableName, args...))
	if status.Status != api.StatusFailed || status.Error == "" {
		t.Fatalf("table-diff of %s %v ended %s (%q), want FAILED with an error", tableName, args, status.Status, status.Error)
	}
	return status.Error
}

// Document reads the document of a completed task through the API.
func (s *Service) Document(t testing.TB, status api.TaskStatus) Diff {
	t.Helper()
	d := Diff{TaskID: status.TaskID}
	if err := json.Unmarshal(status.Result, &d.Result); err != nil {
		t.Fatalf("result of %s: %v in %s", status.TaskID, err, status.Result)
	}
	d.Raw = s.Download(t, status.TaskID, api.FormatJSON)
	d.read(t)
	return d
}

// Download reads the document of a completed task through the API, as json, csv or html.
func (s *Service) Download(t testing.TB, taskID, format string) []byte {
	t.Helper()
	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: "/ace/diffs/" + taskID, RawQuery: "format=" + format})
	if response.Status != 200 || response.File == nil {
		t.Fatalf("document of %s as %s: status %d: %s", taskID, format, response.Status, response.Body)
	}
	body, err := response.File.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	raw, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if format == api.FormatJSON {
		apicheck.Document(t, "/ace/diffs/"+taskID, raw)
	}
	return raw
}

// All returns the values of one column in the rows that the document lists for one node
// of a pair, in the order of the document.
func (d Diff) All(pair, node, column string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, row := range d.Rows {
			if row.Pair == pair && row.Node == node && !yield(row.Values[column]) {
				return
			}
		}
	}
}
