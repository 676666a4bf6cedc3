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

	mu       sync.Mutex
	reserved int // places of tasks that are being created
	waiting  []queued
	known    map[string]bool // waiting or running
	running  int
	closed   bool
	ctx      context.Context //nolint:containedctx // the life of the queue's tasks, which no caller's context bounds
	cancel   context.CancelCauseFunc
	tasks    sync.WaitGroup
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

// Submit keeps a place, has a task created and puts it there, so that never more tasks wait than may, however many come
// at once. Without a free place it is Unavailable and nothing is created. An error of create is given back as it is.
func (q *Queue) Submit(ctx context.Context, create func(context.Context) (taskID string, err error)) error {
	if err := q.reserve(); err != nil {
		return err
	}
	created := ""
	defer func() { q.redeem(created) }() // after a panic too
	taskID, err := create(ctx)
	if err == nil {
		created = taskID
	}
	return err
}

func (q *Queue) reserve() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosing
	}
	if waiting := q.running + len(q.waiting) + q.reserved - q.maxTasks; waiting >= q.maxQueue {
		return fault.New(fault.Unavailable, "the queue is full: %d tasks are waiting (ACE_MAX_QUEUE); try again later", waiting)
	}
	q.reserved++
	return nil
}

// redeem gives a reserved place to a task, or back if there is none.
func (q *Queue) redeem(taskID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved--
	if taskID != "" {
		q.add(queued{id: taskID})
	}
}

// Resume puts a task into the queue that exists already; one that waits or runs stays as it is. It never refuses.
// takeOver is handed to Run.
func (q *Queue) Resume(taskID string, takeOver bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(queued{taskID, takeOver})
}

// add appends a task that is not known yet. After Close it does nothing: the task will be found at the next start. The
// lock is held.
func (q *Queue) add(t queued) {
	if q.closed || q.known[t.id] {
		return
	}
	q.known[t.id] = true
	q.waiting = append(q.waiting, t)
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
