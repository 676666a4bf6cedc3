package invoke

import (
	"context"
	"slices"
	"sync"

	"ace/shared/api"
	"ace/shared/fault"
)

// Queue runs tasks in this process, a few at a time, in the order of their submission.
// The caller must close it. It is safe for concurrent use.
//
// A parent, a task that only submits other tasks and waits for them (api.IsParentID),
// uses no slot, because otherwise parents could occupy every slot and wait forever. The
// tasks of one parent form a group, and all tasks without a parent form another group.
// When a slot becomes free, the next task is from the group that runs the fewest tasks.
// So a parent with a thousand tables delays another request by one table at most.
type Queue struct {
	run      Run
	maxTasks int
	maxQueue int

	mu       sync.Mutex
	reserved int // number of slots that are reserved for tasks that Submit is creating
	waiting  []*queued
	known    map[string]*queued // the waiting and running tasks, by their ids
	running  map[string]int     // number of running tasks by group
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

// queued is a waiting or running task.
type queued struct {
	id       string
	group    string // the id of the task's parent; the constant parents for a parent; "" for any other task
	takeOver bool
	ended    chan struct{} // closed when the task has run, or was dropped
}

// parents is the group of the tasks that submit other tasks. They run outside the slots.
const parents = "parents"

// NewQueue returns a queue that runs at most maxTasks tasks at once. At most maxQueue
// further tasks may wait.
func NewQueue(maxTasks, maxQueue int, run Run) *Queue {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Queue{run: run, maxTasks: maxTasks, maxQueue: maxQueue, known: map[string]*queued{}, running: map[string]int{}, ctx: ctx, cancel: cancel}
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
	defer func() { q.redeem(created) }() // is deferred so that it is also done after a panic
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

// Accepts returns nil if the queue has a free slot, otherwise the error that Submit would
// return.
func (q *Queue) Accepts() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.accepts()
}

// Load returns how many tasks are running and how many wait.
func (q *Queue) Load() (running, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.known) - len(q.waiting), len(q.waiting)
}

// accepts implements Accepts. The caller must hold q.mu.
func (q *Queue) accepts() error {
	if q.closed {
		return ErrClosing
	}
	if waiting := q.submitted() + q.reserved - q.maxTasks; waiting >= q.maxQueue {
		return fault.New(fault.Unavailable, "the queue is full: %d tasks are waiting (ACE_MAX_QUEUE); try again later", waiting)
	}
	return nil
}

// submitted returns how many tasks are waiting or running, without the tasks that parents
// have submitted. Each parent has only a few such tasks in the queue, and they must not
// make the queue full: a parent that was accepted must not fail because of that. The
// caller must hold q.mu.
func (q *Queue) submitted() int {
	n := 0
	for _, t := range q.known {
		if t.group == "" || t.group == parents {
			n++
		}
	}
	return n
}

// redeem uses a reserved slot for a task. If taskID is empty, because no task was
// created, it only releases the slot.
func (q *Queue) redeem(taskID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved--
	if taskID != "" {
		q.add(taskID, groupOf(taskID), false)
	}
}

// groupOf returns the group of a task that Submit or Resume adds. RunChild does not call
// it, because it knows the parent of its task.
func groupOf(taskID string) string {
	if api.IsParentID(taskID) {
		return parents
	}
	return ""
}

// Resume adds an existing task to the queue, even if the queue is full, because the task
// is already stored and cannot be rejected any more. It does nothing if the task is
// already waiting or running. takeOver is passed to Run.
func (q *Queue) Resume(taskID string, takeOver bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(taskID, groupOf(taskID), takeOver)
}

// RunChild adds a task that its parent has submitted, even if the queue is full, and
// returns nil when the task has run or was dropped. If ctx ends first, RunChild returns
// the cause, and the task stays in the queue. If the queue is closed, it returns
// ErrClosing.
func (q *Queue) RunChild(ctx context.Context, parent, taskID string) error {
	q.mu.Lock()
	t := q.add(taskID, parent, false)
	q.mu.Unlock()
	if t == nil {
		return ErrClosing
	}

	select {
	case <-t.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// add appends a task to the queue, unless it is already waiting or running, and returns
// the task. After Close it does not append the task and returns nil; the next start of
// the service resumes the stored task. The caller must hold q.mu.
func (q *Queue) add(taskID, group string, takeOver bool) *queued {
	if q.closed {
		return nil
	}
	if t := q.known[taskID]; t != nil {
		t.takeOver = t.takeOver || takeOver
		return t
	}
	t := &queued{id: taskID, group: group, takeOver: takeOver, ended: make(chan struct{})}
	q.known[taskID] = t
	q.waiting = append(q.waiting, t)
	q.startNext()
	return t
}

// Drop removes a waiting task from the queue. It must be called after a waiting task was
// cancelled. It does not affect a running task.
func (q *Queue) Drop(taskID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.waiting, func(t *queued) bool { return t.id == taskID })
	if i < 0 {
		return
	}
	close(q.waiting[i].ended)
	q.waiting = slices.Delete(q.waiting, i, i+1)
	delete(q.known, taskID)
}

// startNext starts waiting tasks as long as next returns one. The caller must hold q.mu.
func (q *Queue) startNext() {
	for !q.closed {
		i := q.next()
		if i < 0 {
			return
		}
		t := q.waiting[i]
		q.waiting = slices.Delete(q.waiting, i, i+1)
		q.running[t.group]++
		takeOver := t.takeOver
		q.tasks.Go(func() {
			q.run(q.ctx, t.id, takeOver)
			q.remove(t)
		})
	}
}

// next returns the index of the waiting task to start now, or -1 if no task can start. As
// long as fewer than maxTasks parents run, it is the first waiting parent, if there is
// one. Otherwise it is the first task of the group that runs the fewest tasks. If several
// groups run the fewest, the group of the tasks without a parent is chosen. The caller
// must hold q.mu.
func (q *Queue) next() int {
	slots := q.maxTasks
	for group, n := range q.running {
		if group != parents {
			slots -= n
		}
	}

	best := -1
	for i, t := range q.waiting {
		switch {
		case t.group == parents:
			if q.running[parents] < q.maxTasks {
				return i
			}
		case slots <= 0:
		case best < 0, q.before(t, q.waiting[best]):
			best = i
		}
	}
	return best
}

// before reports whether the waiting task t must be started before other, which was added
// to the queue earlier. The caller must hold q.mu.
func (q *Queue) before(t, other *queued) bool {
	if mine, theirs := q.running[t.group], q.running[other.group]; mine != theirs {
		return mine < theirs
	}
	return t.group == "" && other.group != ""
}

// remove removes a task that has run, and starts the next.
func (q *Queue) remove(t *queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(t.ended)
	delete(q.known, t.id)
	if q.running[t.group]--; q.running[t.group] == 0 {
		delete(q.running, t.group)
	}
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
