package diffindex

import (
	"context"
	"strings"
	"sync"
	"time"

	"ace/shared/archive"
	"ace/shared/timelist"
)

const (
	// latestScan is the most entries that one call of Latest reads. It reads more than one
	// only if the cluster has tables of this name in several databases.
	latestScan = 100
	// latestFor is how long Latest returns a cached result, unless this process changes the
	// list.
	latestFor = 30 * time.Second
	// maxLatest bounds the tables that are cached.
	maxLatest = 20_000
)

// Latest returns the entry of a table's newest document. It returns false if none of the
// newest 100 documents of the cluster's tables with this name is of this database. Unlike
// List, it does not check that the document still exists, and it may miss what another
// process has added or removed in the last 30 seconds.
func (x *Index) Latest(ctx context.Context, cluster, database, table string) (Entry, bool, error) {
	of := tableKey{cluster, database, table}
	cached, changes, ok := x.latest.get(of)
	if ok {
		return cached.entry, cached.exists, nil
	}
	entry, exists, err := x.findLatest(ctx, of)
	if err == nil {
		x.latest.put(of, latestEntry{entry, exists, time.Now()}, changes)
	}
	return entry, exists, err
}

func (x *Index) findLatest(ctx context.Context, of tableKey) (Entry, bool, error) {
	prefix := archive.DiffIndexPrefix(of.cluster, of.table)
	for after, read := "", 0; read < latestScan; read++ {
		name := ""
		err := x.store.List(ctx, prefix, prefix+after, func(info archive.Info) bool {
			name = strings.TrimPrefix(info.Key, prefix)
			return !timelist.IsName(name)
		})
		if err != nil || !timelist.IsName(name) {
			return Entry{}, false, err
		}

		entry, exists, err := x.entry(ctx, prefix+name)
		if err != nil || exists && entry.DBName == of.database {
			return entry, exists, err
		}
		after = name
	}
	return Entry{}, false, nil
}

// tableKey names a table of a database.
type tableKey struct{ cluster, database, table string }

// latestEntry is a result of Latest.
type latestEntry struct {
	entry  Entry
	exists bool
	found  time.Time
}

// latestCache has results of Latest. It is safe for concurrent use.
type latestCache struct {
	mu      sync.Mutex
	entries map[tableKey]latestEntry
	changes int // number of calls of forget so far
}

// get returns the cached result for a table. It returns false if there is none that may
// still be used. changes is the number of changes of the list so far. The caller must
// pass it to put.
func (c *latestCache) get(of tableKey) (cached latestEntry, changes int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached, ok = c.entries[of]
	return cached, c.changes, ok && time.Since(cached.found) < latestFor
}

// put caches a result, unless the list has changed since the call of get that returned
// changes.
func (c *latestCache) put(of tableKey, result latestEntry, changes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != changes {
		return
	}
	if c.entries == nil || len(c.entries) >= maxLatest {
		c.entries = map[tableKey]latestEntry{}
	}
	c.entries[of] = result
}

// forget removes the result for the table of an entry.
func (c *latestCache) forget(e Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.entries, tableKey{e.ClusterName, e.DBName, e.TableName})
}
