package task

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/timelist"
)

const (
	// atOnce bounds the concurrent requests of one call to the store.
	atOnce = 16
	// maxCached bounds the cached records, and maxCachedSize the size of each. The records
	// of an ordinary archive take less than 10 MB.
	maxCached     = 5000
	maxCachedSize = 8 << 10
)

// entry is the content of an index object. The names of a key may be shortened, so it has
// what is needed to find the other entries of the task.
type entry struct {
	TaskID      string `json:"task_id"`
	Type        Type   `json:"task_type,omitempty"` // empty in entries of earlier versions
	ClusterName string `json:"cluster_name"`
	DBName      string `json:"dbname"`
	TableName   string `json:"table_name"`
	Parent      string `json:"parent,omitempty"`
	// Forgotten is set before the record of the task is deleted. So the entry becomes a
	// version whose record is not cached.
	Forgotten bool `json:"forgotten,omitempty"`
	// Attempt differs each time that Forgotten is set: a page that was read after a failed
	// attempt has cached the record with the version of that attempt.
	Attempt string `json:"attempt,omitempty"`
}

func entryOf(rec Record) entry {
	return entry{TaskID: rec.TaskID, Type: rec.Type, ClusterName: rec.ClusterName, DBName: rec.DBName, TableName: rec.TableName, Parent: rec.Parent}
}

// indexName returns the name of a task's entries. It sorts the newest task first.
func indexName(rec Record) string { return timelist.Name(rec.SubmittedAt, rec.TaskID) }

// allTasks is the prefix of the list of all tasks.
func allTasks() string { return archive.TaskIndexPrefix("", "") }

// narrowKeys returns the keys of an entry in the lists of its cluster and its table.
func (e entry) narrowKeys(name string) []string {
	return []string{
		archive.TaskIndexPrefix(e.ClusterName, "") + name,
		archive.TaskIndexPrefix("", e.TableName) + name,
		archive.TaskIndexPrefix(e.ClusterName, e.TableName) + name,
	}
}

// putEntry stores an entry in the lists with these keys.
func (r *Registry) putEntry(ctx context.Context, e entry, keys []string) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return r.each(ctx, keys, func(ctx context.Context, key string) error {
		_, err := r.store.Put(ctx, key, contentType, body)
		return err
	})
}

// each calls fn for every key, concurrently.
func (r *Registry) each(ctx context.Context, keys []string, fn func(context.Context, string) error) error {
	_, err := fanout.Map(ctx, atOnce, keys, func(ctx context.Context, key string) (struct{}, error) {
		return struct{}{}, fn(ctx, key)
	})
	return err
}

// Index adds a task to the lists of tasks. To add it twice has no additional effect.
func (r *Registry) Index(ctx context.Context, rec Record) error {
	e, name := entryOf(rec), indexName(rec)
	return r.putEntry(ctx, e, append(e.narrowKeys(name), allTasks()+name))
}

// ensureIndexed adds the task to the index unless this process has added it. It must
// succeed before a task leaves the status QUEUED, because later nothing adds the task. So
// it repeats a failed write: otherwise one lost request would delay the task until the
// next sweep.
func (r *Registry) ensureIndexed(ctx context.Context, rec Record) error {
	if r.indexed.remove(rec.TaskID) {
		return nil
	}
	always := func(error) bool { return true }
	return writes(always).Do(ctx, func() error { return r.Index(ctx, rec) })
}

// unlist removes the entries of a task, except the one in the list of all tasks. That one
// becomes a version with which no record is cached, so no list names the task once its
// record is deleted. EndedBefore removes it if nothing else does.
func (r *Registry) unlist(ctx context.Context, e entry, name string) error {
	if err := r.each(ctx, append(e.narrowKeys(name), flatKey(name)), r.store.Delete); err != nil {
		return err
	}
	e.Forgotten, e.Attempt = true, rand.Text()
	return r.putEntry(ctx, e, []string{allTasks() + name})
}

// indexedTasks has the tasks that this process has added to the index and not yet
// acquired. It only avoids a second write of their entries, so it may forget tasks.
type indexedTasks struct {
	mu  sync.Mutex
	ids map[string]bool
}

// maxIndexed bounds the number of tasks in indexedTasks. A process that only submits
// tasks never removes one.
const maxIndexed = 1000

func (i *indexedTasks) add(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ids == nil || len(i.ids) >= maxIndexed {
		i.ids = map[string]bool{}
	}
	i.ids[id] = true
}

// remove removes a task and reports whether it was there.
func (i *indexedTasks) remove(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	found := i.ids[id]
	delete(i.ids, id)
	return found
}
