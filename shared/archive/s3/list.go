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
	err := retry(ctx, transient, func() error {
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

func (s *Store) listFrom(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	opts := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, FetchOwner: new(bool)}
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
