package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // see md5Base64
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/minio/minio-go/v7"

	"ace/shared/archive"
)

const (
	doingWrite  = "failed to write"
	doingDelete = "failed to delete"

	// inDoubt is the message for a conditional write that may or may not have been applied.
	// To find out, the caller must read the object.
	inDoubt = "returned no clear result for the conditional write of"
)

// Put implements archive.Store.
func (s *Store) Put(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	info, err := s.put(ctx, key, body, writeOptions(contentType), retryablePut)
	if err != nil {
		return archive.Info{}, s.unavailable(err, doingWrite, key)
	}
	return info, nil
}

// PutIfAbsent implements archive.Store.
func (s *Store) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	info, err := s.put(ctx, key, body, createOptions(contentType), retryableCreate)
	if err != nil {
		return archive.Info{}, s.createError(err, key)
	}
	return info, nil
}

// PutIfMatch implements archive.Store.
func (s *Store) PutIfMatch(ctx context.Context, key, contentType string, body []byte, etag string) (archive.Info, error) {
	if err := archive.CheckMatch(key, etag); err != nil {
		return archive.Info{}, err
	}
	opts := writeOptions(contentType)
	opts.SetMatchETag(etag)
	info, err := s.put(ctx, key, body, opts, notApplied)
	if err != nil {
		return archive.Info{}, s.replaceError(err, key)
	}
	return info, nil
}

// Delete implements archive.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := retryIf(transient).Do(ctx, func() error {
		return s.core.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{})
	})
	if err != nil && !hasCode(err, minio.NoSuchKey) {
		return s.unavailable(err, doingDelete, key)
	}
	return nil
}

// writeOptions returns options that disable streaming signatures. The SHA-256 of the body
// is known, so the whole body is signed at once and the store verifies it, also over TLS.
func writeOptions(contentType string) minio.PutObjectOptions {
	return minio.PutObjectOptions{ContentType: contentType, DisableContentSha256: true}
}

func createOptions(contentType string) minio.PutObjectOptions {
	opts := writeOptions(contentType)
	opts.SetMatchETagExcept("*")
	return opts
}

// put sends a whole object in one request. again reports whether the request may be
// repeated after an error.
func (s *Store) put(ctx context.Context, key string, body []byte, opts minio.PutObjectOptions, again func(error) bool) (info archive.Info, err error) {
	ctx, now := withClock(ctx)
	err = retryIf(again).Do(ctx, func() error {
		up, err := s.core.PutObject(ctx, s.bucket, s.prefix+key, bytes.NewReader(body), int64(len(body)), md5Base64(body), sha256Hex(body), opts)
		info = written(key, up.ETag, int64(len(body)), opts.ContentType, *now)
		return err
	})
	return info, err
}

func written(key, etag string, size int64, contentType string, now time.Time) archive.Info {
	return archive.Info{Key: key, Size: size, ETag: etag, ContentType: contentType, Now: now}
}

// md5Base64 returns the Content-MD5 of a body. S3 requires either this header or a
// checksum in each write to a bucket with a default retention (Object Lock). ACE sends
// this header, because a checksum would have to be announced when a multipart upload
// begins, which not every server supports.
func md5Base64(b []byte) string {
	sum := md5.Sum(b) //nolint:gosec // part of the protocol; the SHA-256 protects the body
	return base64.StdEncoding.EncodeToString(sum[:])
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
