package audit

import (
	"sync"
	"time"
)

// limiter bounds the number of entries: burst entries at once, and one more whenever the
// time every has passed. It is safe for concurrent use.
type limiter struct {
	burst int64
	every time.Duration

	mu      sync.Mutex
	begun   time.Time // the time as of which used is right
	used    int64     // entries that count towards burst; one less whenever the time every has passed
	refused int64     // calls since the last entry that were not allowed
}

// maxCallers bounds the number of callers with a limiter of their own. The names of
// callers of functions are not bounded.
const maxCallers = 100

// callerLimiters has a limiter for each caller, so that one caller with many refused
// requests does not keep those of others out of the log. The callers after the first
// maxCallers share one.
type callerLimiters struct {
	mu       sync.Mutex
	byCaller map[string]*limiter
}

// of returns the limiter of a caller.
func (c *callerLimiters) of(name string) *limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.byCaller[name]; !known && len(c.byCaller) >= maxCallers {
		name = ""
	}
	if c.byCaller == nil {
		c.byCaller = map[string]*limiter{}
	}
	if c.byCaller[name] == nil {
		c.byCaller[name] = &limiter{burst: 60, every: 2 * time.Second}
	}
	return c.byCaller[name]
}

// allow reports whether an entry may be stored now. refused is the number of calls since
// the last entry that were not allowed.
func (l *limiter) allow(now time.Time) (refused int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	returned := int64(now.Sub(l.begun) / l.every)
	switch {
	case returned < 0 || returned >= l.used: // no entry counts any more, or the clock was set back
		l.begun, l.used = now, 0
	default:
		l.begun, l.used = l.begun.Add(time.Duration(returned)*l.every), l.used-returned
	}
	if l.used >= l.burst {
		l.refused++
		return 0, false
	}
	l.used++
	refused, l.refused = l.refused, 0
	return refused, true
}

// uncounted adds requests whose entry could not be stored to those that the next entry
// counts.
func (l *limiter) uncounted(requests int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused += requests
}
