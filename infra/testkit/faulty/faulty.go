// Package faulty wraps an archive.Store for tests of other packages: calls are counted,
// and can be made to fail, either before the store receives them or after it has carried
// them out. Nothing else is simulated: the objects are those of the wrapped store.
package faulty

import (
	"context"
	"strings"
	"sync"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

// Op is a method of archive.Store or archive.Writer.
type Op string

// The operations. Create is the opening of a stream. It is counted even if the stream is
// not committed. Presign stands for the methods Presign and PresignPut,
// and GetRange for GetRange and GetTail.
const (
	Get         Op = "Get"
	GetRange    Op = "GetRange"
	Stat        Op = "Stat"
	Put         Op = "Put"
	PutIfAbsent Op = "PutIfAbsent"
	PutIfMatch  Op = "PutIfMatch"
	Create      Op = "Create"
	Commit      Op = "Commit"
	List        Op = "List" // the key of a call is the prefix that is listed
	Delete      Op = "Delete"
	Presign     Op = "Presign"
	Any         Op = "" // in On and Count: every operation
)

func (o Op) matches(called Op) bool { return o == Any || o == called }

// Outcome is what happens to one call.
type Outcome int

// The outcomes. A failed call returns Unavailable, like a store whose response was lost.
const (
	Pass       Outcome = iota
	FailBefore         // not carried out
	FailAfter          // carried out, but the caller receives an error
	Hang               // not carried out, and answered only when the caller's context has ended
)

// Hook returns the outcome of the n-th call (counted from 1) that matches the operation
// and the prefix passed to On. It may block, for example until a test allows the call. It
// is called concurrently.
type Hook func(n int) Outcome

// First returns a hook with this outcome for the first n calls.
func First(n int, outcome Outcome) Hook {
	return func(call int) Outcome {
		if call <= n {
			return outcome
		}
		return Pass
	}
}

// Nth returns a hook with this outcome for the n-th call.
func Nth(n int, outcome Outcome) Hook {
	return func(call int) Outcome {
		if call == n {
			return outcome
		}
		return Pass
	}
}

// Always returns a hook with this outcome for every call.
func Always(outcome Outcome) Hook { return func(int) Outcome { return outcome } }

type call struct {
	op  Op
	key string
}

type rule struct {
	op     Op
	prefix string
	hook   Hook
	calls  int
}

// Store is a store with faults.
type Store struct {
	next archive.Store

	mu    sync.Mutex
	rules []*rule
	calls []call
}

var _ archive.Store = (*Store)(nil)

// Wrap returns a store that behaves like next until hooks are set.
func Wrap(next archive.Store) *Store { return &Store{next: next} }

// On sets a hook for the calls of op whose key begins with prefix. If several hooks
// match a call, all are called, and the first outcome other than Pass counts.
func (s *Store) On(op Op, prefix string, hook Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, &rule{op: op, prefix: prefix, hook: hook})
}

// Heal removes all hooks. It does not reset the numbers that Count returns.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// Count returns the number of calls of op whose key begins with prefix, failed ones
// included.
func (s *Store) Count(op Op, prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if op.matches(c.op) && strings.HasPrefix(c.key, prefix) {
			n++
		}
	}
	return n
}

// outcome records a call and returns its outcome (see On). It calls the hooks without the
// lock, since they may block.
func (s *Store) outcome(op Op, key string) Outcome {
	type question struct {
		hook Hook
		n    int
	}
	var questions []question
	s.mu.Lock()
	s.calls = append(s.calls, call{op, key})
	for _, r := range s.rules {
		if r.op.matches(op) && strings.HasPrefix(key, r.prefix) {
			r.calls++
			questions = append(questions, question{r.hook, r.calls})
		}
	}
	s.mu.Unlock()

	result := Pass
	for _, q := range questions {
		if got := q.hook(q.n); result == Pass {
			result = got
		}
	}
	return result
}

// do executes a call according to its outcome.
func do[T any](ctx context.Context, s *Store, op Op, key string, fn func() (T, error)) (T, error) {
	var zero T
	failed := fault.New(fault.Unavailable, "the archive failed on purpose: %s %s", op, key)
	switch s.outcome(op, key) {
	case FailBefore:
		return zero, failed
	case Hang:
		<-ctx.Done()
		return zero, failed
	case FailAfter:
		if _, err := fn(); err != nil {
			return zero, err
		}
		return zero, failed
	default:
		return fn()
	}
}

