package apicheck_test

import (
	"strings"
	"testing"

	"ace/infra/testkit/apicheck"
	"ace/shared/endpoint"
)

func TestProblems_NameWhatTheDescriptionDoesNotAllow(t *testing.T) {
	const list = `{"tasks":[]}`
	for name, tt := range map[string]struct {
		method, path, query string
		status              int
		body, want          string
	}{
		"as described":        {"GET", "/ace/tasks", "limit=10&status=FAILED", 200, list, ""},
		"a slash at the end":  {"GET", "/ace/tasks/", "", 200, list, ""},
		"an unknown member":   {"GET", "/ace/tasks", "", 200, `{"tasks":[],"count":0}`, "additional properties 'count' not allowed"},
		"a missing member":    {"GET", "/ace/tasks", "", 200, `{}`, "missing property 'tasks'"},
		"another type":        {"GET", "/ace/tasks", "", 200, `{"tasks":[],"next":1}`, "got number, want string"},
		"an unknown word":     {"GET", "/healthz", "", 200, `{"status":"fine"}`, "value must be 'ok'"},
		"no time":             {"POST", "/ace/table-undo", "", 200, `{"task_id":"tu_20240315_123456","submitted_at":"noon"}`, "not valid date-time"},
		"an unknown status":   {"GET", "/healthz", "", 404, `{"error":"x"}`, "the status is not described"},
		"a wrong failure":     {"GET", "/ace/nothing", "", 404, `{"message":"x"}`, "missing property 'error'"},
		"an unknown query":    {"GET", "/ace/tasks", "verbose=1", 200, list, "verbose is not described"},
		"a number of a range": {"GET", "/ace/tasks", "limit=1001", 200, list, "maximum: got 1,001, want 1,000"},
		"a required one":      {"GET", "/ace/table-undo", "", 200, `{"task_id":"tu_20240315_123456","submitted_at":"2024-03-15T12:34:56.789Z"}`, "task_id is described as required"},
	} {
		resp := endpoint.Response{Status: tt.status, Header: map[string]string{"Content-Type": "application/json"}, Body: []byte(tt.body)}
		got := strings.Join(apicheck.Problems(endpoint.Request{Method: tt.method, Path: tt.path, RawQuery: tt.query}, resp), "; ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// A 304 has neither a body nor a content type.
func TestProblems_AnAnswerWithoutContentIsChecked(t *testing.T) {
	for name, tt := range map[string]struct {
		contentType, body, want string
	}{
		"none":           {"", "", ""},
		"a content type": {"application/json", "", `the content type "application/json" is not described`},
		"a body":         {"", "x", `the content type "" is not described`},
	} {
		header := map[string]string{}
		if tt.contentType != "" {
			header["Content-Type"] = tt.contentType
		}
		request := endpoint.Request{Method: "GET", Path: "/ace/diffs/td_20240315_123456", RawQuery: "format=csv"}
		got := strings.Join(apicheck.Problems(request, endpoint.Response{Status: 304, Header: header, Body: []byte(tt.body)}), "; ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
