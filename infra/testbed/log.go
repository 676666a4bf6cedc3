package testbed

import (
	"bytes"
	"sync"
)

// log collects what a process prints, while others read what came so far.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the text.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is everything printed so far.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