// Get implements archive.Store.
func (s *Store) Get(ctx context.Context, key string) (archive.Object, error) {
	return doOpen(ctx, s, Get, key, func() (archive.Object, error) { return s.next.Get(ctx, key) })
}

// GetRange implements archive.Store.
func (s *Store) GetRange(ctx context.Context, key, etag string, offset, length int64) (archive.Object, error) {
	return doOpen(ctx, s, GetRange, key, func() (archive.Object, error) { return s.next.GetRange(ctx, key, etag, offset, length) })
}

// GetTail implements archive.Store. It counts as a GetRange.
func (s *Store) GetTail(ctx context.Context, key string, length int64) (archive.Object, error) {
	return doOpen(ctx, s, GetRange, key, func() (archive.Object, error) { return s.next.GetTail(ctx, key, length) })
}

// doOpen is do for calls that return an object. If the caller receives an error although
// the call was carried out, doOpen closes the body of the object.
func doOpen(ctx context.Context, s *Store, op Op, key string, fn func() (archive.Object, error)) (archive.Object, error) {
	var body archive.Object
	obj, err := do(ctx, s, op, key, func() (archive.Object, error) {
		var err error
		body, err = fn()
		return body, err
	})
	if err != nil && body.Body != nil {
		body.Body.Close()
	}
	return obj, err
}

// Stat implements archive.Store.
func (s *Store) Stat(ctx context.Context, key string) (archive.Info, error) {
	return do(ctx, s, Stat, key, func() (archive.Info, error) { return s.next.Stat(ctx, key) })
}

// Put implements archive.Store.
func (s *Store) Put(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	return do(ctx, s, Put, key, func() (archive.Info, error) { return s.next.Put(ctx, key, contentType, body) })
}

// PutIfAbsent implements archive.Store.
func (s *Store) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	return do(ctx, s, PutIfAbsent, key, func() (archive.Info, error) { return s.next.PutIfAbsent(ctx, key, contentType, body) })
}

// PutIfMatch implements archive.Store.
func (s *Store) PutIfMatch(ctx context.Context, key, contentType string, body []byte, etag string) (archive.Info, error) {
	return do(ctx, s, PutIfMatch, key, func() (archive.Info, error) { return s.next.PutIfMatch(ctx, key, contentType, body, etag) })
}

// List implements archive.Store. With FailAfter it calls fn for the whole listing and
// then fails.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	_, err := do(ctx, s, List, prefix, func() (struct{}, error) { return struct{}{}, s.next.List(ctx, prefix, after, fn) })
	return err
}

// Delete implements archive.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := do(ctx, s, Delete, key, func() (struct{}, error) { return struct{}{}, s.next.Delete(ctx, key) })
	return err
}

// Presign implements archive.Store.
func (s *Store) Presign(ctx context.Context, key, disposition string, valid time.Duration) (string, error) {
	return do(ctx, s, Presign, key, func() (string, error) { return s.next.Presign(ctx, key, disposition, valid) })
}

// PresignPut implements archive.Store.
func (s *Store) PresignPut(ctx context.Context, key string, valid time.Duration) (string, error) {
	return do(ctx, s, Presign, key, func() (string, error) { return s.next.PresignPut(ctx, key, valid) })
}

// Create implements archive.Store. A failed call leaves no stream open.
func (s *Store) Create(ctx context.Context, key, contentType string) (archive.Writer, error) {
	var opened archive.Writer
	w, err := do(ctx, s, Create, key, func() (archive.Writer, error) {
		var err error
		opened, err = s.next.Create(ctx, key, contentType)
		return opened, err
	})
	if err != nil {
		if opened != nil {
			opened.Abort()
		}
		return nil, err
	}
	return &writer{Writer: w, store: s, key: key}, nil
}

type writer struct {
	archive.Writer
	store *Store
	key   string
}

// Commit implements archive.Writer. After an error it aborts the stream, because a commit
// that did not reach the store would leave the stream open.
func (w *writer) Commit(ctx context.Context) (archive.Info, error) {
	info, err := do(ctx, w.store, Commit, w.key, func() (archive.Info, error) { return w.Writer.Commit(ctx) })
	if err != nil {
		w.Abort()
	}
	return info, err
}
