package runner

import (
	"sync"

	"ace/shared/task"
)

// latest holds the last progress reported.
type latest struct {
	mu       sync.Mutex
	progress task.Progress
}

func newLatest() *latest { return &latest{} }

func (l *latest) set(p task.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress = p
}

func (l *latest) get() task.Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.progress
}
