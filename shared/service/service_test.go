package service_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/difftest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/audit"
	"ace/shared/cluster"
	"ace/shared/diffarchive"
	"ace/shared/difffile"
	"ace/shared/diffindex"
	"ace/shared/fault"
	"ace/shared/service"
	"ace/shared/task"
)

var noon = time.Date(2024, 3, 15, 12, 34, 56, 0, time.UTC)

// starter records its calls.
type starter struct {
	full, broken error
	started      []string
	dropped      []string
}

func (s *starter) Submit(ctx context.Context, create func(context.Context) (string, error)) error {
	if s.full != nil {
		return s.full
	}
	id, err := create(ctx)
	if err != nil {
		return err
	}
	s.started = append(s.started, id)
	return s.broken
}

func (s *starter) Accepts() error { return s.full }

func (s *starter) Drop(id string) { s.dropped = append(s.dropped, id) }

// clusters has definitions by name.
type clusters map[string]cluster.Cluster

func (c clusters) Names(context.Context) ([]string, error) { return slices.Sorted(maps.Keys(c)), nil }

func (c clusters) Load(_ context.Context, name string) (cluster.Cluster, error) {
	definition, ok := c[name]
	if !ok {
		return cluster.Cluster{}, fault.New(fault.NotFound, "cluster %q does not exist", name)
	}
	return definition, nil
}

func nodes(names ...string) cluster.Cluster {
	c := cluster.Cluster{Name: "c", Databases: []cluster.Database{{Name: "app"}, {Name: "other"}}, Inactive: []string{"n9"}}
	for _, name := range names {
		c.Nodes = append(c.Nodes, cluster.Node{Name: name, Host: "h", Port: 5432})
	}
	return c
}

type bench struct {
	*service.Service
	store   *faulty.Store
	starter *starter
	log     bytes.Buffer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{store: faulty.Wrap(memstore.New(t)), starter: &starter{}}
	clock := func() time.Time { return noon }
	b.Service = &service.Service{
		Tasks: task.NewRegistry(b.store, clock), Diffs: diffindex.New(b.store), Audit: audit.New(b.store, clock), Store: b.store, MaxImport: 1 << 20, Renderings: diffarchive.NewRenderings(b.store), Starter: b.starter, Now: clock,
		Log:      slog.New(slog.NewTextHandler(&b.log, nil)),
		Clusters: clusters{"c": nodes("n1", "n2", "n3"), "lonely": nodes("n1")},
	}
	return b
}

func request(change func(*api.TableDiffRequest)) api.TableDiffRequest {
	req := api.NewTableDiffRequest()
	req.ClusterName, req.Table = "c", api.TableName{Schema: "public", Name: "users"}
	if change != nil {
		change(&req)
	}
	return req
}

func TestSubmit_StoresTheTaskAndStartsIt(t *testing.T) {
	b := newBench(t)
	req := request(func(r *api.TableDiffRequest) {
		r.DBName, r.Nodes, r.TableFilter = "other", []string{"n1", "n3"}, "id < 7"
	})
	submitted, err := b.SubmitTableDiff(t.Context(), req)
	if err != nil || submitted.TaskID != "td_20240315_123456" {
		t.Fatalf("got %+v, error %v", submitted, err)
	}
	if !slices.Equal(b.starter.started, []string{submitted.TaskID}) {
		t.Errorf("started %v", b.starter.started)
	}
	rec, err := b.Tasks.Get(t.Context(), submitted.TaskID)
	if err != nil {
		t.Fatal(err)
	}
	var stored api.TableDiffRequest
	if err := json.Unmarshal(rec.Parameters, &stored); err != nil || stored.TableFilter != "id < 7" || !slices.Equal(stored.Nodes, req.Nodes) {
		t.Errorf("stored parameters %s, error %v", rec.Parameters, err)
	}
	if rec.Status != task.Queued || rec.DBName != "other" || rec.TableName != "public.users" || rec.Type != task.TableDiff {
		t.Errorf("the record is %+v", rec)
	}
}

func TestSubmit_AStartThatFailsReturnsTheIDAndIsLogged(t *testing.T) {
	b := newBench(t)
	b.starter.broken = fault.New(fault.Unavailable, "no")
	submitted, err := b.SubmitTableDiff(t.Context(), request(nil))
	if err != nil || submitted.TaskID == "" {
		t.Errorf("got %+v, error %v; want the id, since the task exists", submitted, err)
	}
	if text := b.log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, submitted.TaskID) || !strings.Contains(text, "error=no") {
		t.Errorf("the log does not say so:\n%s", text)
	}
	if open, err := b.Tasks.Open(t.Context()); err != nil || len(open) != 1 {
		t.Errorf("open tasks are %v, error %v", open, err)
	}
}

