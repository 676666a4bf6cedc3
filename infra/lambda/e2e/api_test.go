//go:build !unit

package e2e_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"ace/infra/lambda/emulator"
	"ace/infra/testkit/apicases"
	"ace/infra/testkit/endpointtest"
	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/cluster"
	"ace/shared/endpoint"
	"ace/shared/invoke"
)

// local returns the transports of the local service over the same archive and
// definitions.
func (d *deployment) local(t *testing.T) []endpointtest.Transport {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	a := app.New(app.Options{
		Store: d.store, Clusters: cluster.NewSource(cluster.Options{Path: d.site.clusters}), MaxConns: 1, StatementTimeout: time.Minute, Log: log,
	})
	t.Cleanup(a.Close)
	idle := invoke.NewQueue(0, 1, nil) // no case may start a task here
	t.Cleanup(idle.Close)
	mux, err := endpoint.New(endpoint.Options{Logger: log}, a.Endpoints(idle)...)
	if err != nil {
		t.Fatal(err)
	}
	return endpointtest.Both(t, mux)
}

// checkAlike sends a request to the functions and to the local service, whose answers
// must be the same to the byte.
func checkAlike(t *testing.T, d *deployment, local []endpointtest.Transport, req endpoint.Request) endpoint.Response {
	t.Helper()
	got := d.do(req)
	for _, transport := range local {
		if transport.Name == "net/http" && got.Status == 302 { // which streams the file instead
			continue
		}
		want := transport.Do(req)
		if got.Status != want.Status || string(got.Body) != string(want.Body) {
			t.Errorf("%s %s: functions answer %d %s\n%s answers %d %s", req.Method, req.Path, got.Status, got.Body, transport.Name, want.Status, want.Body)
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "Allow", "Retry-After"} {
			if got.Header[name] != want.Header[name] {
				t.Errorf("%s %s: %s is %q, %s has %q", req.Method, req.Path, name, got.Header[name], transport.Name, want.Header[name])
			}
		}
	}
	return got
}

func get(path, query string) endpoint.Request {
	return endpoint.Request{Method: "GET", Path: path, RawQuery: query, Header: endpoint.Header{}}
}

func TestAPI_FunctionsAnswerAsTheLocalServiceDoes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mismatched := s.table(t, 3_000)
	d := s.deploy(t, settings{})
	local := d.local(t)
	id := d.submit(t)
	wantCompleted(t, d.wait(t, id), mismatched)
	failed := d.submit(t, "table_name", "public.missing")
	if status := d.wait(t, failed); status.Status != api.StatusFailed || !strings.Contains(status.Error, "does not exist") {
		t.Errorf("a comparison of no table ended %+v", status)
	}
	paths := []endpoint.Request{
		get("/healthz", ""), get("/healthz", "x=1"), get("/readyz", ""), get("/ace/task-status/"+id, ""), get("/ace/task-status/"+failed, ""),
		get("/ace/task-status/td_20000101_000000", ""), get("/ace/task-status/..%2f", ""), get("/ace/task-cancel/"+id, ""),
		get("/ace/task-cancel/td_20000101_000000", ""), get("/ace/tasks", ""), get("/ace/tasks", "status=FAILED&limit=1"),
		get("/ace/tasks", "limit=0"), get("/ace/tasks/", "status=FAILED&limit=1"), get("/ace/diffs/"+failed+"/", ""), get("/ace/task-status/"+id+"/", ""), get("/healthz/", ""), get("/ace/table-undo/", "task_id=tr_20000101_000000"),
		get("/ace/table-rerun", "table_name=public.t&diff_file=/path/to/diff.json&cluster_name="+s.cluster.Name),
		get("/ace/diffs/"+failed, ""), get("/ace/diffs/"+id, "format=pdf"), get("/ace/nothing", ""),
		get("/ace/clusters", ""), get("/ace/clusters/", "cluster_name="+s.cluster.Name), get("/ace/clusters", "cluster_name=nowhere"),
		get("/ace/tables", "cluster_name="+s.cluster.Name), get("/ace/tables/", "schema=none&cluster_name="+s.cluster.Name),
		get("/ace/table-dif", ""), get("/ace/table-diff", "cluster_name=nowhere&table_name=public.t"),
		get("/ace/table-diff", "table_name=public.t&nodes=n1,n9&cluster_name="+s.cluster.Name),
		{Method: "DELETE", Path: "/ace/tasks", Header: endpoint.Header{}}, {Method: "HEAD", Path: "/ace/tasks", Header: endpoint.Header{}},
	}
	for _, req := range paths {
		checkAlike(t, d, local, req)
	}
	for _, c := range apicases.Bad() {
		req := endpoint.Request{Method: c.Method, Path: c.Path, RawQuery: c.RawQuery, Body: []byte(c.Body), Header: endpoint.Header{}}
		if c.ContentType != "" {
			req.Header["content-type"] = c.ContentType
		}
		if resp := checkAlike(t, d, local[1:], req); resp.Status != c.Status || string(resp.Body) != c.Answer() {
			t.Errorf("%s: got %d %s\nwant %d %s", c.Name, resp.Status, resp.Body, c.Status, c.Answer())
		}
	}
	for _, c := range apicases.Good() { // all name a cluster that does not exist
		req := endpoint.Request{Method: c.Method, Path: c.Path, RawQuery: c.RawQuery, Body: []byte(c.Body), Header: endpoint.Header{}}
		if c.ContentType != "" {
			req.Header["content-type"] = c.ContentType
		}
		if resp := checkAlike(t, d, local[1:], req); resp.Status != 404 || !strings.Contains(string(resp.Body), "there is no cluster demo") {
			t.Errorf("%s: got %d %s", c.Name, resp.Status, resp.Body)
		}
	}
	if !json.Valid(d.document(t, id)) {
		t.Error("the document is no JSON")
	}

	var tables api.TableList
	d.get(t, "/ace/tables", url.Values{"cluster_name": {d.cluster}}, &tables)
	if len(tables.Tables) != 1 || tables.UnreadNodes != nil || tables.Tables[0].LastComparison == nil || tables.Tables[0].LastComparison.TaskID != id {
		t.Errorf("the tables are %+v", tables)
	}
	var checks api.ClusterCheckList
	d.get(t, "/ace/cluster-check", nil, &checks)
	if len(checks.Clusters) != 1 || !checks.Clusters[0].Nodes[0].Usable {
		t.Errorf("the checks are %+v", checks)
	}
}

