package s3

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"ace/shared/archive"
)

const (
	doingRead = "failed to read"
	doingList = "failed to list"
)

// Get implements archive.Store.
func (s *Store) Get(ctx context.Context, key string) (archive.Object, error) {
	obj, err := s.open(ctx, key, minio.GetObjectOptions{})
	if err != nil {
		return archive.Object{}, s.readError(err, key)
	}
	return obj, nil
}

// GetRange implements archive.Store.
func (s *Store) GetRange(ctx context.Context, key, etag string, offset, length int64) (archive.Object, error) {
	if err := archive.CheckRange(key, etag, offset); err != nil {
		return archive.Object{}, err
	}
	if length == 0 {
		return s.emptyRange(ctx, key, etag)
	}
	obj, err := s.open(ctx, key, rangeOptions(etag, offset, length))
	if hasCode(err, minio.InvalidRange) {
		return s.emptyRange(ctx, key, etag)
	}
	if err != nil {
		return archive.Object{}, s.readError(err, key)
	}
	return obj, nil
}

// GetTail implements archive.Store.
func (s *Store) GetTail(ctx context.Context, key string, length int64) (archive.Object, error) {
	if err := archive.CheckTail(key, length); err != nil {
		return archive.Object{}, err
	}
	var opts minio.GetObjectOptions
	opts.Set("Range", "bytes=-"+strconv.FormatInt(length, 10))
	obj, err := s.open(ctx, key, opts)
	if hasCode(err, minio.InvalidRange) { // the object is empty
		return s.Get(ctx, key)
	}
	if err != nil {
		return archive.Object{}, s.readError(err, key)
	}
	return obj, nil
}

// Stat implements archive.Store.
func (s *Store) Stat(ctx context.Context, key string) (archive.Info, error) {
	info, err := s.stat(ctx, key, minio.StatObjectOptions{})
	if err != nil {
		return archive.Info{}, s.readError(err, key)
	}
	return info, nil
}

func rangeOptions(etag string, offset, length int64) minio.GetObjectOptions {
	opts := matching(etag)
	last := int64(math.MaxInt64)
	if length > 0 && length <= math.MaxInt64-offset {
		last = offset + length - 1
	}
	opts.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-"+strconv.FormatInt(last, 10))
	return opts
}

func matching(etag string) minio.GetObjectOptions {
	var opts minio.GetObjectOptions
	opts.Set("If-Match", `"`+etag+`"`)
	return opts
}

// emptyRange returns an object with an empty range. S3 has no request for an empty range,
// so emptyRange only checks that the version exists.
func (s *Store) emptyRange(ctx context.Context, key, etag string) (archive.Object, error) {
	info, err := s.stat(ctx, key, matching(etag))
	if err != nil {
		return archive.Object{}, s.readError(err, key)
	}
	return archive.Object{Info: info, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func (s *Store) open(ctx context.Context, key string, opts minio.GetObjectOptions) (obj archive.Object, err error) {
	ctx, now := withClock(ctx)
	err = retryIf(transient).Do(ctx, func() error {
		body, info, header, err := s.core.GetObject(ctx, s.bucket, s.prefix+key, opts)
		if err != nil {
			return err
		}
		obj = archive.Object{Info: described(key, info, *now), Body: &objectBody{body, s, key}}
		if total, ok := totalSize(header.Get("Content-Range")); ok {
			obj.Size = total
		}
		return nil
	})
	return obj, err
}

func (s *Store) stat(ctx context.Context, key string, opts minio.StatObjectOptions) (info archive.Info, err error) {
	ctx, now := withClock(ctx)
	err = retryIf(transient).Do(ctx, func() error {
		got, err := s.core.StatObject(ctx, s.bucket, s.prefix+key, opts)
		info = described(key, got, *now)
		return err
	})
	if hasNoReason(err) {
		err = s.readReason(ctx, key, err)
	}
	return info, err
}

// readReason returns the reason why a HEAD request was refused. The response to HEAD has
// no body, so readReason requests the object by GET and returns the error of that
// request. It returns refused if GET succeeds.
func (s *Store) readReason(ctx context.Context, key string, refused error) error {
	body, _, _, err := s.core.GetObject(ctx, s.bucket, s.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	body.Close()
	return refused
}

func described(key string, info minio.ObjectInfo, now time.Time) archive.Info {
	return archive.Info{
		Key:          key,
		Size:         info.Size,
		ETag:         info.ETag,
		ContentType:  info.ContentType,
		LastModified: info.LastModified,
		Now:          now,
	}
}

// totalSize reads the size of the whole object from a header like "bytes 0-4/5".
func totalSize(contentRange string) (int64, bool) {
	_, total, ok := strings.Cut(contentRange, "/")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(total, 10, 64)
	return n, err == nil
}

// objectBody is a body that translates its read errors to faults.
type objectBody struct {
	io.ReadCloser
	store *Store
	key   string
}

func (b *objectBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.store.unavailable(err, doingRead, b.key)
	}
	return n, err
}
