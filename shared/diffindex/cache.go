package diffindex

import "sync"

// maxCached bounds the entries in an entryCache. They take less than 10 MB.
const maxCached = 10_000

// version identifies the content of an entry: its name, and the ETag of its object. An
// object with another content has another ETag.
type version struct{ name, etag string }

// entryCache has entries that were read. A listing returns the current version of each
// entry, so a cached entry is never outdated, whichever process changes the list. It is
// safe for concurrent use.
type entryCache struct {
	mu      sync.Mutex
	entries map[version]Entry
}

// get returns the entry of a version, and whether it is cached. The caller must not
// change what the entry refers to.
func (c *entryCache) get(v version) (Entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[v]
	return entry, ok
}

// put adds an entry. If the cache is full, it first removes all others: the next pages
// read again what they need.
func (c *entryCache) put(v version, entry Entry) {
	if v.etag == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= maxCached {
		c.entries = map[version]Entry{}
	}
	c.entries[v] = entry
}
