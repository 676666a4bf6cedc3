//go:build !unit

package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/endpoint"
)

// kilobytes bounds the part of a response or log line about a value of a megabyte: one
// kilobyte of the value, escaped, and the message around it.
const kilobytes = 8 << 10

// hugeValues are texts of nearly a megabyte, which just fit into a body with parameters,
// and which pass different checks.
func hugeValues() map[string]string {
	const n = 500_000
	var names []string // 50,000 different names
	for i := range 50_000 {
		names = append(names, fmt.Sprintf("c%d", i))
	}
	return map[string]string{
		"many names": strings.Join(names, ","),
		"letters":    strings.Repeat("x", n), "digits": strings.Repeat("7", n), "a list": strings.Repeat("a,", n/4) + "a",
		"a quoted name": `public."` + strings.Repeat("x", n) + `"`, "two names": strings.Repeat("x", n/2) + "." + strings.Repeat("y", n/2),
		"umlauts": strings.Repeat("ü", n/6), "line ends": strings.Repeat("\n", n/3) + "x", "quotes": strings.Repeat(`"`, n/3),
		"a path": "s3://bucket/" + strings.Repeat("x/", n/4) + "diffs/2024-03-15/td_20240315_123456.json",
	}
}

// parametersOf returns the parameters of a route, which the error about an unknown
// parameter lists.
func parametersOf(t *testing.T, s *apptest.Service, path string) []string {
	t.Helper()
	body := string(s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: path, RawQuery: "zzzzzzzz=1"}).Body)
	list := regexp.MustCompile(`unknown parameter .*; the parameters are ([a-z_, ]+)`).FindStringSubmatch(body)
	if list == nil {
		if !strings.Contains(body, "this path has no parameters") && !strings.Contains(body, "there is no path") { // the path of the schedules
			t.Fatalf("%s: %s", path, body)
		}
		return nil
	}
	return strings.Split(list[1], ", ")
}

func TestMegabyte_InAnyParameterIsNeverRepeated(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.Exec(t, 0, "CREATE TABLE tiny (id int PRIMARY KEY)")
	c.Exec(t, 1, "CREATE TABLE tiny (id int PRIMARY KEY)")
	var log bytes.Buffer
	s := apptest.New(t, c, apptest.Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})

	tried := 0
	for _, route := range api.Routes() {
		path := route.Path("td_20240315_123456")
		for _, name := range parametersOf(t, s, path) {
			for kind, value := range hugeValues() {
				form := url.Values{"cluster_name": {c.Name}, "table_name": {"public.tiny"}}
				form.Set(name, value)
				answer := s.Mux.Handle(t.Context(), endpoint.Request{
					Method: "POST", Path: path, Body: []byte(form.Encode()),
					Header: endpoint.Header{"content-type": "application/x-www-form-urlencoded"},
				})
				if len(answer.Body) > kilobytes || answer.Status >= 500 {
					t.Errorf("%s: %s of %s is answered with %d and %d bytes: %.300s", path, name, kind, answer.Status, len(answer.Body), answer.Body)
				}
				tried++
			}
		}
		for kind, value := range hugeValues() {
			answer := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: route.Path(value), RawQuery: value + "=1"})
			if len(answer.Body) > kilobytes {
				t.Errorf("%s: %s in the path and as a name are answered with %d bytes", route, kind, len(answer.Body))
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d parameters were tried", tried)
	}
	for line := range bytes.Lines(log.Bytes()) {
		if len(line) > 2*kilobytes {
			t.Errorf("a line of the log has %d bytes: %.300s", len(line), line)
		}
	}
	var list json.RawMessage
	if s.Get(t, "/ace/tasks", nil, &list); len(list) > kilobytes {
		t.Errorf("the list of tasks has %d bytes", len(list))
	}
}
