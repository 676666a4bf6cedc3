//go:build !unit

package app_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ace/infra/testkit/apicheck"
	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
)

// requestTime bounds the answer to one request. A check of a cluster connects to nodes,
// while tasks use the processors.
const requestTime = 30 * time.Second

// Whatever a client sends, the answer is one that the description has, in bounded time.
// No answer is an internal error, and no goroutine is left.
func TestRequests_GeneratedOnesAreAnsweredAsDescribed(t *testing.T) {
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'é'), (2, NULL)`)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
	})
	s := apptest.New(t, c, apptest.Options{})
	diff := s.Diff(t, "public.t").TaskID

	seed, requests := soak.Seed(t), soak.Rounds(t, 600, 100_000)
	g := newRequestGenerator(t, rand.New(rand.NewPCG(seed, 0)), map[string]string{
		"cluster_name": c.Name, "dbname": c.DB, "table_name": "public.t", "task_id": diff, "diff_file": diff, "source_of_truth": "n1", "nodes": "n1,n2", "dry_run": "true",
		"schema_name": "public", "confirm_delay": "0", "table_filter": "id > 0", "node": "n2", "until": "2030-01-01", "since": "2020-01-01",
	})
	handler := httpx.Handler(s.Mux.Mux, httpx.Options{})
	statuses, unread, wrong := map[int]int{}, 0, 0
	for n := range requests {
		text := g.next()
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil { // net/http refuses it
			unread++
			continue
		}
		status, problems := answered(t, handler, r, text)
		statuses[status]++
		if len(problems) > 0 {
			wrong++
			t.Errorf("request %d of seed %d: %.2000q: %q", n, seed, text, problems)
		}
		if wrong >= 10 {
			break
		}
	}

	for _, status := range []int{200, 400, 403, 404, 405} {
		if statuses[status] == 0 {
			t.Errorf("no answer has the status %d: %v", status, statuses)
		}
	}
	soak.Report(t, "%d requests, of which net/http refuses %d; answers by status: %v", requests, unread, statuses)
}

// answered passes a request to the handler, and returns the status and what is wrong.
func answered(t *testing.T, handler http.Handler, r *http.Request, text string) (status int, problems []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), requestTime)
	defer cancel()
	recorder, end, method, path, query := httptest.NewRecorder(), make(chan any, 1), r.Method, r.URL.Path, r.URL.RawQuery
	go func() {
		defer func() { end <- recover() }()
		handler.ServeHTTP(recorder, r.WithContext(ctx))
	}()
	select {
	case cause := <-end:
		if cause != nil {
			t.Fatalf("%.2000q: panic: %v", text, cause)
		}
	case <-time.After(2 * requestTime):
		t.Fatalf("no answer within %s: %.2000q", 2*requestTime, text)
	}

	header := map[string]string{}
	for name := range recorder.Header() {
		header[name] = recorder.Header().Get(name)
	}
	body := recorder.Body.Bytes()
	if recorder.Code == http.StatusPartialContent || header["Content-Encoding"] != "" {
		body = nil // the body is only a part, or compressed
	}
	if recorder.Code == http.StatusInternalServerError || ctx.Err() != nil {
		problems = append(problems, fmt.Sprintf("status %d, %v: %.500s", recorder.Code, ctx.Err(), body))
	}
	request := endpoint.Request{Method: method, Path: path, RawQuery: query}
	answer := endpoint.Response{Status: recorder.Code, Header: header, Body: body}
	return recorder.Code, append(problems, apicheck.Problems(request, answer)...)
}
