// Package scratch keeps the plan and the parts of one small comparison in memory. They
// are deleted when the task ends. After a crash they can be made again at little cost,
// because the comparison is one unit of work. So storing them would cost more than it
// saves.
//
// Everything else is read and written in the archive, such as the document. The readers
// and writers of plans and parts use a Store like any other, so they make the same
// checks.
package scratch

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ace/shared/archive"
	"ace/shared/fault"
)

// maxBytes bounds the memory for the plan and the parts.
const maxBytes = 4 << 20

// ErrTooLarge means that the plan or a part does not fit into the memory for it. The
// comparison must be started again with the archive.
var ErrTooLarge = fault.New(fault.Internal, "the parts of the comparison are too large to keep in memory")

// Store is an archive.Store that keeps the plan and the parts of one task in memory until
// Keep is called. It is safe for concurrent use.
type Store struct {
	archive.Store
	taskID string

	mu      sync.Mutex
	kept    bool
	size    int
	objects map[string]object
}

// object is an object in memory. Each object is written once.
type object struct {
	contentType string
	body        []byte
}

// New returns a store for the task on top of an archive. It holds no objects yet.
func New(above archive.Store, taskID string) *Store {
	return &Store{Store: above, taskID: taskID, objects: map[string]object{}}
}

// Keep writes everything to the archive, the plan first. Afterwards nothing is in memory.
// The error is archive.ErrPrecondition if another runner has stored a plan for the task.
// Keep must not be called while a part is being written.
func (s *Store) Keep(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept {
		return nil
	}

	keys := []string{archive.PlanKey(s.taskID)}
	for _, key := range s.keysBelow("") {
		if key != keys[0] {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if err := s.keepObject(ctx, key); err != nil {
			return err
		}
	}

	s.kept, s.objects = true, nil
	return nil
}

func (s *Store) keepObject(ctx context.Context, key string) error {
	object, ok := s.objects[key]
	if !ok {
		return nil
	}
	w, err := s.Store.Create(ctx, key, object.contentType)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(object.body); err != nil {
		return err
	}
	_, err = w.Commit(ctx)
	return err
}

// inMemory reports whether an object with this key is kept in memory. The caller must
// hold s.mu.
func (s *Store) inMemory(key string) bool {
	return !s.kept && (key == archive.PlanKey(s.taskID) || strings.HasPrefix(key, archive.PartsRoot(s.taskID)))
}

// keysBelow returns the keys in memory that begin with prefix, in order. The caller must
// hold s.mu.
func (s *Store) keysBelow(prefix string) []string {
	var keys []string
	for key := range s.objects {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (s *Store) info(key string) archive.Info {
	object := s.objects[key]
	return archive.Info{Key: key, Size: int64(len(object.body)), ETag: strconv.Itoa(len(object.body)), ContentType: object.contentType}
}

// find returns an object in memory. It returns false if the object belongs to the
// archive.
func (s *Store) find(key string) (archive.Info, []byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inMemory(key) {
		return archive.Info{}, nil, false, nil
	}
	object, ok := s.objects[key]
	if !ok {
		return archive.Info{}, nil, true, archive.ErrNotFound
	}
	return s.info(key), object.body, true, nil
}

// Get implements archive.Store.
func (s *Store) Get(ctx context.Context, key string) (archive.Object, error) {
	info, body, found, err := s.find(key)
	if !found {
		return s.Store.Get(ctx, key)
	}
	if err != nil {
		return archive.Object{}, err
	}
	return archive.Object{Info: info, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// GetRange implements archive.Store.
func (s *Store) GetRange(ctx context.Context, key, etag string, offset, length int64) (archive.Object, error) {
	info, body, found, err := s.find(key)
	if !found {
		return s.Store.GetRange(ctx, key, etag, offset, length)
	}
	if err != nil {
		return archive.Object{}, err
	}
	body = body[min(offset, info.Size):]
	if length >= 0 {
		body = body[:min(length, int64(len(body)))]
	}
	return archive.Object{Info: info, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// GetTail implements archive.Store.
func (s *Store) GetTail(ctx context.Context, key string, length int64) (archive.Object, error) {
	info, body, found, err := s.find(key)
	if !found {
		return s.Store.GetTail(ctx, key, length)
	}
	if err != nil {
		return archive.Object{}, err
	}
	tail := body[max(0, info.Size-length):]
	return archive.Object{Info: info, Body: io.NopCloser(bytes.NewReader(tail))}, nil
}

// Stat implements archive.Store.
func (s *Store) Stat(ctx context.Context, key string) (archive.Info, error) {
	info, _, found, err := s.find(key)
	if !found {
		return s.Store.Stat(ctx, key)
	}
	return info, err
}

// PutIfAbsent implements archive.Store.
func (s *Store) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	s.mu.Lock()
	if !s.inMemory(key) {
		s.mu.Unlock()
		return s.Store.PutIfAbsent(ctx, key, contentType, body)
	}
	defer s.mu.Unlock()
	return s.add(key, contentType, body)
}

// add adds an object in memory. The caller must hold s.mu.
func (s *Store) add(key, contentType string, body []byte) (archive.Info, error) {
	if _, exists := s.objects[key]; exists {
		return archive.Info{}, archive.ErrPrecondition
	}
	if s.size += len(body); s.size > maxBytes {
		return archive.Info{}, ErrTooLarge
	}
	s.objects[key] = object{contentType: contentType, body: slices.Clone(body)}
	return s.info(key), nil
}

// Create implements archive.Store.
func (s *Store) Create(ctx context.Context, key, contentType string) (archive.Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inMemory(key) {
		return s.Store.Create(ctx, key, contentType)
	}
	return &writer{store: s, key: key, contentType: contentType}, nil
}

// List implements archive.Store. The prefix must not match both objects in memory and
// objects in the archive.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	s.mu.Lock()
	if !s.inMemory(prefix) {
		s.mu.Unlock()
		return s.Store.List(ctx, prefix, after, fn)
	}
	var found []archive.Info
	for _, key := range s.keysBelow(prefix) {
		if key > after {
			found = append(found, s.info(key))
		}
	}
	s.mu.Unlock()

	for _, info := range found {
		if !fn(info) {
			break
		}
	}
	return nil
}

// writer is a stream into an object in memory.
type writer struct {
	store            *Store
	key, contentType string
	buffer           bytes.Buffer
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.buffer.Len()+len(p) > maxBytes {
		return 0, ErrTooLarge
	}
	return w.buffer.Write(p)
}

// Commit implements archive.Writer.
func (w *writer) Commit(context.Context) (archive.Info, error) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	return w.store.add(w.key, w.contentType, w.buffer.Bytes())
}

// Abort implements archive.Writer.
func (w *writer) Abort() {}
