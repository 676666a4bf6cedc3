package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ace/shared/api"
)

// pollEvery is the time between two requests of one client.
const pollEvery = 100 * time.Millisecond

// running is the number of tasks that run while the clients poll: the default of
// ACE_MAX_TASKS.
const running = 2

// poller has what the clients of one measurement share.
type poller struct {
	*bed
	report *report
	tasks  [running]atomic.Pointer[string] // the ids of the tasks that run now

	mu        sync.Mutex
	latencies latencies
	timer     latencies // how late a timer of this program is
	tried     int       // tasks that ran
	events    int
}

// poll lets clients poll task-status while tasks run, and some of them follow the events
// of the web page too.
func poll(ctx context.Context, b *bed, r *report) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	p := &poller{bed: b, report: r}
	if err := p.warmUp(ctx); err != nil {
		return err
	}
	before, err := b.service.usage(ctx)
	if err != nil {
		return err
	}

	began := time.Now()
	if err := p.measure(ctx); err != nil {
		return err
	}
	took, used := time.Since(began), b.service.processor()-before.processor

	r.add(fmt.Sprintf("task-status, %d clients polling ten times a second, %d of them following", b.clients, b.followers), "%s", p.latencies)
	r.add("for comparison, how late a timer of a client is", "%s", p.timer)
	r.add("meanwhile", "%d comparisons of %d rows ended, %d events; %.1f s of processor time of the service in %.1f s",
		p.tried, b.rows, p.events, used.Seconds(), took.Seconds())
	if b.followers > 0 && p.events == 0 {
		r.found("%d clients followed a task and saw no event", b.followers)
	}
	if err := b.settled(ctx, r, before); err != nil {
		return err
	}
	return b.end()
}

// warmUp executes each step once, so that its caches are not part of the growth.
func (p *poller) warmUp(ctx context.Context) error {
	id, err := p.service.submit(ctx, bigTable, nil)
	if err != nil {
		return err
	}
	_, err = p.service.wait(ctx, id)
	return err
}

// measure polls for the duration of the flag -for.
func (p *poller) measure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.polling)
	defer cancel()
	var clients sync.WaitGroup
	failed := make(chan error, running+p.clients+p.followers)
	start := func(fn func() error) {
		clients.Go(func() {
			if err := fn(); err != nil && ctx.Err() == nil {
				failed <- err
				cancel()
			}
		})
	}
	for n := range running {
		start(func() error { return p.submitAlways(ctx, n) })
	}
	for p.tasks[0].Load() == nil || p.tasks[running-1].Load() == nil {
		if ctx.Err() != nil {
			break
		}
		pause(ctx, 10*time.Millisecond)
	}
	for n := range p.clients {
		start(func() error { return p.pollAlways(ctx, n) })
	}
	for n := range p.followers {
		start(func() error { return p.follow(ctx, n) })
	}
	clients.Go(func() { p.control(ctx) })
	clients.Wait()
	close(failed)
	return <-failed // nil if there is none
}

// control measures how late a timer is, without any request. The latency of a request
// contains such a delay twice, in the client and in the service, which share the machine.
func (p *poller) control(ctx context.Context) {
	for ctx.Err() == nil {
		due := time.Now().Add(5 * time.Millisecond)
		pause(ctx, time.Until(due))
		p.timer = append(p.timer, max(0, time.Since(due)))
	}
}

// submitAlways runs one task after another.
func (p *poller) submitAlways(ctx context.Context, n int) error {
	for ctx.Err() == nil {
		id, err := p.service.submit(ctx, bigTable, nil)
		if err != nil {
			return err
		}
		p.tasks[n].Store(&id)
		status, err := p.service.wait(ctx, id)
		if err != nil {
			return err
		}
		if status.Status != api.StatusCompleted {
			return fmt.Errorf("task %s ended %s: %s", id, status.Status, status.Error)
		}
		p.mu.Lock()
		p.tried++
		p.mu.Unlock()
	}
	return nil
}

