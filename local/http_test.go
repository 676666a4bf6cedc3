//go:build !unit

package main_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/apicases"
	"ace/infra/testkit/endpointtest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/cluster"
	"ace/shared/endpoint"
	"ace/shared/invoke"
)

// everywhere returns all ways to send the same request. The first sends it to the running
// service. The others send it over each transport to an application in this process. This
// application has the definitions of the service and a copy of its archive, which is made
// when no task is open.
func (s *service) everywhere(t *testing.T) []endpointtest.Transport {
	t.Helper()
	eventually(t, startTimeout, "no task is marked open", func() bool { return len(s.home.keys(t, "open/")) == 0 })
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	a := app.New(app.Options{
		Store: s.store(t), Clusters: cluster.NewSource(cluster.Options{Path: s.home.clusters()}),
		MaxConns: 1, StatementTimeout: time.Minute, Log: log,
	})
	t.Cleanup(a.Close)
	idle := invoke.NewQueue(0, 1, nil) // no case may start a task
	t.Cleanup(idle.Close)
	mux, err := endpoint.New(endpoint.Options{Logger: log}, a.Endpoints(idle)...)
	if err != nil {
		t.Fatal(err)
	}
	running := endpointtest.Transport{Name: "ace serve", Do: func(r endpoint.Request) endpoint.Response { return s.do(t, r) }}
	return append([]endpointtest.Transport{running}, endpointtest.Both(t, mux)...)
}

// checkEverywhere compares the answers to the byte, and returns that of the service.
func checkEverywhere(t *testing.T, transports []endpointtest.Transport, req endpoint.Request) endpoint.Response {
	t.Helper()
	want := transports[0].Do(req)
	for _, transport := range transports[1:] {
		got := transport.Do(req)
		if got.Status != want.Status || string(got.Body) != string(want.Body) {
			t.Errorf("%s answers %d %s\n%s answers %d %s", transport.Name, got.Status, got.Body, transports[0].Name, want.Status, want.Body)
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "Allow", "Retry-After"} {
			if got.Header[name] != want.Header[name] {
				t.Errorf("%s: %s is %q, %s has %q", transport.Name, name, got.Header[name], transports[0].Name, want.Header[name])
			}
		}
	}
	return want
}

func TestHTTP_EveryBadRequestIsRefusedByTheRunningService(t *testing.T) {
	t.Parallel()
	s := newHome(t, pgtest.NewCluster(t)).serve(t, settings{"ACE_PAGE": "false"}) // the page would answer at /
	transports := s.everywhere(t)
	for _, c := range apicases.Bad() {
		req := endpoint.Request{Method: c.Method, Path: c.Path, RawQuery: c.RawQuery, Body: []byte(c.Body), Header: endpoint.Header{}}
		if c.ContentType != "" {
			req.Header["content-type"] = c.ContentType
		}
		resp := checkEverywhere(t, transports, req)
		if resp.Status != c.Status || string(resp.Body) != c.Answer() {
			t.Errorf("%s: got %d %s\nwant %d %s", c.Name, resp.Status, resp.Body, c.Status, c.Answer())
		}
	}
	for _, c := range apicases.Good() { // all name a cluster that does not exist
		req := endpoint.Request{Method: c.Method, Path: c.Path, RawQuery: c.RawQuery, Body: []byte(c.Body), Header: endpoint.Header{}}
		if c.ContentType != "" {
			req.Header["content-type"] = c.ContentType
		}
		if resp := checkEverywhere(t, transports, req); resp.Status != 404 || !strings.Contains(string(resp.Body), "there is no cluster demo") {
			t.Errorf("%s: got %d %s", c.Name, resp.Status, resp.Body)
		}
	}
	s.checkNoTask(t)
}

// checkNoTask makes sure that no request has started a task.
func (s *service) checkNoTask(t *testing.T) {
	t.Helper()
	var list api.TaskList
	if s.read(t, "/ace/tasks", "", &list); len(list.Tasks) > 0 {
		t.Errorf("there are tasks: %+v", list.Tasks)
	}
	for _, prefix := range []string{"open/", "tasks/"} {
		if found := s.home.keys(t, prefix); len(found) > 0 {
			t.Errorf("there are objects: %v", found)
		}
	}
}

const (
	lonely = `{"pgedge": {"databases": [{"db_name": "d", "db_user": "u", "db_password": "hunter2"}]},
 "node_groups": [{"name": "n1", "public_ip": "127.0.0.1"}, {"name": "n2", "public_ip": "127.0.0.1", "is_active": "off"}]}`
	malformed = `{"pgedge": {"databases": [{"db_name": "d", "db_password": hunter2}]}}`
)

