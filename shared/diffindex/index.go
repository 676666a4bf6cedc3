package diffindex

import (
	"context"
	"encoding/json"
	"errors"
	"io"

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

// read returns the entry at a key. It returns false if the entry or its document does not
// exist.
func (x *Index) read(ctx context.Context, key string) (entry Entry, exists bool, err error) {
	entry, exists, err = x.entry(ctx, key)
	if !exists {
		return Entry{}, false, err
	}
	_, err = x.store.Stat(ctx, entry.Key)
	return entry, err == nil, ignoreNotFound(err)
}

// entry reads the entry at a key. It returns false if there is none.
func (x *Index) entry(ctx context.Context, key string) (entry Entry, exists bool, err error) {
	entry, _, exists, err = x.readEntry(ctx, key)
	return entry, exists, err
}

// readEntry is like entry. It also returns the ETag of the object.
func (x *Index) readEntry(ctx context.Context, key string) (entry Entry, etag string, exists bool, err error) {
	object, err := x.store.Get(ctx, key)
	if err != nil {
		return Entry{}, "", false, ignoreNotFound(err)
	}
	defer object.Body.Close()

	body, err := io.ReadAll(object.Body)
	if err != nil {
		return Entry{}, "", false, fault.Wrap(err, fault.Unavailable, "%s in the archive cannot be read to its end", key)
	}
	if err := json.Unmarshal(body, &entry); err != nil {
		return Entry{}, "", false, fault.Wrap(err, fault.Internal, "%s in the archive is damaged; run `ace reindex` to repair the index", key)
	}
	return entry, object.ETag, true, nil
}

func ignoreNotFound(err error) error {
	if errors.Is(err, archive.ErrNotFound) {
		return nil
	}
	return err
}
