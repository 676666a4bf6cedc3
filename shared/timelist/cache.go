package timelist

import "sync"

// Cache has what was read for versions of entries. A listing returns the current version
// of each entry, so what is cached is never outdated, whichever process changes the list.
// It is safe for concurrent use.
type Cache[T any] struct {
	mu      sync.Mutex
	most    int
	entries map[Version]T
}

// NewCache returns a cache of at most most values.
func NewCache[T any](most int) *Cache[T] { return &Cache[T]{most: most} }

// Get returns the value of a version, and whether it is cached. The caller must not
// change what the value refers to.
func (c *Cache[T]) Get(v Version) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, ok := c.entries[v]
	return value, ok
}

// Put adds a value. If the cache is full, it first removes all others: the next pages
// read again what they need.
func (c *Cache[T]) Put(v Version, value T) {
	if v.ETag == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= c.most {
		c.entries = map[Version]T{}
	}
	c.entries[v] = value
}