func TestSubmit_ARejectedRequestCreatesNoTask(t *testing.T) {
	tests := []struct {
		name   string
		change func(*api.TableDiffRequest)
		full   error
		code   fault.Code
		says   string
	}{
		{"an unknown cluster", func(r *api.TableDiffRequest) { r.ClusterName = "d" }, nil, fault.NotFound, `"d"`},
		{"an unknown database", func(r *api.TableDiffRequest) { r.DBName = "nope" }, nil, fault.Invalid, `"nope"`},
		{"an unknown node", func(r *api.TableDiffRequest) { r.Nodes = []string{"n1", "n4"} }, nil, fault.Invalid, `"n4"`},
		{"a node that is switched off", func(r *api.TableDiffRequest) { r.Nodes = []string{"n1", "n9"} }, nil, fault.Invalid, "not active"},
		{"a cluster of one node", func(r *api.TableDiffRequest) { r.ClusterName = "lonely" }, nil, fault.Invalid, "at least two"},
		{"a full queue", nil, fault.New(fault.Unavailable, "the queue is full"), fault.Unavailable, "full"},
	}
	b := newBench(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b.starter.full = tt.full
			_, err := b.SubmitTableDiff(t.Context(), request(tt.change))
			if fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), tt.says) {
				t.Errorf("got %v, want code %s and %s", err, tt.code, tt.says)
			}
			if n := b.store.Count(faulty.PutIfAbsent, ""); n != 0 || len(b.starter.started) != 0 {
				t.Errorf("%d objects were written, started %v", n, b.starter.started)
			}
		})
	}
}

func TestSubmit_ATaskThatCannotBeStoredIsNotStarted(t *testing.T) {
	b := newBench(t)
	b.store.On(faulty.PutIfAbsent, "", faulty.Always(faulty.FailBefore))
	submitted, err := b.SubmitTableDiff(t.Context(), request(nil))
	if fault.CodeOf(err) != fault.Unavailable || submitted.TaskID != "" || len(b.starter.started) != 0 {
		t.Errorf("got %+v, error %v, started %v; want Unavailable", submitted, err, b.starter.started)
	}
}

func TestComparedTargets_AreInTheOrderOfTheCluster(t *testing.T) {
	database, got, err := service.ComparedTargets(nodes("n1", "n2", "n3"), "", []string{"n3", "n1"})
	if err != nil || database != "app" || len(got) != 2 || got[0].Node != "n1" || got[1].Node != "n3" {
		t.Errorf("got %s %v, error %v", database, got, err)
	}
}

