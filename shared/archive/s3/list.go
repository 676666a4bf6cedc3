package s3

import (
	"context"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"ace/shared/archive"
)

// List implements archive.Store. If a page cannot be read, List makes another request,
// for the keys after the last one that it has passed to fn.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	err := retryIf(transient).Do(ctx, func() error {
		return s.listFrom(ctx, prefix, after, func(info archive.Info) bool {
			after = info.Key
			return fn(info)
		})
	})
	if err != nil {
		return s.unavailable(err, doingList, prefix)
	}
	return nil
}

// firstPage is the number of keys in the first page of a listing. Most callers need only
// a few keys. The store needs many times as long for a full page of a thousand keys.
const firstPage = 128

func (s *Store) listFrom(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	given := 0
	more := true
	first := func(info archive.Info) bool {
		given, after = given+1, info.Key
		more = fn(info)
		return more && given < firstPage
	}
	if err := s.listPages(ctx, prefix, after, firstPage, first); err != nil || !more || given < firstPage {
		return err
	}
	return s.listPages(ctx, prefix, after, 0, fn)
}

// listPages is List with pages of size keys and without retries. 0 means the store's own
// page size.
func (s *Store) listPages(ctx context.Context, prefix, after string, size int, fn func(archive.Info) bool) error {
	opts := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, FetchOwner: new(bool), MaxKeys: size}
	if after != "" {
		opts.StartAfter = s.prefix + after
	}
	for obj := range s.core.ListObjectsIter(ctx, s.bucket, opts) {
		if obj.Err != nil {
			return obj.Err
		}
		if !fn(described(strings.TrimPrefix(obj.Key, s.prefix), obj, time.Time{})) {
			return nil
		}
	}
	return ctx.Err() // a cancelled listing ends early without an error of its own
}
