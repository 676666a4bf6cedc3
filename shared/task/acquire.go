package task

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

// ErrLeaseLost means that another runner may hold the task's lease by now. The runner
// must stop its work at once.
var ErrLeaseLost = fault.New(fault.Conflict, "the task's lease is lost")

// orphanAge is the age at which an open marker without a task record counts as abandoned.
// It must be greater than createTimeout, which bounds a Create.
const orphanAge = 10 * time.Minute

// AcquireOptions are the options of Acquire.
type AcquireOptions struct {
	// TakeOver means that a lease is acquired although it is still live. The caller must
	// know that its owner is dead, as `ace serve` does after it has locked its data
	// directory.
	TakeOver bool
}

// Acquire acquires the lease of a task for owner. The task must be QUEUED, or RUNNING
// without a live lease; it is RUNNING on return. The error is NotFound, or Conflict if
// the task has ended, has a live lease, or was acquired by another runner at the same
// time. If the task has ended, Acquire completes its cleanup, as Clear does.
func (r *Registry) Acquire(ctx context.Context, id, owner string, o AcquireOptions) (*Lease, error) {
	v, err := r.read(ctx, id)
	if fault.CodeOf(err) == fault.NotFound {
		r.dropOrphan(ctx, id)
	}
	if err != nil {
		return nil, err
	}

	if v.Status.Terminal() {
		if err := r.clear(ctx, v.Record); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.Conflict, "task %s is already %s", id, v.Status)
	}

	if r.isLive(v) && !o.TakeOver {
		return nil, fault.New(fault.Conflict, "task %s is being run by %s", id, v.Lease.Owner)
	}

	// Create may have failed to add the task to the index.
	if err := r.ensureIndexed(ctx, v.Record); err != nil {
		return nil, err
	}

	// Durable: the lease. From here on other runners are refused.
	l := &Lease{registry: r, first: v.Status == Queued, token: rand.Text(), acquiredAt: time.Now()}
	next := r.acquireRecord(v.Record, owner)
	next.Revision = l.revision()
	v, err = r.swap(ctx, v, next)
	if errors.Is(err, archive.ErrPrecondition) {
		return nil, fault.Wrap(err, fault.Conflict, "task %s was changed by another process at the same moment", id)
	}
	if err != nil {
		return nil, err
	}
	l.cur.Store(&v)
	l.confirmed.Store(&l.acquiredAt)
	r.held.add(id, l)
	return l, nil
}

// LeaseToken returns a text that identifies the lease that the record names. All versions
// of the record that are written under one lease have the same token, and no other
// version has it. The token is empty if the task has no lease.
func (rec Record) LeaseToken() string {
	token, _, _ := strings.Cut(rec.Revision, ".")
	if rec.Lease == nil {
		return ""
	}
	return token
}

// CheckLease checks, for work outside the runner's process, that the task's lease is
// still the one with this token and that no cancellation was requested. The error is
// ErrLeaseLost, or a fault Cancelled. The answer may be outdated as soon as it is
// returned.
func (r *Registry) CheckLease(ctx context.Context, id, token string) error {
	rec, err := r.Get(ctx, id)
	if err != nil {
		return err
	}
	if token == "" || rec.Status != Running || rec.LeaseToken() != token {
		return fault.Wrap(ErrLeaseLost, fault.Conflict,
			"task %s is no longer held by the runner that requested this work", id)
	}
	requested, err := r.CancelRequested(ctx, id)
	if err == nil && requested {
		err = fault.New(fault.Cancelled, CancelledOnRequest)
	}
	return err
}

// isLive reports whether the lease in a version of the record is valid, by the store's
// clock.
func (r *Registry) isLive(v version) bool {
	return v.Lease != nil && v.info.Now.Sub(v.info.LastModified) <= r.lease
}

func (r *Registry) acquireRecord(rec Record, owner string) Record {
	if rec.StartedAt == nil {
		now := millis(r.clock())
		rec.StartedAt = &now
	}
	rec.Status = Running
	rec.Lease = &LeaseInfo{Owner: owner}
	rec.Attempts++
	rec.Starts = 0
	return rec
}

// dropOrphan removes the open marker of a task that has no record, if the marker is older
// than orphanAge. The age of the marker shows that the submission failed before it wrote
// the record.
func (r *Registry) dropOrphan(ctx context.Context, id string) {
	info, err := r.store.Stat(ctx, archive.OpenKey(id))
	if err == nil && info.Now.Sub(info.LastModified) > orphanAge {
		r.removeMarker(ctx, id)
	}
}
