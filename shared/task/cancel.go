package task

import (
	"context"
	"crypto/rand"
	"errors"

	"ace/shared/archive"
	"ace/shared/fault"
)

// CancelledOnRequest is the error message of a cancelled task, unless its handler
// returned a message with more details.
const CancelledOnRequest = "cancelled on request"

// RequestCancel requests the cancellation of a task and returns its record. A QUEUED task
// is CANCELLED on return; a RUNNING task ends after its runner has read the request. The
// error is NotFound, or Conflict if the task has ended.
func (r *Registry) RequestCancel(ctx context.Context, id string) (Record, error) {
	v, err := r.read(ctx, id)
	if err != nil {
		return Record{}, err
	}
	if v.Status.Terminal() {
		return Record{}, cannotCancel(v)
	}

	// Durable: the request. The task's runner stops when it reads the request.
	_, err = r.store.PutIfAbsent(ctx, archive.CancelKey(id), contentType, []byte("{}"))
	if err != nil && !errors.Is(err, archive.ErrPrecondition) {
		return Record{}, err
	}

	// The task may have ended since it was read. If its working objects were deleted before
	// the request was stored, nothing would delete the request. So read the task again: if
	// it has ended, the call of clear below deletes the request.
	if v, err = r.read(ctx, id); err != nil {
		return Record{}, err
	}

	// A QUEUED task has no runner, so it ends here.
	for v.Status == Queued {
		if err := r.ensureIndexed(ctx, v.Record); err != nil {
			return Record{}, err
		}
		v, err = r.swap(ctx, v, r.cancelRecord(v.Record))
		if err == nil {
			r.observer.TaskEnded(v.Record)
			_ = r.clear(ctx, v.Record) // after a failure the next Acquire clears it
			return v.Record, nil
		}
		if !errors.Is(err, archive.ErrPrecondition) {
			return Record{}, err
		}
	}
	if v.Status.Terminal() {
		_ = r.clear(ctx, v.Record)
		return Record{}, cannotCancel(v)
	}
	return v.Record, nil
}

func (r *Registry) cancelRecord(rec Record) Record {
	now := millis(r.clock())
	rec.Status = Cancelled
	rec.FinishedAt = &now
	rec.Error = CancelledOnRequest
	rec.ErrorCode = string(fault.Cancelled)
	rec.Revision = rand.Text()
	return rec
}

func cannotCancel(v version) error {
	return fault.New(fault.Conflict, "task %s is already %s; only a QUEUED or RUNNING task can be cancelled",
		v.TaskID, v.Status)
}

// checkParent returns a fault Cancelled if the task with the id parent has ended or does
// not exist, or if its cancellation was requested. It ignores a failure of the store,
// because the next call checks again.
func (r *Registry) checkParent(ctx context.Context, parent string) error {
	rec, err := r.Get(ctx, parent)
	if fault.CodeOf(err) == fault.NotFound || err == nil && rec.Status.Terminal() {
		return fault.New(fault.Cancelled, "cancelled because its parent, task %s, has ended", parent)
	}
	if requested, err := r.CancelRequested(ctx, parent); err == nil && requested {
		return fault.New(fault.Cancelled, "cancelled with its parent, task %s", parent)
	}
	return nil
}

// CancelRequested reports whether the cancellation of the task was requested.
func (r *Registry) CancelRequested(ctx context.Context, id string) (bool, error) {
	if err := CheckID(id); err != nil {
		return false, err
	}
	_, err := r.store.Stat(ctx, archive.CancelKey(id))
	if errors.Is(err, archive.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
