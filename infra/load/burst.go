package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ace/shared/api"
)

// burst has the result of all submissions.
type burst struct {
	holds  int    // tasks that are accepted while none can end
	isFull func() // is called when holds tasks have been accepted

	mu      sync.Mutex
	ids     []string
	took    latencies
	refused int      // answers 503
	wrong   []string // answers 503 without a usable Retry-After
}

// submitAtOnce submits many tasks at once to a queue that cannot hold them all, and
// checks that each task runs exactly once.
func submitAtOnce(ctx context.Context, b *bed, r *report) error {
	if err := b.begin(ctx, fmt.Sprintf("ACE_MAX_QUEUE=%d", b.queue)); err != nil {
		return err
	}
	if err := b.logStatements(ctx, true); err != nil {
		return err
	}
	first, err := b.service.submit(ctx, small(0), nil) // alone, and so that its caches are not part of the growth
	if err != nil {
		return err
	}
	if _, err := b.service.wait(ctx, first); err != nil {
		return err
	}
	before, err := b.service.usage(ctx)
	if err != nil {
		return err
	}

	if b.tasks <= b.queue+running+b.commands {
		return errors.New("the tasks do not fill the queue: -tasks must be greater")
	}

	s := &burst{holds: b.queue + running}
	began, err := s.submitAll(ctx, b, r)
	if err != nil {
		return err
	}
	if err := s.awaitAll(ctx, b, first, r); err != nil {
		return err
	}
	ended, used := time.Since(began), b.service.processor()-before.processor

	r.add(fmt.Sprintf("%d tasks submitted by %d clients, a queue of %d", b.tasks, b.clients, b.queue),
		"ended within %s; %.1f s of processor time of the service", short(ended), used.Seconds())
	r.add("an accepted submission", "%s", s.took)
	r.add("refused by the full queue", "%d answers 503 with Retry-After", s.refused-len(s.wrong))
	if len(s.wrong) > 0 {
		r.found("%d answers 503 without a usable Retry-After: %q", len(s.wrong), s.wrong[0])
	}
	if err := b.logStatements(ctx, false); err != nil {
		return err
	}
	if err := b.countExecutions(r, first, s.ids); err != nil {
		return err
	}
	if err := b.settled(ctx, r, before); err != nil {
		return err
	}
	if err := b.growth(ctx, r); err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	return b.countArchived(ctx, r, s.ids)
}

func small(n int) string { return fmt.Sprintf("public.t%d", n%smallTables) }

