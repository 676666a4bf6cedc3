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
)

const (
	contentType = "application/json"
	// atOnce bounds the requests to the store that one call has under way.
	atOnce = 16
)

// Index is the list in one store. It holds no state of its own and may be used concurrently.
type Index struct{ store archive.Store }

// New gives the index of the documents in store.
func New(store archive.Store) *Index { return &Index{store} }

// Add lists the document of a completed task; a task without one is passed over. Adding one again changes nothing.
func (x *Index) Add(ctx context.Context, rec task.Record) error {
	entry, ok := entryOf(rec)
	if !ok {
		return nil
	}
	body, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	return x.each(ctx, entry.keys(), func(ctx context.Context, key string) error {
		_, err := x.store.Put(ctx, key, contentType, body)
		return err
	})
}

// Remove takes the document of a task off the list. It comes before the document's own removal.
func (x *Index) Remove(ctx context.Context, rec task.Record) error {
	entry, ok := entryOf(rec)
	if !ok {
		return nil
	}
	return x.each(ctx, entry.keys(), x.store.Delete)
}

func (x *Index) each(ctx context.Context, keys []string, fn func(context.Context, string) error) error {
	_, err := fanout.Map(ctx, atOnce, keys, func(ctx context.Context, key string) (struct{}, error) {
		return struct{}{}, fn(ctx, key)
	})
	return err
}

// read gives the entry at a key if its document is there.
func (x *Index) read(ctx context.Context, key string) (entry Entry, there bool, err error) {
	object, err := x.store.Get(ctx, key)
	if err != nil {
		return Entry{}, false, ignoreNotFound(err)
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	if err != nil {
		return Entry{}, false, fault.Wrap(err, fault.Unavailable, "the archive broke off while %s was read", key)
	}
	if err := json.Unmarshal(body, &entry); err != nil {
		return Entry{}, false, fault.Wrap(err, fault.Internal, "%s in the archive is damaged; `ace reindex` mends it", key)
	}
	_, err = x.store.Stat(ctx, entry.Key)
	return entry, err == nil, ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if errors.Is(err, archive.ErrNotFound) {
		return nil
	}
	return err
}