func TestHTTP_BadRequestsToTheOtherRoutesAndForUnknownThings(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	h := newHome(t, c)
	h.define(t, "lonely.json", lonely)
	h.define(t, "malformed.json", malformed)
	s := h.serve(t, nil)
	transports := s.everywhere(t)
	const (
		unknownID = "task td_19990101_000000 does not exist"
		statuses  = "it must be QUEUED, RUNNING, COMPLETED, FAILED or CANCELLED"
	)
	of := func(name string) string { return "cluster_name=" + name + "&table_name=public.tiny" }
	for _, tt := range []struct {
		path, query string
		status      int
		want        string
	}{
		{"/ace/table-diff", of("nope"), 404, "there is no cluster nope; the defined clusters are lonely, malformed, " + c.Name},
		{"/ace/table-diff", of(c.Name) + "&dbname=nope", 400, fmt.Sprintf(`dbname is "nope"; cluster %s has the databases %q`, c.Name, c.DB)},
		{"/ace/table-diff", of(c.Name) + "&nodes=n1,n9", 400, `nodes has "n9", which is not a node of cluster ` + c.Name + `; the active nodes are n1, n2`},
		{"/ace/table-diff", of("lonely") + "&nodes=n1,n2", 400, "nodes has n2, which is not active in cluster lonely; the active nodes are n1"},
		{"/ace/table-diff", of("lonely"), 400, "cluster lonely has 1 active node: a comparison needs at least two"},
		{"/ace/table-diff", of("malformed"), 400, h.clusters() + "/malformed.json, line 1, column 59: not valid JSON: invalid character 'h' looking for beginning of value"},
		{"/ace/task-status/td_19990101_000000", "", 404, unknownID},
		{"/ace/task-cancel/td_19990101_000000", "", 404, unknownID},
		{"/ace/diffs/td_19990101_000000", "", 404, unknownID},
		{"/ace/reports/td_19990101_000000", "", 404, unknownID},
		{"/ace/before-images/td_19990101_000000", "", 404, unknownID},
		{"/ace/reports/td_19990101_000000", "format=csv", 400, `format is "csv"; it must be json or sql`},
		{"/ace/reports/td_19990101_000000", "node=n1", 400, `node is "n1"; it must not be set unless format is sql, because a report is about all nodes`},
		{"/ace/before-images/td_19990101_000000", "node=n1", 400, `unknown parameter "node"; this path has no parameters`},
		{"/ace/task-status/td_19990101_000000", "verbose=1", 400, `unknown parameter "verbose"; this path has no parameters`},
		{"/ace/task-cancel/td_19990101_000000", "force=1", 400, `unknown parameter "force"; this path has no parameters`},
		{"/ace/diffs/td_19990101_000000", "format=pdf", 400, `format is "pdf"; it must be json, csv or html`},
		{"/ace/diffs/td_19990101_000000", "format=json&format=json", 400, "format is given 2 times; give it once"},
		{"/ace/tasks", "limit=0", 400, `limit is "0"; it must be a whole number from 1 to 1000`},
		{"/ace/tasks", "limit=ten", 400, `limit is "ten"; it must be a whole number from 1 to 1000`},
		{"/ace/tasks", "after=zzz", 400, `after is "zzz"; it must be the value of next of the previous page`},
		{"/ace/tasks", "table_name=users", 400, `table_name is "users"; it must be schema.table, such as public.users`},
		{"/ace/tasks", "status=DONE", 400, `status is "DONE"; ` + statuses},
		{"/ace/tasks", "task_type=table-fix", 400, `task_type is "table-fix"; it must be table-diff, table-rerun, table-repair, table-undo, schema-diff, repset-diff or replication-diff`},
		{"/ace/diffs", "verdict=differs", 400, `verdict is "differs"; it must be match or differ`},
		{"/ace/diffs", "since=2024-03-16&until=2024-03-15", 400,
			"until is 2024-03-15T00:00:00.000Z; it must be a time after since (2024-03-16T00:00:00.000Z)"},
		{"/ace/diffs", "upload=new", 400, `unknown parameter "upload"; the parameters are cluster_name, table_name, verdict, since, until, limit, after`},
		{"/ace/diffs", "after=zzz", 400, `after is "zzz"; it must be the value of next of the previous page`},
		{"/healthz", "deep=1", 400, `unknown parameter "deep"; this path has no parameters`},
		{"/ace/task-status/td_19990101_000000/", "", 404, unknownID},
		{"/ace/diffs/tu_19990101_000000/", "", 404, "task tu_19990101_000000 does not exist"},
		{"/ace/tasks/", "limit=0", 400, `limit is "0"; it must be a whole number from 1 to 1000`},
		{"/healthz/", "deep=1", 400, `unknown parameter "deep"; this path has no parameters`},
		{"/ace/task-status/", "", 404, `there is no path "/ace/task-status/"`},
	} {
		resp := checkEverywhere(t, transports, endpoint.Request{Method: "GET", Path: tt.path, RawQuery: tt.query})
		if want := fmt.Sprintf("{\"error\":%s}\n", quoted(tt.want)); resp.Status != tt.status || string(resp.Body) != want {
			t.Errorf("%s?%s: got %d %swant %d %s", tt.path, tt.query, resp.Status, resp.Body, tt.status, want)
		}
		checkSecret(t, "the answer", string(resp.Body), "hunter2")
	}
	checkSecret(t, "the log", s.output.String(), "hunter2")
	s.checkNoTask(t)
}

