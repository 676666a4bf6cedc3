package diffindex

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/task"
	"ace/shared/timelist"
)

const (
	contentType = "application/json"
	// atOnce bounds the concurrent requests of one call to the store.
	atOnce = 16
	// maxCached bounds the cached entries. They take less than 10 MB.
	maxCached = 10_000
)

// Index is the list of the documents in one store. It is safe for concurrent use.
type Index struct {
	store   archive.Store
	latest  latestCache
	entries *timelist.Cache[Entry]
}

// New returns the index of the documents in store.
func New(store archive.Store) *Index {
	return &Index{store: store, entries: timelist.NewCache[Entry](maxCached)}
}

// Add adds the document of a completed task to the list. A task without a document is
// skipped. Adding a document twice has no additional effect.
func (x *Index) Add(ctx context.Context, rec task.Record) error {
	entry, ok := entryOf(rec)
	if !ok {
		return nil
	}
	body, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	defer x.latest.forget(entry)
	return x.each(ctx, entry.keys(), func(ctx context.Context, key string) error {
		_, err := x.store.Put(ctx, key, contentType, body)
		return err
	})
}

// Remove removes the document of a task from the list. The caller must call it before it
// deletes the document, so that the list never contains a document that cannot be
// fetched.
func (x *Index) Remove(ctx context.Context, rec task.Record) error {
	entry, ok := entryOf(rec)
	if !ok {
		return nil
	}
	defer x.latest.forget(entry)
	return x.each(ctx, entry.keys(), x.store.Delete)
}

// each calls fn for every key, concurrently.
func (x *Index) each(ctx context.Context, keys []string, fn func(context.Context, string) error) error {
	_, err := fanout.Map(ctx, atOnce, keys, func(ctx context.Context, key string) (struct{}, error) {
		return struct{}{}, fn(ctx, key)
	})
	return err
}

// entry reads the entry at a key. It returns false if there is none.
func (x *Index) entry(ctx context.Context, key string) (entry Entry, exists bool, err error) {
	entry, _, exists, err = x.readEntry(ctx, key)
	return entry, exists, err
}

// readEntry is like entry. It also returns the ETag of the object. Instead of a damaged
// entry, it returns what the task's record says, without an ETag. The error may be that
// the record is unreadable too (task.IsUnreadable).
func (x *Index) readEntry(ctx context.Context, key string) (entry Entry, etag string, exists bool, err error) {
	_, info, err := archive.ReadJSON(ctx, x.store, key, &entry)
	switch {
	case errors.Is(err, archive.ErrNotFound):
		return Entry{}, "", false, nil
	case fault.CodeOf(err) == fault.Internal, err == nil && (entry.TaskID != taskOf(key) || !strings.HasPrefix(entry.Key, archive.DiffsPrefix)):
		entry, exists, err = x.fromRecord(ctx, taskOf(key))
		return entry, "", exists, err
	case err != nil:
		return Entry{}, "", false, err
	}
	return entry, info.ETag, true, nil
}

// fromRecord returns the entry of a task by its record. It returns false if the task has
// none.
func (x *Index) fromRecord(ctx context.Context, id string) (Entry, bool, error) {
	rec, err := task.NewRegistry(x.store, time.Now).Get(ctx, id)
	switch {
	case fault.CodeOf(err) == fault.NotFound, fault.CodeOf(err) == fault.Invalid:
		return Entry{}, false, nil
	case err != nil:
		return Entry{}, false, err
	}
	entry, ok := entryOf(rec)
	return entry, ok, nil
}

// taskOf returns the id of the task from the key of an entry.
func taskOf(key string) string { return timelist.TaskID(key[strings.LastIndexByte(key, '/')+1:]) }

func ignoreNotFound(err error) error {
	if errors.Is(err, archive.ErrNotFound) {
		return nil
	}
	return err
}
