package s3

import (
	"context"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"ace/shared/archive"
)

// List implements archive.Store. A page that cannot be read is asked for again from the last key that was seen.
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

// firstPage is how many keys are asked for at first. Who lists looks for a page of a list most of the time, or for whether
// there is anything at all, and a store takes many times as long for a full page of a thousand.
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

// listPages lists in pages of so many keys; 0 is as many as the store gives at once.
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
	return ctx.Err() // A cancelled listing ends early without an error of its own.
}