// running submits a comparison and acquires its lease.
func (b *bench) running(t *testing.T) *task.Lease {
	t.Helper()
	submitted, err := b.SubmitTableDiff(t.Context(), request(nil))
	if err != nil {
		t.Fatal(err)
	}
	held, err := b.Tasks.Acquire(t.Context(), submitted.TaskID, "test", task.AcquireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func (b *bench) status(t *testing.T, id string) api.TaskStatus {
	t.Helper()
	status, err := b.TaskStatus(t.Context(), api.TaskRequest{TaskID: id})
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func TestTaskStatus_FollowsATaskFromItsSubmissionToItsEnd(t *testing.T) {
	b := newBench(t)
	submitted, err := b.SubmitTableDiff(t.Context(), request(nil))
	if err != nil {
		t.Fatal(err)
	}
	id := submitted.TaskID
	if s := b.status(t, id); s.Status != "QUEUED" || s.Progress != nil || s.TimeTaken != nil || !s.StartedAt.IsZero() || s.TaskType != "table-diff" {
		t.Errorf("QUEUED: %+v", s)
	}
	held, err := b.Tasks.Acquire(t.Context(), id, "test", task.AcquireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s := b.status(t, id); s.Status != "RUNNING" || s.Progress != nil {
		t.Errorf("just RUNNING: %+v", s)
	}
	if err := held.Renew(t.Context(), task.Progress{Phase: "compare", BlocksTotal: 8, BlocksDone: 2, RowsCompared: 300}); err != nil {
		t.Fatal(err)
	}
	b.Now = func() time.Time { return noon.Add(3 * time.Second) }
	s := b.status(t, id)
	if p := s.Progress; p == nil || p.Percent != 25 || p.RowsPerSecond != 100 || p.ETASeconds == nil || *p.ETASeconds != 9 {
		t.Errorf("RUNNING: %+v", p)
	}
	if _, err := held.Finish(t.Context(), task.Outcome{Status: task.Failed, Error: fault.Wrap(errors.New("cause"), fault.Unavailable, "n1 is gone")}); err != nil {
		t.Fatal(err)
	}
	if s := b.status(t, id); s.Status != "FAILED" || s.Error != "n1 is gone" || s.Progress != nil || s.TimeTaken == nil || s.FinishedAt.IsZero() {
		t.Errorf("FAILED: %+v", s)
	}
}

func TestTaskStatus_ProgressNeverDividesByZeroAndOmitsUnknownValues(t *testing.T) {
	b := newBench(t)
	held := b.running(t)
	if err := held.Renew(t.Context(), task.Progress{Phase: "plan"}); err != nil {
		t.Fatal(err)
	}
	for _, passed := range []time.Duration{0, time.Second, -time.Second} { // the clock of another host may be slow
		b.Now = func() time.Time { return noon.Add(passed) }
		if p := b.status(t, held.Record().TaskID).Progress; p == nil || p.Percent != 0 || p.RowsPerSecond != 0 || p.ETASeconds != nil {
			t.Errorf("after %s the progress is %+v", passed, p)
		}
	}
}

func TestCancelTask_EndsAWaitingTaskAndReleasesItsSlot(t *testing.T) {
	b := newBench(t)
	submitted, err := b.SubmitTableDiff(t.Context(), request(nil))
	if err != nil {
		t.Fatal(err)
	}
	req := api.TaskRequest{TaskID: submitted.TaskID}
	if s, err := b.CancelTask(t.Context(), req); err != nil || s.Status != "CANCELLED" || s.Error != "" {
		t.Errorf("got %+v, error %v", s, err)
	}
	if !slices.Equal(b.starter.dropped, []string{submitted.TaskID}) {
		t.Errorf("dropped %v", b.starter.dropped)
	}
	if _, err := b.CancelTask(t.Context(), req); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("the second time returned %v, want Conflict", err)
	}
}

func TestCancelTask_ARunningTaskKeepsItsSlot(t *testing.T) {
	b := newBench(t)
	id := b.running(t).Record().TaskID
	if s, err := b.CancelTask(t.Context(), api.TaskRequest{TaskID: id}); err != nil || s.Status != "RUNNING" || len(b.starter.dropped) != 0 {
		t.Errorf("got %+v, error %v, dropped %v", s, err, b.starter.dropped)
	}
	if asked, err := b.Tasks.CancelRequested(t.Context(), id); err != nil || !asked {
		t.Errorf("the request was stored: %v, error %v", asked, err)
	}
	if _, err := b.CancelTask(t.Context(), api.TaskRequest{TaskID: "td_20200101_000000"}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("an unknown task returned %v, want NotFound", err)
	}
}

func TestListTasks_FiltersAndNeverReturnsNull(t *testing.T) {
	b := newBench(t)
	list, err := b.ListTasks(t.Context(), api.TasksRequest{Limit: 10})
	if err != nil || list.Tasks == nil || len(list.Tasks) != 0 {
		t.Errorf("no tasks are listed as %#v, error %v", list.Tasks, err)
	}
	b.running(t)
	for _, tt := range []struct {
		req  api.TasksRequest
		want int
	}{
		{api.TasksRequest{Limit: 10}, 1},
		{api.TasksRequest{Limit: 10, ClusterName: "c", TableName: api.TableName{Schema: "public", Name: "users"}, Status: "RUNNING"}, 1},
		{api.TasksRequest{Limit: 10, Status: "FAILED"}, 0},
		{api.TasksRequest{Limit: 10, TableName: api.TableName{Schema: "public", Name: "orders"}}, 0},
	} {
		if list, err := b.ListTasks(t.Context(), tt.req); err != nil || len(list.Tasks) != tt.want {
			t.Errorf("%+v lists %d tasks, error %v; want %d", tt.req, len(list.Tasks), err, tt.want)
		}
	}
}

const acex = `{"format":"acex"}`

// completed stores a task whose record expects the document "acex" and whose document is
// body.
func (b *bench) completed(t *testing.T, body string) string {
	t.Helper()
	return b.completedAs(t, body, task.Document{Size: 17, SHA256: hash(acex)})
}

// completedAs stores a completed task with the given record of its document.
func (b *bench) completedAs(t *testing.T, body string, recorded task.Document) string {
	t.Helper()
	held := b.running(t)
	id := held.Record().TaskID
	recorded.Key = archive.DiffKey(id, noon, "json")
	if _, err := b.store.Put(t.Context(), recorded.Key, "application/json", []byte(body)); err != nil {
		t.Fatal(err)
	}
	if _, err := held.Finish(t.Context(), task.Outcome{Status: task.Completed, Document: &recorded}); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDiff_ReturnsTheDocumentOfTheRecord(t *testing.T) {
	b := newBench(t)
	id := b.completed(t, acex)
	file, err := b.Diff(t.Context(), api.DiffRequest{TaskID: id, Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	if file.Name != id+".json" || file.Size != 17 || file.ETag != hash(acex) {
		t.Errorf("the file is %+v", file)
	}
	content, err := file.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if got, err := io.ReadAll(content); string(got) != acex || err != nil {
		t.Errorf("its content is %q, error %v", got, err)
	}
	if url, err := file.Presign(t.Context()); err != nil || !strings.Contains(url, id) {
		t.Errorf("its link is %q, error %v", url, err)
	}
}

func TestDiff_RendersTheDocumentOnRequest(t *testing.T) {
	b := newBench(t)
	s := difftest.Summary([]string{"n1", "n2"}, difffile.Column{Name: "id", Type: "bigint"})
	body := difftest.Document(t, s, difftest.List{{"n1", "n2"}: {{Rows: [2]difffile.Row{difftest.Row("7"), nil}}}}.Each)
	sum := sha256.Sum256(body)
	id := b.completedAs(t, string(body), task.Document{Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:])})
	for format, want := range map[string]struct{ contentType, disposition, content string }{
		"csv":  {"text/csv; charset=utf-8; header=present", "attachment", "\r\n1,n1/n2,only_on_n1,false,n1,7\r\n"},
		"html": {"text/html; charset=utf-8", "inline", "<title>public.users differs: 1 row"},
	} {
		file, err := b.Diff(t.Context(), api.DiffRequest{TaskID: id, Format: format})
		if err != nil {
			t.Fatal(err)
		}
		if file.Name != id+"."+format || file.ContentType != want.contentType || file.ETag == "" || file.ModTime.IsZero() {
			t.Errorf("%s: the file is %+v", format, file)
		}
		content, err := file.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(content)
		_ = content.Close()
		if err != nil || int64(len(got)) != file.Size || !strings.Contains(string(got), want.content) {
			t.Errorf("%s: %d of %d bytes, error %v: %.200q", format, len(got), file.Size, err, got)
		}
		if url, err := file.Presign(t.Context()); err != nil || !strings.Contains(url, id+"."+format) || !strings.Contains(url, want.disposition) {
			t.Errorf("%s: its link is %q, error %v", format, url, err)
		}
		saved, err := b.Diff(t.Context(), api.DiffRequest{TaskID: id, Format: format, Download: true})
		if got := file.Disposition(); err != nil || got != want.disposition+"; filename="+file.Name || saved.Disposition() != "attachment; filename="+file.Name {
			t.Errorf("%s: the header is %q, for a download %q, error %v", format, got, saved.Disposition(), err)
		}
	}
}

func TestDiff_ADocumentThatCannotBeRenderedIsAnInternalError(t *testing.T) {
	b := newBench(t)
	_, err := b.Diff(t.Context(), api.DiffRequest{TaskID: b.completed(t, `{"format":"acex"}`), Format: "html"})
	if fault.CodeOf(err) != fault.Internal || !strings.Contains(fault.PublicMessage(err), `format "acex"`) {
		t.Errorf("got %v, want an Internal fault that says why", err)
	}
}

func TestDiff_ReportsWhyThereIsNoDocument(t *testing.T) {
	tests := []struct {
		name string
		id   func(t *testing.T, b *bench) string
		code fault.Code
		says string
	}{
		{"no such task", func(*testing.T, *bench) string { return "td_20200101_000000" }, fault.NotFound, "does not exist"},
		{"a task that runs", func(t *testing.T, b *bench) string { return b.running(t).Record().TaskID }, fault.NotFound, "RUNNING"},
		{"a task that failed", func(t *testing.T, b *bench) string {
			held := b.running(t)
			if _, err := held.Finish(t.Context(), task.Outcome{Status: task.Failed, Error: errors.New("x")}); err != nil {
				t.Fatal(err)
			}
			return held.Record().TaskID
		}, fault.NotFound, "FAILED"},
		{"a document of another size", func(t *testing.T, b *bench) string { return b.completed(t, "short") }, fault.Internal, "5 bytes instead of 17"},
		{"a document that was deleted", func(t *testing.T, b *bench) string {
			id := b.completed(t, "x")
			if err := b.store.Delete(t.Context(), archive.DiffKey(id, noon, "json")); err != nil {
				t.Fatal(err)
			}
			return id
		}, fault.NotFound, "no longer in the archive"},
	}
	b := newBench(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.Diff(t.Context(), api.DiffRequest{TaskID: tt.id(t, b), Format: "json"})
			if fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), tt.says) {
				t.Errorf("got %v, want code %s and %q", err, tt.code, tt.says)
			}
		})
	}
}
