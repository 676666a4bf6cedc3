package worker

import (
	"context"
	"sync"
)

// slots lets as many units of a task be at the nodes at once as it has workers. More units may be under way in one process:
// those that write their part, or match what they have read, leave the nodes to others.
type slots struct {
	mu    sync.Mutex
	tasks map[string]*taskSlots
}

// slotsOf is what one task has; it goes when nobody holds or waits for a slot.
type taskSlots struct {
	free  chan struct{}
	users int
}

// take waits for one of the task's slots; the function it gives returns it.
func (s *slots) acquire(ctx context.Context, taskID string, workers int) (release func(), err error) {
	of := s.enter(taskID, workers)
	select {
	case of.free <- struct{}{}:
		return func() {
			<-of.free
			s.leave(taskID, of)
		}, nil
	case <-ctx.Done():
		s.leave(taskID, of)
		return nil, context.Cause(ctx)
	}
}

func (s *slots) enter(taskID string, workers int) *taskSlots {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.tasks[taskID]
	if of == nil {
		if s.tasks == nil {
			s.tasks = map[string]*taskSlots{}
		}
		of = &taskSlots{free: make(chan struct{}, max(1, workers))}
		s.tasks[taskID] = of
	}
	of.users++
	return of
}

func (s *slots) leave(taskID string, of *taskSlots) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of.users--; of.users == 0 {
		delete(s.tasks, taskID)
	}
}
