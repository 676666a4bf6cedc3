package testbed

import (
	"bytes"
	"sync"
)

// log collects the output of a process. Other goroutines may read it at the same time.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends p to the log.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns everything printed so far.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
