package cluster

import (
	"sync"
	"time"
)

// recent holds definitions that were loaded a moment ago. It is safe for concurrent use.
type recent struct {
	maxAge time.Duration
	mu     sync.Mutex
	loaded map[string]loaded // by the name of the cluster
}

type loaded struct {
	at         time.Time
	definition Cluster
}

// Recent returns a Source whose Load may return what was current up to maxAge ago. It is
// for work that loads the same definition many times within seconds, from a bucket. A
// change of the definition then takes effect later.
func (s Source) Recent(maxAge time.Duration) Source {
	s.recent = &recent{maxAge: maxAge, loaded: map[string]loaded{}}
	return s
}

func (r *recent) get(name string) (Cluster, bool) {
	if r == nil {
		return Cluster{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.loaded[name]
	age := now().Sub(found.at)
	return found.definition, ok && age >= 0 && age < r.maxAge
}

func (r *recent) put(name string, at time.Time, definition Cluster) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.loaded) >= maxParsed {
		clear(r.loaded)
	}
	r.loaded[name] = loaded{at, definition}
}

// now returns the time of the wall clock. The monotonic clock does not advance while AWS
// has frozen a function.
func now() time.Time { return time.Now().Round(0) }