// pollAlways requests the status of a running task ten times a second. A request that is
// late because the one before it was slow counts from when it was due.
func (p *poller) pollAlways(ctx context.Context, n int) error {
	due := time.Now().Add(pollEvery * time.Duration(n) / time.Duration(p.clients))
	seen := map[string]api.TaskStatus{}
	var took latencies
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.latencies = append(p.latencies, took...)
	}()
	for ; ; due = due.Add(pollEvery) {
		pause(ctx, time.Until(due))
		if ctx.Err() != nil {
			return nil
		}
		id := *p.tasks[n%running].Load()
		status, err := p.service.status(ctx, id)
		if err != nil {
			return err
		}
		took = append(took, time.Since(due))
		if problem := older(seen[id], status); problem != "" {
			p.mu.Lock()
			p.report.found("a client saw an older status of task %s: %s", id, problem)
			p.mu.Unlock()
		}
		seen[id] = status
	}
}

// follow reads the events of the web page about the running tasks, as a browser does.
func (p *poller) follow(ctx context.Context, n int) error {
	for ctx.Err() == nil {
		id := *p.tasks[n%running].Load()
		if err := p.followTask(ctx, n, id); err != nil {
			return err
		}
	}
	return nil
}

func (p *poller) followTask(ctx context.Context, n int, id string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.service.URL+"/events?task="+url.QueryEscape(id), nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: p.service.http.Transport} // without a limit of time
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the events of task %s: %s", id, response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "event: ") {
			p.mu.Lock()
			p.events++
			p.mu.Unlock()
		}
		if strings.HasPrefix(lines.Text(), "event: changed") || *p.tasks[n%running].Load() != id {
			return nil
		}
	}
	return nil // the service may end a stream: a browser opens it again
}

// submit starts a comparison and returns the id of its task. While the queue is full, it
// waits as the answer demands and calls busy, if that is not nil.
func (s *service) submit(ctx context.Context, table string, busy func(answer)) (string, error) {
	query := url.Values{"cluster_name": {clusterName}, "table_name": {table}, "quiet": {"true"}}
	for {
		a, err := s.get(ctx, "/ace/table-diff?"+query.Encode())
		if err != nil {
			return "", err
		}
		if a.status == http.StatusServiceUnavailable && busy != nil {
			busy(a)
			continue
		}
		var submitted api.Submitted
		if err := json.Unmarshal(a.body, &submitted); err != nil || a.status != http.StatusOK || submitted.TaskID == "" {
			return "", fmt.Errorf("submission: status %d: %s", a.status, a.body)
		}
		return submitted.TaskID, nil
	}
}

func (s *service) status(ctx context.Context, id string) (status api.TaskStatus, err error) {
	err = s.read(ctx, api.RouteTaskStatus.Path(id), &status)
	return status, err
}

// wait polls a task until it has ended.
func (s *service) wait(ctx context.Context, id string) (api.TaskStatus, error) {
	for {
		status, err := s.status(ctx, id)
		if err != nil || status.HasEnded() {
			return status, err
		}
		pause(ctx, pollEvery)
		if ctx.Err() != nil {
			return status, errors.Join(context.Cause(ctx), fmt.Errorf("task %s is %s", id, status.Status))
		}
	}
}

// older returns why a status is older than one that was seen before, or "".
func older(before, now api.TaskStatus) string {
	order := func(s api.TaskStatus) int {
		switch {
		case s.HasEnded():
			return 2
		case s.Status == api.StatusRunning:
			return 1
		}
		return 0
	}
	switch {
	case order(now) < order(before), before.HasEnded() && now.Status != before.Status:
		return fmt.Sprintf("%s after %s", now.Status, before.Status)
	case before.Progress != nil && now.Progress != nil && now.Progress.BlocksDone < before.Progress.BlocksDone:
		return fmt.Sprintf("%d blocks after %d", now.Progress.BlocksDone, before.Progress.BlocksDone)
	}
	return ""
}
