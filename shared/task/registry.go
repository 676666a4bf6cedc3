package task

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/retry"
	"ace/shared/timelist"
)

// LeaseDuration is how long a lease is valid after the last write of the record, by the
// store's clock.
const LeaseDuration = 30 * time.Second

const (
	contentType = "application/json"
)

// writes returns the policy for a write whose outcome is unknown, such as one whose
// response was lost.
func writes(retryable func(error) bool) retry.Policy {
	return retry.Policy{Backoff: retry.Backoff{First: 100 * time.Millisecond}, Tries: 4, Retryable: retryable}
}

// Registry stores the task records. Its only state, in indexed, ended and held, saves
// calls of the store. It is safe for concurrent use.
type Registry struct {
	store archive.Store
	clock func() time.Time
	lease time.Duration
	// onPublished is called for every task that completed with a document. It may be nil.
	onPublished func(context.Context, Record) error
	// onEnded is called for every task that has ended. It may be nil.
	onEnded  func(context.Context, Record) error
	observer Observer
	indexed  *indexedTasks
	held     *heldLeases
	ended    *timelist.Cache[*Record] // records of tasks that have ended, by the version of their entries
}

// Observer is notified of the tasks that this process creates and ends, for metrics. Its
// methods must return at once, and must be safe for concurrent use. A notification is
// lost if the process dies, and is never repeated.
type Observer interface {
	TaskCreated(rec Record)
	TaskEnded(rec Record) // rec is the record as it was stored
}

// ignorant is the Observer of a registry for which Observe was not called. It does
// nothing.
type ignorant struct{}

func (ignorant) TaskCreated(Record) {}
func (ignorant) TaskEnded(Record)   {}

// NewRegistry returns the registry of the tasks in store. clock returns the times that
// are written to records. Leases do not depend on it.
func NewRegistry(store archive.Store, clock func() time.Time) *Registry {
	return &Registry{store: store, clock: clock, lease: LeaseDuration, observer: ignorant{}, indexed: &indexedTasks{}, held: &heldLeases{},
		ended: timelist.NewCache[*Record](maxCached)}
}

// OnPublished sets the function fn that is called for every task that completed with a
// document, before the task's open marker is deleted. Clear or a later Acquire repeats
// the call until fn succeeds, even if the process dies in between. OnPublished must be
// called before the registry is used.
func (r *Registry) OnPublished(fn func(context.Context, Record) error) { r.onPublished = fn }

// OnEnded sets the function fn that is called for every task that has ended, however it
// ended, before the task's open marker is deleted. Clear or a later Acquire repeats the
// call until fn succeeds, even if the process dies in between. OnEnded must be called
// before the registry is used.
func (r *Registry) OnEnded(fn func(context.Context, Record) error) { r.onEnded = fn }

// Observe sets the observer. It must be called before the registry is used.
func (r *Registry) Observe(o Observer) { r.observer = o }

// WithLease returns a registry of the same tasks with another lease duration. All
// processes that use one store must use the same duration.
func (r *Registry) WithLease(d time.Duration) *Registry {
	other := *r
	other.lease = d
	return &other
}

// Get reads a task. The error is Invalid if id is not a task id, NotFound if there is no
// such task.
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
	info, err := r.readRecord(ctx, id, &v.Record)
	if errors.Is(err, archive.ErrNotFound) {
		return version{}, fault.Wrap(err, fault.NotFound, "task %s does not exist", id)
	}
	if err != nil {
		return version{}, err
	}
	v.info = info
	return v, nil
}

// readRecord reads the record of a task. It checks the format before it decodes the other
// members, whose types may differ in a newer format.
func (r *Registry) readRecord(ctx context.Context, id string, into *Record) (archive.Info, error) {
	var raw json.RawMessage
	info, err := r.readJSON(ctx, archive.TaskKey(id), &raw)
	if err != nil {
		return info, err
	}
	var stored struct {
		Format int `json:"format"`
	}
	if json.Unmarshal(raw, &stored) == nil {
		if err := (Record{Format: stored.Format}).checkFormat(id); err != nil {
			return info, err
		}
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return info, fault.Wrap(err, fault.Internal, "object %s in the archive is damaged", archive.TaskKey(id))
	}
	if into.TaskID != id {
		return info, fault.New(fault.Internal, "object %s in the archive is damaged: it is the record of task %q", archive.TaskKey(id), into.TaskID)
	}
	if !slices.Contains(Statuses(), into.Status) {
		return info, fault.New(fault.Internal, "object %s in the archive is damaged: the status %q does not exist", archive.TaskKey(id), into.Status)
	}
	return info, nil
}

func (r *Registry) readJSON(ctx context.Context, key string, into any) (archive.Info, error) {
	_, info, err := archive.ReadJSON(ctx, r.store, key, into)
	return info, err
}

// swap replaces the stored version cur by next, whose Revision must be new. If another
// version than cur is stored, swap returns that version and archive.ErrPrecondition.
// After a lost response it reads back whether the write was applied, and repeats it if
// not.
func (r *Registry) swap(ctx context.Context, cur version, next Record) (version, error) {
	if !cur.Status.CanBecome(next.Status) {
		return version{}, fault.New(fault.Conflict,
			"task %s is %s and cannot become %s", cur.TaskID, cur.Status, next.Status)
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
		return cmp.Or(readErr, err) // if the version cannot be read back, the outcome is unknown: report that error
	})
	return result, err
}

// removeMarker removes the open marker of a submission that did not become a task. If
// that fails, the marker stays until an Acquire removes it.
func (r *Registry) removeMarker(ctx context.Context, id string) {
	_ = r.store.Delete(ctx, archive.OpenKey(id))
}