func TestAPI_DocumentsAreGivenOutInEveryFormatAndTakenIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mismatched := s.table(t, 3_000)
	d := s.deploy(t, settings{})
	id := d.submit(t)
	wantCompleted(t, d.wait(t, id), mismatched)
	for format, begins := range map[string]string{"csv": "ace_difference,", "html": "<!doctype html>"} {
		if body := d.documentAs(t, id, format); !strings.HasPrefix(strings.ToLower(string(body)), begins) {
			t.Errorf("as %s it is %.100s", format, body)
		}
	}
	var listed api.DiffList
	d.get(t, "/ace/diffs", url.Values{"table_name": {"public.t"}}, &listed)
	if len(listed.Diffs) != 1 || listed.Diffs[0].TaskID != id {
		t.Errorf("the list is %+v", listed)
	}
	var imported api.Imported
	resp := d.do(endpoint.Request{Method: "POST", Path: "/ace/diffs", Body: d.document(t, id), Header: endpoint.Header{}})
	if err := json.Unmarshal(resp.Body, &imported); err != nil || resp.Status != 200 {
		t.Fatalf("status %d, %v: %s", resp.Status, err, resp.Body)
	}
	rerun := d.submitTo(t, "/ace/table-rerun", "cluster_name", d.cluster, "table_name", "public.t", "diff_file", imported.DiffFile, "confirm_delay", "0")
	wantCompleted(t, d.wait(t, rerun), mismatched)
	waiting := s.deploy(t, settings{prefix: "waiting", faults: map[string]emulator.Faults{runner: {Throttle: 1}}})
	queued := waiting.submit(t)
	var cancelled api.TaskStatus
	waiting.get(t, "/ace/task-cancel/"+queued, nil, &cancelled)
	if cancelled.Status != api.StatusCancelled {
		t.Errorf("a task that no runner holds is %+v after its cancellation", cancelled)
	}
}

func TestAPI_AScheduleComparesWhatItsParameterSays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mismatched := s.table(t, 1_000)
	d := s.deploy(t, settings{})
	input, ok := d.template.Get("Resources", "TableDiff", "Properties", "Events", "Check", "Properties", "Input", "Fn::Sub").(string)
	if !ok {
		t.Fatal("the template has no schedule of a check")
	}
	query := "cluster_name=" + d.cluster + "&table_name=public.t&confirm_delay=0"
	answer, err := d.invoke(t.Context(), "tablediff", []byte(strings.Replace(input, "${CheckQuery}", query, 1)))
	if err != nil {
		t.Fatal(err)
	}
	var told struct {
		StatusCode int
		Body       string
	}
	var submitted api.Submitted
	if err := errors.Join(json.Unmarshal(answer, &told), json.Unmarshal([]byte(told.Body), &submitted)); err != nil || told.StatusCode != 200 {
		t.Fatalf("%v in %s", err, answer)
	}
	wantCompleted(t, d.wait(t, submitted.TaskID), mismatched)
}

func TestAPI_ATaskCanBeCancelledWhileItsUnitsRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.table(t, 2_000)
	d := s.deploy(t, settings{})
	id := d.submit(t, "table_filter", "id <> 1500 OR pg_sleep(8) IS NOT NULL")
	for d.status(t, id).Status == api.StatusQueued {
		time.Sleep(50 * time.Millisecond)
	}
	var cancelled api.TaskStatus
	d.get(t, "/ace/task-cancel/"+id, url.Values{}, &cancelled)
	begun := time.Now()
	if status := d.wait(t, id); status.Status != api.StatusCancelled {
		t.Errorf("the task ended %+v", status)
	}
	t.Logf("cancelled after %s", time.Since(begun))
}
