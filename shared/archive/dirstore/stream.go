package dirstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"os"

	"ace/shared/archive"
)

// stream collects an object until Commit: in memory as long as the content fits into the
// journal, and then in a file in tmp/.
type stream struct {
	ctx   context.Context //nolint:containedctx // the context of Create; io.Writer has no parameter for it
	store *Store
	may   condition

	key         string
	contentType string

	content []byte
	hash    hash.Hash
	size    int64
	file    *os.File // nil: content has everything
	name    string   // of file, in tmp/
	ended   bool
	err     error // the error of a failed Write; the stream cannot be committed after it
}

// Create implements archive.Store.
func (s *Store) Create(ctx context.Context, key, contentType string) (archive.Writer, error) {
	return s.create(ctx, key, contentType, ifAbsent)
}

func (s *Store) create(ctx context.Context, key, contentType string, may condition) (archive.Writer, error) {
	if _, err := s.newChange(ctx, key, sum{contentType: contentType}); err != nil {
		return nil, err
	}
	return &stream{ctx: ctx, store: s, may: may, key: key, contentType: contentType, hash: sha256.New()}, nil
}

// Write implements io.Writer.
func (w *stream) Write(p []byte) (int, error) {
	if w.ended {
		return 0, archive.EndedError(w.key)
	}
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err == nil {
		w.err = w.write(p)
	}
	if w.err != nil {
		w.err = w.store.unavailable(w.err, doingWrite, w.key)
		return 0, w.err
	}
	w.hash.Write(p)
	w.size += int64(len(p))
	return len(p), nil
}

func (w *stream) write(p []byte) error {
	if w.file == nil && len(w.content)+len(p) <= w.store.inline {
		w.content = append(w.content, p...)
		return nil
	}
	if w.file == nil {
		if err := w.spill(); err != nil {
			return err
		}
	}
	_, err := w.file.Write(p)
	return err
}

// spill moves the content from memory to a file.
func (w *stream) spill() (err error) {
	w.name = w.store.newStaged()
	if w.file, err = createFile(w.store.tmpFile(w.name)); err != nil {
		return err
	}
	_, err = w.file.Write(w.content)
	w.content = nil
	return err
}

// Commit implements archive.Writer.
func (w *stream) Commit(ctx context.Context) (archive.Info, error) {
	if w.ended {
		return archive.Info{}, archive.EndedError(w.key)
	}
	defer w.Abort()
	if w.err != nil {
		return archive.Info{}, w.err
	}
	if w.file == nil {
		return w.store.put(ctx, w.key, w.contentType, w.content, w.may)
	}

	c, err := w.store.newChange(ctx, w.key, sum{hash: hex.EncodeToString(w.hash.Sum(nil)), contentType: w.contentType})
	if err != nil {
		return archive.Info{}, err
	}
	c.record.Size, c.record.Staged = w.size, w.name
	if err := w.close(); err != nil {
		return archive.Info{}, w.store.unavailable(err, doingWrite, w.key)
	}
	name := w.name
	w.name = "" // change discards the file if it is not needed
	return w.store.change(c, name, w.may)
}

// close makes the file durable and closes it.
func (w *stream) close() error {
	w.store.at("sync staged")
	err := w.file.Sync()
	if closeErr := w.file.Close(); err == nil {
		err = closeErr
	}
	w.file = nil
	if err == nil {
		err = w.store.tmp.Sync()
	}
	return err
}

// Abort implements archive.Writer.
func (w *stream) Abort() {
	w.ended = true
	w.content = nil
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
	if w.name != "" {
		w.store.discard(w.name)
		w.name = ""
	}
}
