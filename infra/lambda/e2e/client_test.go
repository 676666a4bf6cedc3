//go:build !unit

package e2e_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/endpointtest"
	"ace/shared/api"
	"ace/shared/archive/s3"
	"ace/shared/archive/storetest"
	"ace/shared/endpoint"
	"ace/shared/task"
)

// client sends requests to one deployment of the API: the functions or the local service.
type client struct {
	name    string
	cluster string
	do      func(endpoint.Request) endpoint.Response
}

// open opens the bucket below a prefix.
func (s *site) open(t *testing.T, prefix string) *s3.Store {
	t.Helper()
	at := s.s3
	at.Prefix = prefix
	store, err := s3.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// locally returns the local service over the same nodes, with its own archive, over HTTP.
func (s *site) locally(t *testing.T) *client {
	t.Helper()
	service := apptest.New(t, s.cluster, apptest.Options{Store: s.open(t, "local")})
	return &client{name: "the local service", cluster: s.cluster.Name, do: endpointtest.Both(t, service.Mux.Mux)[0].Do}
}

// get sends a GET and decodes the answer; any status but 200 fails the test.
func (c *client) get(t *testing.T, path string, query url.Values, into any) {
	t.Helper()
	resp := c.do(endpoint.Request{Method: "GET", Path: path, RawQuery: query.Encode(), Header: endpoint.Header{}})
	if resp.Status != 200 {
		t.Fatalf("GET %s?%s: status %d: %s", path, query.Encode(), resp.Status, resp.Body)
	}
	if err := json.Unmarshal(resp.Body, into); err != nil {
		t.Fatalf("GET %s: %v in %s", path, err, resp.Body)
	}
}

// submit submits a table-diff of public.t; args are name, value, name, value.
func (c *client) submit(t *testing.T, args ...string) string {
	t.Helper()
	return c.submitTo(t, "/ace/table-diff", append([]string{
		"cluster_name", c.cluster, "table_name", "public.t", "confirm_delay", "0", "block_rows", "1000", "batch_size", "1", "max_cpu_ratio", "1",
	}, args...)...)
}

// submitTo submits to any path; args are name, value, name, value, of which the last one
// of a name counts.
func (c *client) submitTo(t *testing.T, path string, args ...string) string {
	t.Helper()
	query := url.Values{}
	for i := 0; i+1 < len(args); i += 2 {
		query.Set(args[i], args[i+1])
	}
	var submitted api.Submitted
	c.get(t, path, query, &submitted)
	return submitted.TaskID
}

func (c *client) status(t *testing.T, taskID string) api.TaskStatus {
	t.Helper()
	var status api.TaskStatus
	c.get(t, "/ace/task-status/"+taskID, nil, &status)
	return status
}

// wait waits until a task has ended.
func (c *client) wait(t *testing.T, taskID string) api.TaskStatus {
	t.Helper()
	for deadline := time.Now().Add(taskTimeout); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if status := c.status(t, taskID); task.Status(status.Status).Terminal() {
			return status
		}
	}
	t.Fatalf("task %s did not end: %+v", taskID, c.status(t, taskID))
	return api.TaskStatus{}
}

// document downloads the document of a completed task. It follows a redirect to the
// archive.
func (c *client) document(t *testing.T, taskID string) []byte {
	t.Helper()
	return c.documentAs(t, taskID, api.FormatJSON)
}

func (c *client) documentAs(t *testing.T, taskID, format string) []byte {
	t.Helper()
	resp := c.do(endpoint.Request{Method: "GET", Path: "/ace/diffs/" + taskID, RawQuery: "format=" + format, Header: endpoint.Header{}})
	if resp.Status == 200 { // the local service streams it
		return resp.Body
	}
	if resp.Status != 302 {
		t.Fatalf("document of %s: status %d: %s", taskID, resp.Status, resp.Body)
	}
	body, _ := storetest.Download(t, resp.Header["Location"])
	return []byte(body)
}