// quoted writes a text as the service's JSON does.
func quoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` }

func TestHTTP_AMalformedTaskIDNeverBecomesAKey(t *testing.T) {
	t.Parallel()
	s := newHome(t, pgtest.NewCluster(t)).serve(t, nil)
	transports := s.everywhere(t)
	for _, id := range []string{
		"nonsense", "td_2024", "TD_20240315_123456", "td_20240315_123456_", "td_20240315_123456_ABCDEF", "..", "%2e%2e", "../../credentials.json",
		"td_20240315_123456/task.json", "td_20240315_123456\x00", "td_20240315_123456\n", strings.Repeat("t", 5000), "ä",
	} {
		for _, route := range []api.Route{api.RouteTaskStatus, api.RouteTaskCancel, api.RouteDiff, api.RouteReport, api.RouteBefore} {
			resp := checkEverywhere(t, transports, endpoint.Request{Method: "GET", Path: route.Path(id)})
			if resp.Status != 404 || !strings.HasPrefix(string(resp.Body), `{"error":"`) || len(resp.Body) > 500 {
				t.Errorf("%s: got %d %.600s, want 404", route.Path(id), resp.Status, resp.Body)
			}
		}
	}
}

func TestHTTP_AFormAndAnObjectSubmitLikeAQuery(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, nil)
	query := diffQuery(c, "public.tiny", "nodes", "n1,n2", "quiet", "yes", "table_filter", "name <> 'ü%&='", "max_cpu_ratio", "0.5")
	object := fmt.Sprintf(`{"cluster_name": %q, "table_name": "public.tiny", "confirm_delay": 0, "nodes": ["n1", "n2"], "quiet": true,
		"table_filter": "name <> '\u00fc%%&='", "max_cpu_ratio": 0.5}`, c.Name)
	var parameters []string
	for _, req := range []endpoint.Request{
		{Method: "GET", RawQuery: query},
		{Method: "POST", Body: []byte(query), Header: endpoint.Header{"content-type": "application/x-www-form-urlencoded"}},
		{Method: "POST", RawQuery: query},
		{Method: "POST", Body: []byte(object), Header: endpoint.Header{"content-type": "application/json; charset=utf-8"}},
	} {
		req.Path = "/ace/table-diff"
		var submitted api.Submitted
		decode(t, s.do(t, req), &submitted)
		if result := s.completed(t, submitted.TaskID); result.TotalRows != 10 || result.Verdict != api.VerdictMatch {
			t.Errorf("%s: %+v", req.Method, result)
		}
		parameters = append(parameters, string(s.status(t, submitted.TaskID).Parameters))
	}
	for _, p := range parameters[1:] {
		if p != parameters[0] {
			t.Errorf("the parameters are %s\nand %s", parameters[0], p)
		}
	}
}

func TestHTTP_HEADStartsNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, nil)
	for path, want := range map[string]string{
		"/ace/table-diff": "405 GET, POST", "/ace/task-cancel/td_19990101_000000": "405 GET, POST",
		"/ace/task-status/td_19990101_000000": "404 ", "/ace/tasks": "200 ", "/healthz": "200 ", "/readyz": "200 ",
	} {
		query := ""
		if path == "/ace/table-diff" {
			query = diffQuery(c, "public.tiny")
		}
		resp := s.do(t, endpoint.Request{Method: "HEAD", Path: path, RawQuery: query})
		if got := fmt.Sprintf("%d %s", resp.Status, resp.Header["Allow"]); got != want || len(resp.Body) > 0 {
			t.Errorf("HEAD %s: got %q and body %q, want %q and none", path, got, resp.Body, want)
		}
	}
	s.checkNoTask(t)
}

func TestHTTP_AWebPageInTheOperatorsBrowserIsRefused(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, settings{"ACE_HOSTS": "ace.example.com"})
	submission := endpoint.Request{Method: "GET", Path: "/ace/table-diff", RawQuery: diffQuery(c, "public.tiny")}
	for name, value := range map[string]string{
		"host": "evil.example:5000", "sec-fetch-site": "cross-site", "origin": "https://evil.example", "sec-purpose": "prefetch;prerender", "purpose": "prefetch",
	} {
		submission.Header = endpoint.Header{name: value}
		if resp := s.do(t, submission); resp.Status != 403 || !strings.HasPrefix(string(resp.Body), `{"error":"`) {
			t.Errorf("%s: %s returns %d %s", name, value, resp.Status, resp.Body)
		}
	}
	s.checkNoTask(t)
	for name, value := range map[string]string{"host": "ace.example.com", "sec-fetch-site": "same-origin", "origin": "http://" + s.host} {
		req := endpoint.Request{Method: "GET", Path: "/healthz", Header: endpoint.Header{name: value}}
		if resp := s.do(t, req); resp.Status != 200 || string(resp.Body) != `{"status":"ok"}`+"\n" {
			t.Errorf("%s: %s returns %d %s", name, value, resp.Status, resp.Body)
		}
	}
}
