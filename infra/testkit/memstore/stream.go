package memstore

import (
	"bytes"
	"context"
	"io"

	"ace/shared/archive"
	"ace/shared/fault"
)

// body reads a version until the context of the call ends.
type body struct {
	ctx    context.Context //nolint:containedctx // io.Reader has no parameter for it; a body belongs to one call
	key    string
	left   []byte
	closed bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.closed {
		return 0, fault.New(fault.Unavailable, "the archive (in memory) failed to read %s: the body is closed", b.key)
	}
	if err := ended(b.ctx, "failed to read", b.key); err != nil {
		return 0, err
	}
	if len(b.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.closed = true
	return nil
}

// stream collects an object until Commit.
type stream struct {
	ctx         context.Context //nolint:containedctx // the context of Create; io.Writer has no parameter for it
	store       *Store
	key         string
	contentType string

	content bytes.Buffer
	closed  bool  // the stream was committed or aborted
	err     error // the error of a failed Write; the stream cannot be committed after it
}

// Create implements archive.Store.
func (s *Store) Create(ctx context.Context, key, contentType string) (archive.Writer, error) {
	if err := ended(ctx, "failed to write", key); err != nil {
		return nil, err
	}
	return &stream{ctx: ctx, store: s, key: key, contentType: contentType}, nil
}

// Write implements io.Writer.
func (w *stream) Write(p []byte) (int, error) {
	if w.closed {
		return 0, archive.EndedError(w.key)
	}
	if w.err == nil {
		w.err = ended(w.ctx, "failed to write", w.key)
	}
	if w.err != nil {
		return 0, w.err
	}
	return w.content.Write(p)
}

// Commit implements archive.Writer.
func (w *stream) Commit(ctx context.Context) (archive.Info, error) {
	if w.closed {
		return archive.Info{}, archive.EndedError(w.key)
	}
	w.closed = true
	if w.err != nil {
		return archive.Info{}, w.err
	}
	return w.store.PutIfAbsent(ctx, w.key, w.contentType, w.content.Bytes())
}

// Abort implements archive.Writer.
func (w *stream) Abort() { w.closed = true }
