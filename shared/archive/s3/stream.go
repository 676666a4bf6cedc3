package s3

import (
	"bytes"
	"context"
	"time"

	"github.com/minio/minio-go/v7"

	"ace/shared/archive"
)

const (
	// PartSize is the size in bytes of each part of a multipart upload except the last: the
	// smallest size that S3 accepts. A stream holds two parts in memory; one is filled while
	// the other is sent. A stream of at most this size is written by a single PutObject
	// request without a multipart upload.
	PartSize = 5 << 20

	// firstBuffer is the initial capacity in bytes of a stream's buffer.
	firstBuffer = 64 << 10
	// abortTimeout bounds Abort. It is short, because it is added to the time that the
	// service needs to stop if the store does not respond.
	abortTimeout = 3 * time.Second
)

// stream is a Writer that collects one part while it sends another. The multipart upload
// begins when the first part is full and more data follows.
type stream struct {
	ctx         context.Context //nolint:containedctx // the context of Create; io.Writer has no parameter for it
	cancel      context.CancelFunc
	store       *Store
	key         string
	contentType string

	buf      []byte
	spare    []byte    // the other buffer: it contains the part that is being sent, or is free; nil before the first part is sent
	sending  chan sent // receives the result of the part that is being sent; nil: no part is being sent
	uploadID string
	parts    []minio.CompletePart
	size     int64
	ended    bool
	err      error // the error of a failed Write; the stream cannot be committed after it
}

// sent is the result of sending a part.
type sent struct {
	part minio.CompletePart
	size int64
	err  error
}

// Create implements archive.Store.
func (s *Store) Create(ctx context.Context, key, contentType string) (archive.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.unavailable(err, doingWrite, key)
	}
	ctx, cancel := context.WithCancel(ctx)
	return &stream{ctx: ctx, cancel: cancel, store: s, key: key, contentType: contentType, buf: make([]byte, 0, firstBuffer)}, nil
}

// Write implements io.Writer.
func (w *stream) Write(p []byte) (int, error) {
	if w.ended {
		return 0, archive.EndedError(w.key)
	}
	n := 0
	for len(p) > 0 && w.err == nil {
		if len(w.buf) == PartSize {
			w.err = w.send(w.ctx)
			continue
		}
		take := min(len(p), PartSize-len(w.buf))
		w.grow(take)
		w.buf = append(w.buf, p[:take]...)
		p, n = p[take:], n+take
	}
	return n, w.err
}

// grow makes room for more bytes of a part and doubles the capacity. append grows by
// smaller steps, so it would copy the bytes more often.
func (w *stream) grow(more int) {
	if need := len(w.buf) + more; need > cap(w.buf) {
		w.buf = append(make([]byte, 0, min(PartSize, max(need, 2*cap(w.buf), firstBuffer))), w.buf...)
	}
}

// Commit implements archive.Writer.
func (w *stream) Commit(ctx context.Context) (archive.Info, error) {
	if w.ended {
		return archive.Info{}, archive.EndedError(w.key)
	}
	defer w.Abort()
	// The upload of the previous part runs under the context of Create. It must also be
	// cancelled if ctx ends.
	defer context.AfterFunc(ctx, w.cancel)()
	if w.err != nil {
		return archive.Info{}, w.err
	}
	if w.uploadID == "" {
		return w.store.PutIfAbsent(ctx, w.key, w.contentType, w.buf)
	}
	if err := w.send(ctx); err != nil {
		return archive.Info{}, err
	}
	if err := w.wait(); err != nil {
		return archive.Info{}, err
	}
	return w.complete(ctx)
}

// Abort implements archive.Writer. If the store cannot be reached, the uploaded parts
// stay there until the store's life cycle rule for incomplete uploads removes them.
func (w *stream) Abort() {
	w.cancel()
	_ = w.wait()
	w.ended = true
	w.buf = nil
	w.spare = nil
	if w.uploadID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTimeout)
	defer cancel()
	_ = retryIf(transient).Do(ctx, func() error {
		return w.store.core.AbortMultipartUpload(ctx, w.store.bucket, w.store.prefix+w.key, w.uploadID)
	})
	w.uploadID = ""
}

// send begins to upload the collected part after the upload of the previous part has
// ended.
func (w *stream) send(ctx context.Context) error {
	if err := w.wait(); err != nil {
		return err
	}
	if err := w.begin(ctx); err != nil {
		return w.store.unavailable(err, doingWrite, w.key)
	}
	part := w.buf
	number := len(w.parts) + 1
	sending := make(chan sent, 1)
	// A stream with a second part is expected to be large, so the second buffer has the size
	// of a whole part from the start.
	if w.spare == nil {
		w.spare = make([]byte, 0, PartSize)
	}
	w.buf, w.spare, w.sending = w.spare[:0], part, sending
	uploadID := w.uploadID
	go func() { sending <- w.upload(ctx, uploadID, number, part) }()
	return nil
}

// wait waits for the part that is being sent, if there is one, and records its result.
func (w *stream) wait() error {
	if w.sending == nil {
		return nil
	}
	s := <-w.sending
	w.sending = nil
	if s.err != nil {
		return w.store.unavailable(s.err, doingWrite, w.key)
	}
	w.parts = append(w.parts, s.part)
	w.size += s.size
	return nil
}

// upload sends one part. The request can be repeated safely, because it replaces the part
// with the same number.
func (w *stream) upload(ctx context.Context, uploadID string, number int, part []byte) sent {
	s := w.store
	opts := minio.PutObjectPartOptions{Md5Base64: md5Base64(part), Sha256Hex: sha256Hex(part), DisableContentSha256: true}
	result := sent{size: int64(len(part))}
	result.err = retryIf(transient).Do(ctx, func() error {
		up, err := s.core.PutObjectPart(ctx, s.bucket, s.prefix+w.key, uploadID, number, bytes.NewReader(part), int64(len(part)), opts)
		result.part = minio.CompletePart{PartNumber: number, ETag: up.ETag}
		return err
	})
	return result
}

// begin opens the multipart upload. If begin repeats a request whose response was lost,
// an empty multipart upload remains in the store. It is harmless.
func (w *stream) begin(ctx context.Context) error {
	if w.uploadID != "" {
		return nil
	}
	s := w.store
	return retryIf(transient).Do(ctx, func() (err error) {
		w.uploadID, err = s.core.NewMultipartUpload(ctx, s.bucket, s.prefix+w.key, writeOptions(w.contentType))
		return err
	})
}

// complete combines the uploaded parts into the object. This request makes the object
// visible, so it has the condition that no object has the key.
func (w *stream) complete(ctx context.Context) (info archive.Info, err error) {
	s := w.store
	ctx, now := withClock(ctx)
	err = retryIf(retryableCreate).Do(ctx, func() error {
		up, err := s.core.CompleteMultipartUpload(ctx, s.bucket, s.prefix+w.key, w.uploadID, w.parts, createOptions(w.contentType))
		info = written(w.key, up.ETag, w.size, w.contentType, *now)
		return err
	})
	if err != nil {
		return archive.Info{}, s.createError(err, w.key)
	}
	w.uploadID = "" // nothing is left to abort
	return info, nil
}
