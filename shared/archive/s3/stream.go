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
	// PartSize is how much of a stream is sent at once: the least that S3 accepts. A
	// stream holds two parts in memory; one is filled while the other is sent. A stream
	// of at most this size is written by a single request.
	PartSize = 5 << 20

	firstBuffer = 64 << 10
	// abortTimeout is short, since it is added to the time that a service needs to stop
	// while its store hangs.
	abortTimeout = 3 * time.Second
)

// stream collects one part while another is sent. The multipart upload begins when the
// first part is full and more data follows.
type stream struct {
	ctx         context.Context //nolint:containedctx // of Create: io.Writer has no room for one
	cancel      context.CancelFunc
	store       *Store
	key         string
	contentType string

	buf      []byte
	spare    []byte    // memory of the other part
	sending  chan sent // the part in flight; nil: none
	uploadID string
	parts    []minio.CompletePart
	size     int64
	ended    bool
	err      error // of a Write: what follows it cannot be right
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
		return 0, errEnded(w.key)
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

// grow makes room for more bytes of a part and doubles the capacity. The steps of append
// are smaller, so it would copy the bytes many times.
func (w *stream) grow(more int) {
	if need := len(w.buf) + more; need > cap(w.buf) {
		w.buf = append(make([]byte, 0, min(PartSize, max(need, 2*cap(w.buf), firstBuffer))), w.buf...)
	}
}

// Commit implements archive.Writer.
func (w *stream) Commit(ctx context.Context) (archive.Info, error) {
	if w.ended {
		return archive.Info{}, errEnded(w.key)
	}
	defer w.Abort()
	// the part in flight was begun under the other context
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

// Abort implements archive.Writer. An unreachable store keeps the parts until its life
// cycle rule for incomplete uploads removes them.
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

// send begins to upload the collected part once the previous one has arrived.
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
	// A stream with a second part is expected to be large.
	if w.spare == nil {
		w.spare = make([]byte, 0, PartSize)
	}
	w.buf, w.spare, w.sending = w.spare[:0], part, sending
	uploadID := w.uploadID
	go func() { sending <- w.upload(ctx, uploadID, number, part) }()
	return nil
}

// wait waits for the part in flight, if there is one.
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

// upload sends one part. Its number makes a repetition safe.
func (w *stream) upload(ctx context.Context, uploadID string, number int, part []byte) sent {
	s := w.store
	sum := sha256Hex(part)
	result := sent{size: int64(len(part))}
	result.err = retryIf(transient).Do(ctx, func() error {
		up, err := s.core.PutObjectPart(ctx, s.bucket, s.prefix+w.key, uploadID, number, bytes.NewReader(part), int64(len(part)),
			minio.PutObjectPartOptions{Sha256Hex: sum, DisableContentSha256: true})
		result.part = minio.CompletePart{PartNumber: number, ETag: up.ETag}
		return err
	})
	return result
}

// begin opens the multipart upload. A repetition can leave an empty upload, which is
// harmless.
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

// complete makes an object of the uploaded parts. It has the condition, since it makes
// the object visible.
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

func errEnded(key string) error {
	return fault.New(fault.Internal, "the stream to %s was already committed or aborted", key)
}
