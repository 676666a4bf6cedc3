package worker

import (
	"context"
	"sync"
)

// slots limits how many units of a task use the nodes at once: as many as the task has
// workers. More units may run in one process, since a unit that writes its part or
// matches rows does not use the nodes.
type slots struct {
	mu    sync.Mutex
	tasks map[string]*taskSlots
}

// taskSlots are the slots of one task. users is the number of units that hold a slot or
// wait for one. When users becomes 0, the slots are removed.
type taskSlots struct {
	free  chan struct{}
	users int
}

// acquire waits until one of the task's slots is free and acquires it. The caller must
// call release, which frees the slot. If ctx ends first, acquire returns its cause as the
// error.
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
