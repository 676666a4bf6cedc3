package metrics_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/metrics"
	"ace/shared/task"
)

// scrape returns the lines of the metrics that begin with ace_, without zeros.
func scrape(t *testing.T, m *metrics.Metrics) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("GET /metrics: %d %v %s", w.Code, w.Header(), w.Body)
	}
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "ace_") && !strings.HasSuffix(line, " 0") {
			lines = append(lines, line)
		}
	}
	return lines
}

func want(t *testing.T, m *metrics.Metrics, lines ...string) {
	t.Helper()
	got := scrape(t, m)
	for _, line := range lines {
		if !slices.Contains(got, line) {
			t.Errorf("%s is missing in\n%s", line, strings.Join(got, "\n"))
		}
	}
}

var started, finished = time.Unix(1_700_000_000, 0), time.Unix(1_700_000_007, 250_000_000)

// comparison returns the record of a completed comparison of a table.
func comparison(table string) task.Record {
	return task.Record{
		TaskID: "td_20240315_123456", Type: task.TableDiff, Status: task.Completed, StartedAt: &started, FinishedAt: &finished,
		ClusterName: "demo", DBName: "shop", TableName: table, Parameters: json.RawMessage(`{}`), Document: &task.Document{Key: "diffs/x.json"},
		Result: json.RawMessage(`{"verdict":"differ","mismatched_rows":5,"summary":{"unsettled_rows":2}}`),
	}
}

func TestMetrics_OfTasksAndTables(t *testing.T) {
	m := metrics.New()
	m.TaskCreated(task.Record{Type: task.TableDiff})
	m.TaskEnded(comparison(`public."odd \ name"`))
	m.TaskEnded(task.Record{Type: task.TableRepair, Status: task.Cancelled, FinishedAt: &finished}) // never started
	m.RowsCompared(200)
	m.LeaseLost()
	want(t, m,
		`ace_tasks_submitted_total{type="table-diff"} 1`,
		`ace_tasks_ended_total{status="COMPLETED",type="table-diff"} 1`,
		`ace_tasks_ended_total{status="CANCELLED",type="table-repair"} 1`,
		`ace_task_duration_seconds_sum{status="COMPLETED",type="table-diff"} 7.25`,
		`ace_table_differing_rows{cluster="demo",database="shop",scope="full",table="public.\"odd \\ name\""} 5`,
		`ace_table_unsettled_rows{cluster="demo",database="shop",scope="full",table="public.\"odd \\ name\""} 2`,
		`ace_table_last_verified_timestamp_seconds{cluster="demo",database="shop",scope="full",table="public.\"odd \\ name\"",verdict="differ"} 1.70000000725e+09`,
		`ace_rows_compared_total 200`,
		`ace_lease_losses_total 1`,
	)
	if got := strings.Join(scrape(t, m), "\n"); strings.Contains(got, "ace_task_duration_seconds_count{status=\"CANCELLED\"") || strings.Contains(got, "td_2024") {
		t.Errorf("the metrics are\n%s", got)
	}
}

// Prometheus sees no increase if the first value of a counter is 1.
func TestMetrics_CountersBeginWithZero(t *testing.T) {
	w := httptest.NewRecorder()
	metrics.New().Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`ace_tasks_ended_total{status="FAILED",type="table-undo"} 0`, `ace_tasks_submitted_total{type="table-rerun"} 0`,
		`ace_store_errors_total{operation="commit"} 0`, `ace_lease_losses_total 0`, `ace_table_metrics_left_out_total 0`, `ace_table_metrics_restored 0`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
}

// queue is a queue with a fixed load.
type queue struct{}

func (queue) Load() (running, waiting int) { return 2, 7 }

func TestMetrics_OfTheQueueAndTheNodes(t *testing.T) {
	m := metrics.New()
	m.WatchQueue(queue{}, 1000)
	m.WatchNodes(func() (received, sent int64) { return 3000, 400 })
	want(t, m, "ace_tasks_running 2", "ace_queue_length 7", "ace_queue_limit 1000", "ace_node_received_bytes_total 3000", "ace_node_sent_bytes_total 400")
}

