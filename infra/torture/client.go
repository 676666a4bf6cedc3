package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"ace/shared/api"
)

const clusterName = "torture"

// client sends requests to the services. It is repeated until a service answers, and
// records the id of each task.
type client struct {
	services []*service
	http     *http.Client

	mu       sync.Mutex
	accepted map[string]string // the path of the request, by the id of its task
	requests int
	retries  int
}

func newClient(services []*service) *client {
	return &client{services: services, accepted: map[string]string{}, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// answer is a response with its body.
type answer struct {
	status int
	body   []byte
	again  bool // an earlier attempt may have been executed: its answer was lost
}

// get requests a path until the answer is neither lost nor a 5xx that a fault explains.
func (c *client) get(ctx context.Context, path string) (answer, error) {
	again := false
	for attempt := 0; ; attempt++ {
		c.mu.Lock()
		c.requests++
		s := c.services[(c.requests+attempt)%len(c.services)]
		c.mu.Unlock()
		status, body, err := c.send(ctx, http.MethodGet, "http://"+s.address+path, nil)
		if err == nil && status != http.StatusServiceUnavailable && status != http.StatusInternalServerError {
			return answer{status, body, again}, nil
		}
		again = again || err != nil
		if ctx.Err() != nil {
			return answer{}, fmt.Errorf("GET %s: %w: status %d %s %w", path, context.Cause(ctx), status, body, err)
		}
		c.mu.Lock()
		c.retries++
		c.mu.Unlock()
		pause(ctx, 100*time.Millisecond)
	}
}

func (c *client) send(ctx context.Context, method, address string, body io.Reader) (status int, text []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return 0, nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	return response.StatusCode, text, err
}

// read requests a path and decodes the answer, which must be a 200.
func (c *client) read(ctx context.Context, path string, into any) error {
	a, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("GET %s: status %d: %s", path, a.status, a.body)
	}
	return json.Unmarshal(a.body, into)
}

// submit starts a task and returns its id. If the answer to an attempt was lost, the task
// may have been started already: then the newest unknown task of the table is used. A
// refusal is an error.
func (c *client) submit(ctx context.Context, operation, table string, params map[string]string) (string, error) {
	query := url.Values{"cluster_name": {clusterName}}
	if table != "" {
		query.Set("table_name", "public."+table)
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		query.Set(name, params[name])
	}
	path := "/ace/" + operation + "?" + query.Encode()
	a, err := c.get(ctx, path)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", refusal{fmt.Sprintf("GET %s: status %d: %s", path, a.status, a.body)}
	}
	var submitted struct {
		TaskID string `json:"task_id"`
	}
	if err := json.Unmarshal(a.body, &submitted); err != nil || submitted.TaskID == "" {
		return "", fmt.Errorf("GET %s: no task id: %s", path, a.body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accepted[submitted.TaskID] = path
	return submitted.TaskID, nil
}

// refusal is an answer that is not a 200.
type refusal struct{ text string }

func (r refusal) Error() string { return r.text }

// wait polls a task until it has ended.
func (c *client) wait(ctx context.Context, id string) (api.TaskStatus, error) {
	for {
		var status api.TaskStatus
		if err := c.read(ctx, "/ace/task-status/"+id, &status); err != nil {
			return status, fmt.Errorf("task %s, which was accepted: %w", id, err)
		}
		if status.HasEnded() {
			return status, nil
		}
		pause(ctx, 150*time.Millisecond)
		if ctx.Err() != nil {
			return status, fmt.Errorf("task %s is %s: %w", id, status.Status, context.Cause(ctx))
		}
	}
}

// tasks lists all tasks.
func (c *client) tasks(ctx context.Context, query string) (all []api.TaskStatus, err error) {
	after := ""
	for {
		var page struct {
			Tasks []api.TaskStatus `json:"tasks"`
			Next  string           `json:"next"`
		}
		path := "/ace/tasks?limit=1000&" + query
		if after != "" {
			path += "&after=" + url.QueryEscape(after)
		}
		if err := c.read(ctx, path, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Tasks...)
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// accept adds a task that the client found in a list.
func (c *client) accept(id, how string) (isNew bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.accepted[id]
	if !known {
		c.accepted[id] = how
	}
	return !known
}

// ids returns the ids of all accepted tasks.
func (c *client) ids() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.accepted))
}
