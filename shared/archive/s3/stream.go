package s3

import (
	"bytes"
	"context"
	"time"

	"github.com/minio/minio-go/v7"

	"ace/shared/archive"
	"ace/shared/fault"
)

const (
	// PartSize is how much of a stream is held in memory and sent at once. A stream of at most this many bytes is
	// written by a single request.
	PartSize = 8 << 20

	firstBuffer  = 64 << 10
	abortTimeout = 10 * time.Second
)

// stream collects one part at a time; the multipart upload begins when the first part is full and more follows.
type stream struct {
	ctx         context.Context //nolint:containedctx // of Create: io.Writer has no room for one
	store       *Store
	key         string
	contentType string

	buf      []byte
	uploadID string
	parts    []minio.CompletePart
	size     int64
	ended    bool
	err      error // of a Write: nothing after it can be right
}

// Create implements archive.Store.
func (s *Store) Create(ctx context.Context, key, contentType string) (archive.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.unavailable(err, doingWrite, key)
	}
	return &stream{ctx: ctx, store: s, key: key, contentType: contentType, buf: make([]byte, 0, firstBuffer)}, nil
}

// Write implements io.Writer.
func (w *stream) Write(p []byte) (int, error) {
	if w.ended {
		return 0, errEnded(w.key)
	}
	n := 0
	for len(p) > 0 && w.err == nil {
		if len(w.buf) == PartSize {
			w.err = w.send(w.ctx)
			continue
		}
		take := min(len(p), PartSize-len(w.buf))
		w.buf = append(w.buf, p[:take]...)
		p, n = p[take:], n+take
	}
	return n, w.err
}

// Commit implements archive.Writer.
func (w *stream) Commit(ctx context.Context) (archive.Info, error) {
	if w.ended {
		return archive.Info{}, errEnded(w.key)
	}
	defer w.Abort()
	if w.err != nil {
		return archive.Info{}, w.err
	}
	if w.uploadID == "" {
		return w.store.PutIfAbsent(ctx, w.key, w.contentType, w.buf)
	}
	if err := w.send(ctx); err != nil {
		return archive.Info{}, err
	}
	return w.complete(ctx)
}

// Abort implements archive.Writer. A store that cannot be reached keeps the parts until its life cycle rule for
// incomplete uploads removes them.
func (w *stream) Abort() {
	w.ended, w.buf = true, nil
	if w.uploadID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTimeout)
	defer cancel()
	_ = retry(ctx, transient, func() error {
		return w.store.core.AbortMultipartUpload(ctx, w.store.bucket, w.store.prefix+w.key, w.uploadID)
	})
	w.uploadID = ""
}

// send uploads the collected part. The number of a part makes repeating it safe.
func (w *stream) send(ctx context.Context) error {
	s := w.store
	if err := w.begin(ctx); err != nil {
		return s.unavailable(err, doingWrite, w.key)
	}
	number, sum := len(w.parts)+1, sha256Hex(w.buf)
	err := retry(ctx, transient, func() error {
		part, err := s.core.PutObjectPart(ctx, s.bucket, s.prefix+w.key, w.uploadID, number, bytes.NewReader(w.buf), int64(len(w.buf)),
			minio.PutObjectPartOptions{Sha256Hex: sum, DisableContentSha256: true})
		if err == nil {
			w.parts = append(w.parts, minio.CompletePart{PartNumber: number, ETag: part.ETag})
		}
		return err
	})
	if err != nil {
		return s.unavailable(err, doingWrite, w.key)
	}
	w.size += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}

// begin opens the multipart upload. Repeating it can leave an empty upload behind, which is harmless.
func (w *stream) begin(ctx context.Context) error {
	if w.uploadID != "" {
		return nil
	}
	s := w.store
	return retry(ctx, transient, func() (err error) {
		w.uploadID, err = s.core.NewMultipartUpload(ctx, s.bucket, s.prefix+w.key, writeOptions(w.contentType))
		return err
	})
}

// complete makes the object of the uploaded parts. The condition stands here: this is the moment it becomes visible.
func (w *stream) complete(ctx context.Context) (info archive.Info, err error) {
	s := w.store
	ctx, now := withClock(ctx)
	err = retry(ctx, uncreated, func() error {
		up, err := s.core.CompleteMultipartUpload(ctx, s.bucket, s.prefix+w.key, w.uploadID, w.parts, createOptions(w.contentType))
		info = written(w.key, up.ETag, w.size, w.contentType, *now)
		return err
	})
	if err != nil {
		return archive.Info{}, s.createError(err, w.key)
	}
	w.uploadID = "" // Nothing is left to abort.
	return info, nil
}

func errEnded(key string) error {
	return fault.New(fault.Internal, "the stream to %s has been committed or aborted already", key)
}
