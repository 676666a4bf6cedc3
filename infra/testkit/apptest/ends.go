package apptest

import (
	"context"
	"sync"

	"ace/shared/invoke"
)

// ends notifies waiting callers that a task has ended, because reading its status every
// few milliseconds would cost more than the comparison of a small table.
type ends struct {
	mu   sync.Mutex
	wait chan struct{}
}

// next returns a channel that is closed when the next run of any task has ended. The
// archive then contains all changes of that run.
func (e *ends) next() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.wait == nil {
		e.wait = make(chan struct{})
	}
	return e.wait
}

// announced returns a Run that runs a task and then notifies the waiting callers.
func (e *ends) announced(run invoke.Run) invoke.Run {
	return func(ctx context.Context, taskID string, takeOver bool) {
		run(ctx, taskID, takeOver)
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.wait != nil {
			close(e.wait)
			e.wait = nil
		}
	}
}
