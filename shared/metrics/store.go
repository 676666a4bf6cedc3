package metrics

import (
	"context"
	"errors"
	"time"

	"ace/shared/archive"
)

// operations are the values of the label "operation". A stream is counted when it is
// opened and when it is committed.
func operations() []string {
	return []string{opGet, opStat, opPut, opCreate, opCommit, opList, opDelete, opPresign}
}

const (
	opGet     = "get"
	opStat    = "stat"
	opPut     = "put"
	opCreate  = "create"
	opCommit  = "commit"
	opList    = "list"
	opDelete  = "delete"
	opPresign = "presign"
)

// Store returns a store that counts the calls of s and their errors.
func (m *Metrics) Store(s archive.Store) archive.Store { return &store{s, m} }

// store counts the calls of an archive.Store.
type store struct {
	archive.Store
	metrics *Metrics
}

// count counts a call that returned err. If the caller has cancelled the call, err is not
// counted, because it is not an error of the store.
func (s *store) count(ctx context.Context, operation string, err error) {
	s.metrics.storeRequests.WithLabelValues(operation).Inc()
	if err == nil || errors.Is(err, archive.ErrNotFound) || errors.Is(err, archive.ErrPrecondition) || errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	s.metrics.storeErrors.WithLabelValues(operation).Inc()
}

// Get implements archive.Store.
func (s *store) Get(ctx context.Context, key string) (archive.Object, error) {
	object, err := s.Store.Get(ctx, key)
	s.count(ctx, opGet, err)
	return object, err
}

// GetRange implements archive.Store.
func (s *store) GetRange(ctx context.Context, key, etag string, offset, length int64) (archive.Object, error) {
	object, err := s.Store.GetRange(ctx, key, etag, offset, length)
	s.count(ctx, opGet, err)
	return object, err
}

// GetTail implements archive.Store.
func (s *store) GetTail(ctx context.Context, key string, length int64) (archive.Object, error) {
	object, err := s.Store.GetTail(ctx, key, length)
	s.count(ctx, opGet, err)
	return object, err
}

// Stat implements archive.Store.
func (s *store) Stat(ctx context.Context, key string) (archive.Info, error) {
	info, err := s.Store.Stat(ctx, key)
	s.count(ctx, opStat, err)
	return info, err
}

// Put implements archive.Store.
func (s *store) Put(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	info, err := s.Store.Put(ctx, key, contentType, body)
	s.count(ctx, opPut, err)
	return info, err
}

// PutIfAbsent implements archive.Store.
func (s *store) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	info, err := s.Store.PutIfAbsent(ctx, key, contentType, body)
	s.count(ctx, opPut, err)
	return info, err
}

// PutIfMatch implements archive.Store.
func (s *store) PutIfMatch(ctx context.Context, key, contentType string, body []byte, etag string) (archive.Info, error) {
	info, err := s.Store.PutIfMatch(ctx, key, contentType, body, etag)
	s.count(ctx, opPut, err)
	return info, err
}

// Create implements archive.Store.
func (s *store) Create(ctx context.Context, key, contentType string) (archive.Writer, error) {
	w, err := s.Store.Create(ctx, key, contentType)
	s.count(ctx, opCreate, err)
	if err != nil {
		return nil, err
	}
	return &writer{w, s}, nil
}

// List implements archive.Store.
func (s *store) List(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	err := s.Store.List(ctx, prefix, after, fn)
	s.count(ctx, opList, err)
	return err
}

// Delete implements archive.Store.
func (s *store) Delete(ctx context.Context, key string) error {
	err := s.Store.Delete(ctx, key)
	s.count(ctx, opDelete, err)
	return err
}

// Presign implements archive.Store.
func (s *store) Presign(ctx context.Context, key, disposition string, valid time.Duration) (string, error) {
	url, err := s.Store.Presign(ctx, key, disposition, valid)
	s.count(ctx, opPresign, err)
	return url, err
}

// PresignPut implements archive.Store.
func (s *store) PresignPut(ctx context.Context, key string, valid time.Duration) (string, error) {
	url, err := s.Store.PresignPut(ctx, key, valid)
	s.count(ctx, opPresign, err)
	return url, err
}

// writer counts the commits of an archive.Writer.
type writer struct {
	archive.Writer
	store *store
}

// Commit implements archive.Writer.
func (w *writer) Commit(ctx context.Context) (archive.Info, error) {
	info, err := w.Writer.Commit(ctx)
	w.store.count(ctx, opCommit, err)
	return info, err
}
