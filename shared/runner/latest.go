package runner

import (
	"sync"

	"ace/shared/task"
)

// latestProgress holds the progress that was last reported. It is safe for concurrent
// use.
type latestProgress struct {
	mu       sync.Mutex
	progress task.Progress
}

func (l *latestProgress) set(p task.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress = p
}

func (l *latestProgress) get() task.Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.progress
}
