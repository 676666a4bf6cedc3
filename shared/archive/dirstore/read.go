package dirstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

// version is an open version of an object.
type version struct {
	key  string
	file *os.File
	sum  sum
	size int64
	time time.Time
}

// Get implements archive.Store.
func (s *Store) Get(ctx context.Context, key string) (archive.Object, error) {
	v, err := s.open(ctx, key)
	if err != nil {
		return archive.Object{}, err
	}
	return s.read(ctx, v, 0, v.size)
}

// GetRange implements archive.Store.
func (s *Store) GetRange(ctx context.Context, key, etag string, offset, length int64) (archive.Object, error) {
	if err := archive.CheckRange(key, etag, offset); err != nil {
		return archive.Object{}, err
	}
	v, err := s.open(ctx, key)
	if err != nil {
		return archive.Object{}, err
	}
	if v.sum.hash != etag {
		v.file.Close()
		return archive.Object{}, archive.ErrPrecondition
	}
	from := min(offset, v.size)
	to := v.size
	if length >= 0 {
		to = from + min(length, v.size-from)
	}
	return s.read(ctx, v, from, to)
}

// GetTail implements archive.Store.
func (s *Store) GetTail(ctx context.Context, key string, length int64) (archive.Object, error) {
	if err := archive.CheckTail(key, length); err != nil {
		return archive.Object{}, err
	}
	v, err := s.open(ctx, key)
	if err != nil {
		return archive.Object{}, err
	}
	return s.read(ctx, v, max(0, v.size-length), v.size)
}

// Stat implements archive.Store.
func (s *Store) Stat(ctx context.Context, key string) (archive.Info, error) {
	v, err := s.open(ctx, key)
	if err != nil {
		return archive.Info{}, err
	}
	v.file.Close()
	return v.info(), nil
}

// info describes the version.
func (v version) info() archive.Info {
	return archive.Info{
		Key: v.key, Size: v.size, ETag: v.sum.hash, ContentType: v.sum.contentType, LastModified: v.time.UTC().Truncate(time.Second), Now: now(),
	}
}

// open opens the newest version of an object. A later replacement does not change what is
// read from it.
func (s *Store) open(ctx context.Context, key string) (version, error) {
	if err := ctx.Err(); err != nil {
		return version{}, s.unavailable(err, doingRead, key)
	}
	path, err := PathOf(key)
	if err != nil {
		return version{}, err
	}
	v, err := s.openPath(key, path)
	if isMissing(err) {
		return version{}, archive.ErrNotFound
	}
	if err != nil {
		return version{}, s.unavailable(err, doingRead, key)
	}
	return v, nil
}

func (s *Store) openPath(key, path string) (version, error) {
	lock := s.keyLock(path)
	lock.swap.RLock()
	defer lock.swap.RUnlock()
	file, err := os.Open(s.objectFile(path))
	if err != nil {
		return version{}, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = os.ErrNotExist
	}
	if err != nil {
		file.Close()
		return version{}, err
	}
	recorded, err := s.readSum(path)
	if isMissing(err) {
		err = fault.New(fault.Internal, "object %s in the archive (directory %s) is damaged: its SHA-256, the file %s/%s, is missing", key, s.dir, sumsDir, path)
	}
	if err != nil {
		file.Close()
		return version{}, err
	}
	return version{key: key, file: file, sum: recorded, size: info.Size(), time: info.ModTime()}, nil
}

// read returns the bytes from one offset to another. It closes the file of the version,
// or the body of the object does.
func (s *Store) read(ctx context.Context, v version, from, to int64) (archive.Object, error) {
	if v.size <= verifyAtOnce {
		content, err := s.readVerified(v)
		if err != nil {
			return archive.Object{}, err
		}
		return archive.Object{Info: v.info(), Body: &body{ctx: ctx, store: s, key: v.key, in: bytes.NewReader(content[from:to])}}, nil
	}

	b := &body{ctx: ctx, store: s, key: v.key, in: io.NewSectionReader(v.file, from, to-from), file: v.file}
	if from == 0 && to == v.size {
		b.left, b.hash, b.recorded = v.size, sha256.New(), v.sum.hash
	}
	return archive.Object{Info: v.info(), Body: b}, nil
}

// readVerified reads and verifies the whole content, and closes the file.
func (s *Store) readVerified(v version) ([]byte, error) {
	defer v.file.Close()
	content := make([]byte, v.size)
	if _, err := io.ReadFull(v.file, content); err != nil {
		return nil, s.unavailable(err, doingRead, v.key)
	}
	hash := sha256.Sum256(content)
	return content, s.verify(v.key, hash[:], v.sum.hash)
}

// verify returns an error if the hash of an object is not the recorded one.
func (s *Store) verify(key string, hash []byte, recorded string) error {
	if got := hex.EncodeToString(hash); got != recorded {
		return fault.New(fault.Internal, "object %s in the archive (directory %s) is damaged: its SHA-256 is %s, recorded is %s", key, s.dir, got, recorded)
	}
	return nil
}

// body reads content until the context of the call ends.
type body struct {
	ctx   context.Context //nolint:containedctx // io.Reader has no parameter for it; a body belongs to one call
	store *Store
	key   string
	in    io.Reader
	file  *os.File // nil: the content is in memory

	hash     hash.Hash // nil: the content is not verified, or was verified before
	recorded string
	left     int64 // bytes that were not hashed yet
	closed   bool
}

// Read implements io.Reader. It returns the last bytes only if the content is undamaged.
func (b *body) Read(p []byte) (int, error) {
	if b.closed {
		return 0, fault.New(fault.Unavailable, "the archive (directory %s) failed to read %s: the body is closed", b.store.dir, b.key)
	}
	if err := b.ctx.Err(); err != nil {
		return 0, b.store.unavailable(err, doingRead, b.key)
	}
	n, err := b.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, b.store.unavailable(err, doingRead, b.key)
	}
	if b.hash == nil {
		return n, err
	}

	b.hash.Write(p[:n])
	b.left -= int64(n)
	if b.left > 0 && err == nil {
		return n, nil
	}
	if err := b.store.verify(b.key, b.hash.Sum(nil), b.recorded); err != nil { // also if the file is too short
		return 0, err
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.closed = true
	if b.file == nil {
		return nil
	}
	file := b.file
	b.file = nil
	return file.Close()
}
