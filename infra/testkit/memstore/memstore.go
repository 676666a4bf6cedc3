// Package memstore is an archive.Store in memory, for tests that are not about S3. It
// passes the suite archive/storetest, needs no server, and needs no time to start.
//
// It fulfils every promise of the interface, including the store's own clock in whole
// seconds and reads that fail after their context has ended. It cannot simulate how a
// real server fails: package s3 has tests for that.
package memstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

// Store is an archive in memory. It is safe for concurrent use.
type Store struct {
	tb testing.TB // the server of presigned links ends with this test

	mu      sync.Mutex
	objects map[string]object
	keys    []string // keys of all objects, sorted

	serve sync.Once
	links *httptest.Server
}

// object is one version of an object. Its body is never changed: a replacement is a new
// value.
type object struct {
	body        []byte
	etag        string
	contentType string
	modified    time.Time
}

var _ archive.Store = (*Store)(nil)

// New returns an empty store. Presigned links work until the test ends.
func New(tb testing.TB) *Store { return &Store{tb: tb, objects: map[string]object{}} }

// Get implements archive.Store.
func (s *Store) Get(ctx context.Context, key string) (archive.Object, error) {
	found, err := s.find(ctx, key)
	if err != nil {
		return archive.Object{}, err
	}
	return archive.Object{Info: found.describe(key), Body: &body{ctx: ctx, key: key, left: found.body}}, nil
}

// GetRange implements archive.Store.
func (s *Store) GetRange(ctx context.Context, key, etag string, offset, length int64) (archive.Object, error) {
	if err := archive.CheckRange(key, etag, offset); err != nil {
		return archive.Object{}, err
	}
	found, err := s.find(ctx, key)
	if err != nil {
		return archive.Object{}, err
	}
	if found.etag != etag {
		return archive.Object{}, archive.ErrPrecondition
	}
	part := found.body[min(offset, int64(len(found.body))):]
	if length >= 0 {
		part = part[:min(length, int64(len(part)))]
	}
	return archive.Object{Info: found.describe(key), Body: &body{ctx: ctx, key: key, left: part}}, nil
}

// GetTail implements archive.Store.
func (s *Store) GetTail(ctx context.Context, key string, length int64) (archive.Object, error) {
	if err := archive.CheckTail(key, length); err != nil {
		return archive.Object{}, err
	}
	found, err := s.find(ctx, key)
	if err != nil {
		return archive.Object{}, err
	}
	tail := found.body[max(0, int64(len(found.body))-length):]
	return archive.Object{Info: found.describe(key), Body: &body{ctx: ctx, key: key, left: tail}}, nil
}

// Stat implements archive.Store.
func (s *Store) Stat(ctx context.Context, key string) (archive.Info, error) {
	found, err := s.find(ctx, key)
	if err != nil {
		return archive.Info{}, err
	}
	return found.describe(key), nil
}

// find returns the newest version of an object.
func (s *Store) find(ctx context.Context, key string) (object, error) {
	if err := ended(ctx, "failed to read", key); err != nil {
		return object{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.objects[key]
	if !ok {
		return object{}, archive.ErrNotFound
	}
	return found, nil
}

// Put implements archive.Store.
func (s *Store) Put(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	return s.write(ctx, key, contentType, body, func(object, bool) bool { return true })
}

// PutIfAbsent implements archive.Store.
func (s *Store) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	return s.write(ctx, key, contentType, body, func(_ object, exists bool) bool { return !exists })
}

// PutIfMatch implements archive.Store.
func (s *Store) PutIfMatch(ctx context.Context, key, contentType string, body []byte, etag string) (archive.Info, error) {
	if err := archive.CheckMatch(key, etag); err != nil {
		return archive.Info{}, err
	}
	return s.write(ctx, key, contentType, body, func(current object, exists bool) bool { return exists && current.etag == etag })
}

// write stores a new version if the current one meets the condition. Check and write are
// one atomic step.
func (s *Store) write(
	ctx context.Context, key, contentType string, content []byte, condition func(current object, exists bool) bool,
) (archive.Info, error) {
	if err := ended(ctx, "failed to write", key); err != nil {
		return archive.Info{}, err
	}
	sum := sha256.Sum256(content)
	next := object{
		body:        bytes.Clone(content),
		etag:        hex.EncodeToString(sum[:16]),
		contentType: contentType,
		modified:    time.Now(),
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	current, exists := s.objects[key]
	if !condition(current, exists) {
		return archive.Info{}, archive.ErrPrecondition
	}
	if !exists {
		at, _ := slices.BinarySearch(s.keys, key)
		s.keys = slices.Insert(s.keys, at, key)
	}
	s.objects[key] = next
	info := next.describe(key)
	info.LastModified = time.Time{} // S3 does not return it for a write
	return info, nil
}

// Delete implements archive.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ended(ctx, "failed to delete", key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, found := slices.BinarySearch(s.keys, key); found {
		s.keys = slices.Delete(s.keys, at, at+1)
		delete(s.objects, key)
	}
	return nil
}

// pageSize is the number of keys on one page of a listing, as in S3. An object that is
// written after List has read a page can appear on the next page.
const pageSize = 1000

// List implements archive.Store.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	for {
		if err := ended(ctx, "failed to list", prefix); err != nil {
			return err
		}
		page := s.page(prefix, after)
		for _, info := range page {
			if !fn(info) {
				return nil
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[len(page)-1].Key
	}
}

// page returns the first objects (at most pageSize) whose keys begin with prefix and are
// greater than after.
func (s *Store) page(prefix, after string) []archive.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, found := slices.BinarySearch(s.keys, max(prefix, after))
	if found && s.keys[at] == after {
		at++
	}
	var page []archive.Info
	for _, key := range s.keys[at:] {
		if len(page) == pageSize || !strings.HasPrefix(key, prefix) {
			break
		}
		page = append(page, s.objects[key].list(key))
	}
	return page
}

// describe returns what a read reports about a version.
func (o object) describe(key string) archive.Info {
	return archive.Info{
		Key:          key,
		Size:         int64(len(o.body)),
		ETag:         o.etag,
		ContentType:  o.contentType,
		LastModified: o.modified.UTC().Truncate(time.Second),
		Now:          time.Now().UTC().Truncate(time.Second),
	}
}

// list returns what a listing reports about a version.
func (o object) list(key string) archive.Info {
	return archive.Info{
		Key:          key,
		Size:         int64(len(o.body)),
		ETag:         o.etag,
		LastModified: o.modified.UTC().Truncate(time.Millisecond),
	}
}

// ended returns the error that a real store returns if the context of the call has ended,
// or nil if it has not.
func ended(ctx context.Context, doing, key string) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the archive (in memory) %s %s: cancelled", doing, key)
	}
	return nil
}