// submitAll submits all tasks: most by clients of the API, some by command lines once no
// more is accepted. The tables are locked until each command line has met the full queue.
// It returns the time when the tables were unlocked.
func (s *burst) submitAll(ctx context.Context, b *bed, r *report) (released time.Time, err error) {
	release, err := b.lockTables(ctx)
	if err != nil {
		return released, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A refusal does not show that the queue stays full: a worker may be about to take a
	// task from it. A command line that is accepted then would wait for the unlocking.
	full := make(chan struct{})
	s.isFull = sync.OnceFunc(func() { close(full) })
	var clients, commands, busy sync.WaitGroup
	for n := range b.clients {
		clients.Go(func() {
			if err := s.submitShare(ctx, b, n); err != nil {
				cancel(err)
			}
		})
	}
	go func() { // if all are accepted, each command line reports that the queue is not full
		clients.Wait()
		s.isFull()
	}()
	busy.Add(b.commands)
	for n := range b.commands {
		commands.Go(func() {
			select {
			case <-ctx.Done():
			case <-full:
			}
			id, err := b.command(ctx, small(n), busy.Done)
			if err != nil {
				cancel(err)
				return
			}
			s.accept(id, 0)
		})
	}
	busy.Wait()
	released = time.Now()
	err = release()
	clients.Wait()
	commands.Wait()
	if ctx.Err() != nil {
		return released, context.Cause(ctx)
	}
	r.add("command lines that met the full queue", "%d; all waited, tried again and exited with 0", b.commands)
	return released, err
}

// submitShare submits the tasks of one client.
func (s *burst) submitShare(ctx context.Context, b *bed, client int) error {
	for n := client; n < b.tasks-b.commands && ctx.Err() == nil; n += b.clients {
		began := time.Now()
		id, err := b.service.submit(ctx, small(n), func(a answer) { began = s.refuse(ctx, a) })
		if err != nil {
			return err
		}
		s.accept(id, time.Since(began))
	}
	return nil
}

// lockTables locks the small tables on the first node, so that no task can end. The
// caller must call release.
func (b *bed) lockTables(ctx context.Context) (release func() error, err error) {
	const sleep = "SELECT pg_sleep(590)"
	sql := "BEGIN"
	for n := range smallTables {
		sql += "; LOCK TABLE " + small(n)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = b.nodes.One(ctx, 0, "-c", sql, "-c", sleep) // release terminates it
	}()
	release = func() error {
		_, err := b.nodes.One(ctx, 0, "-c", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = '"+sleep+"'")
		<-ended
		return err
	}
	for ctx.Err() == nil {
		locked, err := b.nodes.One(ctx, 0, "-c", "SELECT count(*) FROM pg_stat_activity WHERE query = '"+sleep+"'")
		if err != nil || strings.TrimSpace(locked) == "1" {
			return release, err
		}
		pause(ctx, 20*time.Millisecond)
	}
	return nil, context.Cause(ctx)
}

// refuse records an answer 503, waits as long as it demands, and returns the time when
// the wait ended. The wait of this program is at most a second, so that the queue stays
// full.
func (s *burst) refuse(ctx context.Context, a answer) time.Time {
	seconds, err := strconv.Atoi(a.retryAfter)
	s.mu.Lock()
	s.refused++
	if err != nil || seconds < 1 || !bytes.Contains(a.body, []byte("the queue is full")) {
		s.wrong = append(s.wrong, fmt.Sprintf("%q %s", a.retryAfter, a.body))
	}
	s.mu.Unlock()
	pause(ctx, min(time.Duration(seconds)*time.Second, time.Second))
	return time.Now()
}

// accept records a task. The duration 0 is that of a command line, which is not measured.
func (s *burst) accept(id string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, id)
	if took > 0 {
		s.took = append(s.took, took)
	}
	if len(s.ids) == s.holds {
		s.isFull()
	}
}

var taskID = regexp.MustCompile(`td_[0-9]{8}_[0-9]{6}[0-9a-z_]*`)

// command compares a table with the real command line client, which must meet the full
// queue. It calls busy when the client has been refused, or has ended, and returns the id
// of the task.
func (b *bed) command(ctx context.Context, table string, busy func()) (id string, err error) {
	refusals := &refusals{busy: sync.OnceFunc(busy)}
	defer refusals.busy()
	command := exec.CommandContext(ctx, b.binary, "table-diff", "--server", b.service.URL, "--json", clusterName, table)
	command.Stderr = refusals
	stdout, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("ace table-diff: %w: %s", err, refusals.text.String())
	}
	if !strings.Contains(refusals.text.String(), waits) {
		return "", fmt.Errorf("ace table-diff did not meet the full queue: %s", refusals.text.String())
	}
	if id = taskID.FindString(string(stdout)); id == "" {
		return "", fmt.Errorf("ace table-diff printed no task id: %s", stdout)
	}
	return id, nil
}

// waits is what the command line prints before it waits for a busy server.
const waits = "the server is busy, next try in "

// refusals is what a command line prints on stderr.
type refusals struct {
	text bytes.Buffer
	busy func()
}

// Write implements io.Writer.
func (r *refusals) Write(p []byte) (int, error) {
	n, err := r.text.Write(p)
	if strings.Contains(r.text.String(), waits) {
		r.busy()
	}
	return n, err
}

// awaitAll waits until all tasks have ended, and compares them with the list of tasks.
func (s *burst) awaitAll(ctx context.Context, b *bed, since string, r *report) error {
	slices.Sort(s.ids)
	if n := len(slices.Compact(slices.Clone(s.ids))); n != b.tasks {
		r.found("%d submissions got %d task ids", b.tasks, n)
	}
	for _, id := range s.ids {
		status, err := b.service.wait(ctx, id)
		if err != nil {
			return fmt.Errorf("task %s, last seen %s: %w", id, status.Status, err)
		}
		if status.Status != api.StatusCompleted {
			r.found("task %s ended %s: %s", id, status.Status, status.Error)
		}
	}
	listed, err := b.service.listedAfter(ctx, since)
	if err != nil {
		return err
	}
	if slices.Sort(listed); !slices.Equal(listed, s.ids) {
		r.found("%d tasks were submitted, and %d are listed", len(s.ids), len(listed))
	}
	return nil
}

// listedAfter returns the ids of the tasks in the list that are newer than a task.
func (s *service) listedAfter(ctx context.Context, since string) (ids []string, err error) {
	for after := ""; ; {
		var page api.TaskList
		path := "/ace/tasks?limit=1000"
		if after != "" {
			path += "&after=" + after
		}
		if err := s.read(ctx, path, &page); err != nil {
			return nil, err
		}
		for _, t := range page.Tasks {
			if t.TaskID == since {
				return ids, nil
			}
			ids = append(ids, t.TaskID)
		}
		if after = page.Next; after == "" {
			return nil, errors.New("the list of tasks lacks task " + since)
		}
	}
}