func TestMetrics_OfTheStoreCountOnlyFailures(t *testing.T) {
	m := metrics.New()
	broken := faulty.Wrap(memstore.New(t))
	store := m.Store(broken)
	ctx := t.Context()
	use := func(ctx context.Context) {
		_, _ = store.Get(ctx, "a")
		_, _ = store.GetRange(ctx, "a", "x", 0, 1)
		_, _ = store.Stat(ctx, "a")
		_, _ = store.Put(ctx, "b", "text/plain", nil)
		_, _ = store.PutIfAbsent(ctx, "b", "text/plain", nil)
		_, _ = store.PutIfMatch(ctx, "b", "text/plain", nil, "x")
		_ = store.List(ctx, "", "", func(archive.Info) bool { return true })
		_ = store.Delete(ctx, "c")
		_, _ = store.Presign(ctx, "b", "", time.Minute)
		_, _ = store.PresignPut(ctx, "b", time.Minute)
		if w, err := store.Create(ctx, "d", "text/plain"); err == nil {
			_, _ = w.Commit(ctx)
		}
	}
	use(ctx) // misses and refused conditions are no failures
	gone, cancel := context.WithCancel(ctx)
	cancel()
	broken.On(faulty.Any, "", faulty.Always(faulty.FailBefore))
	use(gone)
	if got := strings.Join(scrape(t, m), "\n"); strings.Contains(got, "ace_store_errors_total") || !strings.Contains(got, `ace_store_requests_total{operation="put"} 6`) {
		t.Errorf("before the store fails:\n%s", got)
	}

	use(ctx)
	want(t, m,
		`ace_store_errors_total{operation="get"} 2`, `ace_store_errors_total{operation="stat"} 1`, `ace_store_errors_total{operation="put"} 3`,
		`ace_store_errors_total{operation="list"} 1`, `ace_store_errors_total{operation="delete"} 1`, `ace_store_errors_total{operation="presign"} 2`,
		`ace_store_errors_total{operation="create"} 1`)
}

func TestMetrics_OfAFailedCommit(t *testing.T) {
	m := metrics.New()
	broken := faulty.Wrap(memstore.New(t))
	broken.On(faulty.Commit, "", faulty.Always(faulty.FailBefore))
	w, err := m.Store(broken).Create(t.Context(), "d", "text/plain")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Fatal("the commit succeeds")
	}
	want(t, m, `ace_store_errors_total{operation="commit"} 1`, `ace_store_requests_total{operation="create"} 1`)
}

func TestRequests_AreCountedByPattern(t *testing.T) {
	m := metrics.New()
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Errorf("the server's connection is hidden: %v", err)
		}
		if strings.HasPrefix(r.URL.Path, "/secret") {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	server := httptest.NewServer(m.Requests(next, func(path string) string {
		if strings.HasPrefix(path, "/ace/diffs/") {
			return "/ace/diffs/{task_id}"
		}
		return ""
	}))
	defer server.Close()
	for _, request := range []string{"GET /ace/diffs/td_1", "GET /ace/diffs/td_2", "GET /secret/1", "GET /secret/2", "BREW /secret/3", "GET /metrics/"} {
		method, path, _ := strings.Cut(request, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	want(t, m,
		`ace_http_requests_total{code="200",method="get",route="/ace/diffs/{task_id}"} 2`,
		`ace_http_requests_total{code="404",method="get",route="other"} 2`,
		`ace_http_requests_total{code="404",method="unknown",route="other"} 1`,
		`ace_http_requests_total{code="200",method="get",route="/metrics"} 1`,
		`ace_http_request_duration_seconds_count{route="/ace/diffs/{task_id}"} 2`)
}

func TestHandler_AcceptsGETOnly(t *testing.T) {
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
		w := httptest.NewRecorder()
		metrics.New().Handler().ServeHTTP(w, httptest.NewRequest(method, "/metrics", nil))
		if w.Code != status {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

// The names follow the conventions of Prometheus.
func TestFamilies_FollowTheConventions(t *testing.T) {
	name := regexp.MustCompile(`^ace_[a-z]+(_[a-z]+)*$`)
	for _, f := range metrics.New().Families() {
		if !name.MatchString(f.Name) || strings.HasSuffix(f.Name, "_total") != (f.Kind == "counter") || !strings.HasSuffix(f.Help, ".") {
			t.Errorf("%+v", f)
		}
	}
}
