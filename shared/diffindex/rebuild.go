package diffindex

import (
	"cmp"
	"context"
	"iter"
	"strings"
	"sync/atomic"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/task"
)

// Rebuilt counts what a rebuild did.
type Rebuilt struct {
	Listed  int // documents that are listed now
	Removed int // documents that were listed and are gone
}

// Rebuild lists the document of every task given, if it is still there, and removes the entries of documents that are
// not. It may run beside the service: what is added meanwhile stays.
func (x *Index) Rebuild(ctx context.Context, records iter.Seq2[task.Record, error]) (Rebuilt, error) {
	var (
		unread error
		listed atomic.Int64
	)
	readable := func(yield func(task.Record) bool) {
		for rec, err := range records {
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
		there, err := x.restore(ctx, rec)
		if there {
			listed.Add(1)
		}
		return err
	})
	if err := cmp.Or(err, unread); err != nil {
		return Rebuilt{}, err
	}
	removed, err := x.prune(ctx)
	return Rebuilt{Listed: int(listed.Load()), Removed: removed}, err
}

// restore adds the entry of a task whose document is there.
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

// prune removes the entries whose document is gone, and says how many documents they named. It holds the keys of one
// page at a time.
func (x *Index) prune(ctx context.Context) (int, error) {
	var removed atomic.Int64
	everything := archive.DiffIndexPrefix("", "")
	for after := ""; ; {
		keys, err := x.page(ctx, after)
		if err != nil || len(keys) == 0 {
			return int(removed.Load()), err
		}
		after = keys[len(keys)-1]
		err = x.each(ctx, keys, func(ctx context.Context, key string) error {
			_, there, err := x.read(ctx, key)
			if fault.CodeOf(err) == fault.Internal { // damaged, and no record has written it anew
				there, err = false, nil
			}
			if err != nil || there {
				return err
			}
			if strings.HasPrefix(key, everything) { // each document has one entry there
				removed.Add(1)
			}
			return x.store.Delete(ctx, key)
		})
		if err != nil {
			return int(removed.Load()), err
		}
	}
}

func (x *Index) page(ctx context.Context, after string) ([]string, error) {
	var keys []string
	err := x.store.List(ctx, archive.DiffIndexRoot, after, func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return len(keys) < maxLimit
	})
	return keys, err
}
