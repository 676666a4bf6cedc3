package task

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/retry"
)

// LeaseDuration is how long a lease holds after the last write of the record, by the store's clock.
const LeaseDuration = 30 * time.Second

const (
	contentType = "application/json"
)

// writes repeats a write whose outcome is unknown, such as one whose answer was lost, as long as
// retryable accepts the error.
func writes(retryable func(error) bool) retry.Policy {
	return retry.Policy{Backoff: retry.Backoff{First: 100 * time.Millisecond}, Tries: 4, Retryable: retryable}
}

// Registry keeps the task records in a store. It holds no state of its own and may be used concurrently.
type Registry struct {
	store archive.Store
	clock func() time.Time
	lease time.Duration
	// published is told of every task that completed with a document; nil: nobody is.
	published func(context.Context, Record) error
}

// NewRegistry gives the registry of the tasks in store. clock stamps records; leases do not depend on it.
func NewRegistry(store archive.Store, clock func() time.Time) *Registry {
	return &Registry{store: store, clock: clock, lease: LeaseDuration}
}

// OnPublished has fn told of every task that completed with a document, before its open mark goes: again and again, by
// Clear or a later Acquire, until fn has no error, and even if the process dies in between. It is called before the
// registry is used.
func (r *Registry) OnPublished(fn func(context.Context, Record) error) { r.published = fn }

// WithLease gives a registry of the same tasks whose leases hold for another time. All who work on one store must agree.
func (r *Registry) WithLease(d time.Duration) *Registry {
	other := *r
	other.lease = d
	return &other
}

// Get reads a task. Invalid if id is none, NotFound if there is no such task.
func (r *Registry) Get(ctx context.Context, id string) (Record, error) {
	v, err := r.read(ctx, id)
	return v.Record, err
}

// version is one stored version of a record.
type version struct {
	Record
	info archive.Info
}

func (r *Registry) read(ctx context.Context, id string) (version, error) {
	if err := CheckID(id); err != nil {
		return version{}, err
	}
	var v version
	info, err := r.readJSON(ctx, archive.TaskKey(id), &v.Record)
	if errors.Is(err, archive.ErrNotFound) {
		return version{}, fault.Wrap(err, fault.NotFound, "task %s does not exist", id)
	}
	if err != nil {
		return version{}, err
	}
	v.info = info
	return v, nil
}

func (r *Registry) readJSON(ctx context.Context, key string, into any) (archive.Info, error) {
	object, err := r.store.Get(ctx, key)
	if err != nil {
		return archive.Info{}, err
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	if err != nil {
		return archive.Info{}, fault.Wrap(err, fault.Unavailable, "the archive broke off while %s was read", key)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return archive.Info{}, fault.Wrap(err, fault.Internal, "object %s in the archive is damaged", key)
	}
	return object.Info, nil
}

// swap replaces cur by next, whose Revision must be new. When cur is no longer what is stored, it gives what is
// stored instead, together with an error that is archive.ErrPrecondition. After a lost answer it reads back whether
// the write arrived, and repeats it if not.
func (r *Registry) swap(ctx context.Context, cur version, next Record) (version, error) {
	if !cur.Status.CanBecome(next.Status) {
		return version{}, fault.New(fault.Conflict, "task %s is %s and cannot become %s", cur.TaskID, cur.Status, next.Status)
	}
	body, err := json.Marshal(next)
	if err != nil {
		return version{}, err
	}

	var result version
	unknown := false
	err = writes(func(error) bool { return unknown }).Do(ctx, func() error {
		unknown = false
		info, err := r.store.PutIfMatch(ctx, archive.TaskKey(next.TaskID), contentType, body, cur.info.ETag)
		if err == nil {
			result = version{Record: next, info: info}
			return nil
		}

		stored, readErr := r.read(ctx, next.TaskID)
		switch {
		case fault.CodeOf(readErr) == fault.NotFound:
			return readErr
		case readErr == nil && stored.Revision == next.Revision:
			result = stored
			return nil
		case readErr == nil && stored.Revision != cur.Revision:
			result = stored
			return archive.ErrPrecondition
		}
		unknown = true
		return cmp.Or(readErr, err) // an unknown outcome is worse than a known failure
	})
	return result, err
}

// unmark removes the open mark of a submission that became no task. If that fails the mark stays until an Acquire.
func (r *Registry) unmark(ctx context.Context, id string) {
	_ = r.store.Delete(ctx, archive.OpenKey(id))
}
