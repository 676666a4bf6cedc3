package invoke

import (
	"context"
	"slices"
	"sync"

	"ace/shared/fault"
)

// Queue starts tasks in this process, a few at a time, in the order they came. It must be closed.
type Queue struct {
	run      Run
	maxTasks int
	maxQueue int

	mu      sync.Mutex
	waiting []queued
	known   map[string]bool // waiting or running
	running int
	closed  bool
	ctx     context.Context //nolint:containedctx // the life of the queue's tasks, which no caller's context bounds
	cancel  context.CancelCauseFunc
	tasks   sync.WaitGroup
}

// ErrClosing is the cause by which the tasks of a closing queue end: they are to give their leases back.
var ErrClosing = fault.New(fault.Unavailable, "the service is shutting down")

// Run does one task to its end, and returns soon once its context has ended. takeOver says that whoever held the task's
// lease is known to be dead.
type Run func(ctx context.Context, taskID string, takeOver bool)

// queued is a task that waits for room.
type queued struct {
	id       string
	takeOver bool
}

// NewQueue makes a queue.
func NewQueue(maxTasks, maxQueue int, run Run) *Queue {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Queue{run: run, maxTasks: maxTasks, maxQueue: maxQueue, known: map[string]bool{}, ctx: ctx, cancel: cancel}
}

// Admit says whether a submission would find room; it is asked before anything is stored.
func (q *Queue) Admit(context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosing
	case len(q.waiting) >= q.maxQueue:
		return fault.New(fault.Unavailable, "the queue is full: %d tasks are waiting (ACE_MAX_QUEUE); try again later", len(q.waiting))
	}
	return nil
}

// Start puts a task into the queue; one that waits or runs already stays as it is. It never refuses: the task exists.
// After Close it does nothing, since the task will be found at the next start.
func (q *Queue) Start(_ context.Context, taskID string) error {
	q.Resume(taskID, false)
	return nil
}

// Resume is Start for a task that an earlier process may have begun.
func (q *Queue) Resume(taskID string, takeOver bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.known[taskID] {
		return
	}
	q.known[taskID] = true
	q.waiting = append(q.waiting, queued{taskID, takeOver})
	q.next()
}

// Drop takes a task out of the queue that has ended while it waited. One that runs is not touched.
func (q *Queue) Drop(taskID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := slices.DeleteFunc(q.waiting, func(t queued) bool { return t.id == taskID })
	if len(left) < len(q.waiting) {
		delete(q.known, taskID)
	}
	q.waiting = left
}

// next starts waiting tasks while there is room. The lock is held.
func (q *Queue) next() {
	for !q.closed && q.running < q.maxTasks && len(q.waiting) > 0 {
		t := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.running++
		q.tasks.Go(func() {
			q.run(q.ctx, t.id, t.takeOver)
			q.ended(t.id)
		})
	}
}

func (q *Queue) ended(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.known, id)
	q.running--
	q.next()
}

// Close ends the running tasks' contexts, with ErrClosing as the cause, and waits for them.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.cancel(ErrClosing)
	q.tasks.Wait()
}
