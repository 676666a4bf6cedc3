package diffindex

import (
	"cmp"
	"context"
	"iter"
	"strings"
	"sync/atomic"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/task"
)

// Rebuilt counts what a rebuild did.
type Rebuilt struct {
	Listed  int // number of documents in the list
	Removed int // number of documents removed from the list because they no longer exist
	// Unreadable says by task id why the record of a task cannot be read: it is damaged, or
	// a newer version has stored it. The entries of these tasks stay as they are.
	Unreadable map[string]error
}

// Rebuild adds the document of every task in records to the list, if the document exists.
// It removes the entries of documents that do not exist. It may run while the service
// runs, because it does not remove entries that are added at the same time.
func (x *Index) Rebuild(ctx context.Context, records iter.Seq2[task.Record, error]) (Rebuilt, error) {
	var (
		unread     error
		unreadable = map[string]error{}
		listed     atomic.Int64
	)
	readable := func(yield func(task.Record) bool) {
		for rec, err := range records {
			if task.IsUnreadable(err) {
				unreadable[rec.TaskID] = err
				continue
			}
			if err != nil {
				unread = err
				return
			}
			if !yield(rec) {
				return
			}
		}
	}

	err := fanout.Each(ctx, atOnce, readable, func(ctx context.Context, rec task.Record) error {
		exists, err := x.restore(ctx, rec)
		if exists {
			listed.Add(1)
		}
		return err
	})
	if err := cmp.Or(err, unread); err != nil {
		return Rebuilt{}, err
	}

	// Entries are removed only after all records were read without an error.
	removed, err := x.prune(ctx, unreadable)
	return Rebuilt{Listed: int(listed.Load()), Removed: removed, Unreadable: unreadable}, err
}

// restore adds the entry of a task if the task's document exists, and reports whether the
// document exists.
func (x *Index) restore(ctx context.Context, rec task.Record) (bool, error) {
	entry, ok := entryOf(rec)
	if !ok {
		return false, nil
	}
	if _, err := x.store.Stat(ctx, entry.Key); err != nil {
		return false, ignoreNotFound(err)
	}
	return true, x.Add(ctx, rec)
}

// prune removes the entries whose document no longer exists, and returns the number of
// those documents. It leaves the entries of the tasks in kept. It holds only the keys of
// one page in memory.
func (x *Index) prune(ctx context.Context, kept map[string]error) (int, error) {
	var removed atomic.Int64
	everything := archive.DiffIndexPrefix("", "")
	for after := ""; ; {
		keys, err := x.page(ctx, after)
		if err != nil || len(keys) == 0 {
			return int(removed.Load()), err
		}
		after = keys[len(keys)-1]
		err = x.each(ctx, keys, func(ctx context.Context, key string) error {
			if _, keep := kept[taskOf(key)]; keep {
				return nil
			}
			exists, err := x.isWhole(ctx, key)
			if err != nil || exists {
				return err
			}
			if strings.HasPrefix(key, everything) { // each document has exactly one entry with this prefix
				removed.Add(1)
			}
			return x.store.Delete(ctx, key)
		})
		if err != nil {
			return int(removed.Load()), err
		}
	}
}

// isWhole reports whether the entry at a key and its document exist, and the entry is not
// damaged. Restore has replaced the damaged entries of all documents, except those of
// unreadable tasks, so any other damaged entry belongs to no document.
func (x *Index) isWhole(ctx context.Context, key string) (bool, error) {
	entry, etag, exists, err := x.readEntry(ctx, key)
	if err != nil || !exists || etag == "" {
		return false, err
	}
	_, err = x.store.Stat(ctx, entry.Key)
	return err == nil, ignoreNotFound(err)
}

// page returns the keys of up to maxLimit entries after a key.
func (x *Index) page(ctx context.Context, after string) ([]string, error) {
	var keys []string
	err := x.store.List(ctx, archive.DiffIndexRoot, after, func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return len(keys) < maxLimit
	})
	return keys, err
}
