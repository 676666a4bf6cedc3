package invoke

import (
	"context"
	"slices"
	"sync"

	"ace/shared/fault"
)

// Queue runs tasks in this process, a few at a time, in the order of their submission.
// The caller must close it. It is safe for concurrent use.
type Queue struct {
	run      Run
	maxTasks int
	maxQueue int

	mu       sync.Mutex
	reserved int // number of slots that are reserved for tasks that Submit is creating
	waiting  []queued
	known    map[string]bool // ids of the waiting and running tasks
	running  int
	closed   bool
	ctx      context.Context //nolint:containedctx // the parent of the tasks' contexts; the tasks outlive the call that submits them
	cancel   context.CancelCauseFunc
	tasks    sync.WaitGroup
}

// ErrClosing is the cause with which the contexts of the tasks end when a queue is
// closed. A runner must then release the task's lease, so that the next start of the
// service can continue the task at once.
var ErrClosing = fault.New(fault.Unavailable, "the service is shutting down")

// Run runs one task to its end. It must return soon after its context has ended. takeOver
// means that the previous owner of the task's lease is known to be dead, so Run may
// acquire the lease before it expires.
type Run func(ctx context.Context, taskID string, takeOver bool)

// queued is a waiting task.
type queued struct {
	id       string
	takeOver bool
}

// NewQueue returns a queue that runs at most maxTasks tasks at once. At most maxQueue
// further tasks may wait.
func NewQueue(maxTasks, maxQueue int, run Run) *Queue {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Queue{run: run, maxTasks: maxTasks, maxQueue: maxQueue, known: map[string]bool{}, ctx: ctx, cancel: cancel}
}

// Submit calls create, which stores a new task, and adds this task to the queue. It
// reserves a slot before it calls create, so the limit holds under concurrency. If no
// slot is free, the error is Unavailable and create is not called. Submit returns an
// error of create unchanged.
func (q *Queue) Submit(ctx context.Context, create func(context.Context) (taskID string, err error)) error {
	if err := q.reserve(); err != nil {
		return err
	}
	created := ""
	defer func() { q.redeem(created) }() // also after a panic
	taskID, err := create(ctx)
	if err == nil {
		created = taskID
	}
	return err
}

func (q *Queue) reserve() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.accepts(); err != nil {
		return err
	}
	q.reserved++
	return nil
}

// Accepts returns nil if the queue has a free slot, otherwise the error of Submit.
func (q *Queue) Accepts() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.accepts()
}

// Load returns how many tasks are running and how many wait.
func (q *Queue) Load() (running, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running, len(q.waiting)
}

// accepts implements Accepts. The caller must hold q.mu.
func (q *Queue) accepts() error {
	if q.closed {
		return ErrClosing
	}
	if waiting := q.running + len(q.waiting) + q.reserved - q.maxTasks; waiting >= q.maxQueue {
		return fault.New(fault.Unavailable, "the queue is full: %d tasks are waiting (ACE_MAX_QUEUE); try again later", waiting)
	}
	return nil
}

// redeem uses a reserved slot for a task. If taskID is empty, because no task was
// created, it only releases the slot.
func (q *Queue) redeem(taskID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved--
	if taskID != "" {
		q.add(queued{id: taskID})
	}
}

// Resume adds an existing task to the queue, even if the queue is full, because the task
// is already stored and cannot be rejected any more. It does nothing if the task is
// already waiting or running. takeOver is passed to Run.
func (q *Queue) Resume(taskID string, takeOver bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(queued{taskID, takeOver})
}

// add appends a task to the queue unless it is already waiting or running. After Close it
// does nothing; the next start of the service finds the task. The caller must hold q.mu.
func (q *Queue) add(t queued) {
	if q.closed || q.known[t.id] {
		return
	}
	q.known[t.id] = true
	q.waiting = append(q.waiting, t)
	q.startNext()
}

// Drop removes a waiting task from the queue. It must be called after a waiting task was
// cancelled. It does not affect a running task.
func (q *Queue) Drop(taskID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := slices.DeleteFunc(q.waiting, func(t queued) bool { return t.id == taskID })
	if len(left) < len(q.waiting) {
		delete(q.known, taskID)
	}
	q.waiting = left
}

// startNext starts waiting tasks until maxTasks tasks are running. The caller must hold
// q.mu.
func (q *Queue) startNext() {
	for !q.closed && q.running < q.maxTasks && len(q.waiting) > 0 {
		t := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.running++
		q.tasks.Go(func() {
			q.run(q.ctx, t.id, t.takeOver)
			q.remove(t.id)
		})
	}
}

// remove removes a task that has run, and starts the next.
func (q *Queue) remove(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.known, id)
	q.running--
	q.startNext()
}

// Close ends the contexts of the running tasks with the cause ErrClosing and waits for
// the tasks to return.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.cancel(ErrClosing)
	q.tasks.Wait()
}
