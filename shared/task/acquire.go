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

// ErrLeaseLost says that the task belongs to somebody else by now: whoever gets it must stop at once.
var ErrLeaseLost = fault.New(fault.Conflict, "the task's lease is lost")

// orphanAge is when an open mark without a record counts as left behind. A Create takes createTimeout at most.
const orphanAge = 10 * time.Minute

// AcquireOptions change how a lease is acquired.
type AcquireOptions struct {
	// TakeOver takes a live lease too. Only for who knows that its owner is dead: `ace serve` after it locked its
	// data directory.
	TakeOver bool
}

// Acquire takes the lease of a task for owner: of one that is QUEUED, or RUNNING without a live lease. The task is
// RUNNING on return. NotFound, or Conflict if the task has ended, is held, or was acquired by another at this moment.
// Of one that has ended it removes what is left, as Clear does.
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
		return nil, fault.New(fault.Conflict, "task %s is %s already", id, v.Status)
	}
	if r.live(v) && !o.TakeOver {
		return nil, fault.New(fault.Conflict, "task %s is being run by %s", id, v.Lease.Owner)
	}
	r.index(ctx, v.Record)
	l := &Lease{registry: r, mark: rand.Text(), acquired: time.Now()}
	next := r.acquired(v.Record, owner)
	next.Revision = l.revision()
	v, err = r.swap(ctx, v, next)
	if errors.Is(err, archive.ErrPrecondition) {
		return nil, fault.Wrap(err, fault.Conflict, "task %s was changed by another at this moment", id)
	}
	if err != nil {
		return nil, err
	}
	l.cur.Store(&v)
	return l, nil
}

// LeaseToken names the lease that the record is held under: the same in every version that its holder writes, and no
// other's. Empty if nobody holds it.
func (rec Record) LeaseToken() string {
	token, _, _ := strings.Cut(rec.Revision, ".")
	if rec.Lease == nil {
		return ""
	}
	return token
}

// CheckLease makes sure, for work that is done away from the runner, that the task is still held under the lease of this
// token and nobody asked for it to be cancelled: ErrLeaseLost, or a fault Cancelled. What is true on return may be over
// at any moment.
func (r *Registry) CheckLease(ctx context.Context, id, token string) error {
	rec, err := r.Get(ctx, id)
	if err != nil {
		return err
	}
	if token == "" || rec.Status != Running || rec.LeaseToken() != token {
		return fault.Wrap(ErrLeaseLost, fault.Conflict, "task %s is not held by the runner that asked for this work any more", id)
	}
	requested, err := r.CancelRequested(ctx, id)
	if err == nil && requested {
		err = fault.New(fault.Cancelled, cancelledOnRequest)
	}
	return err
}

// live says whether a lease holds, by the store's clock.
func (r *Registry) live(v version) bool {
	return v.Lease != nil && v.info.Now.Sub(v.info.LastModified) <= r.lease
}

func (r *Registry) acquired(rec Record, owner string) Record {
	if rec.StartedAt == nil {
		now := millis(r.clock())
		rec.StartedAt = &now
	}
	rec.Status, rec.Lease = Running, &LeaseInfo{Owner: owner}
	rec.Attempts++
	rec.Starts = 0
	return rec
}

// dropOrphan removes the mark of a submission that failed before its record was written.
func (r *Registry) dropOrphan(ctx context.Context, id string) {
	info, err := r.store.Stat(ctx, archive.OpenKey(id))
	if err == nil && info.Now.Sub(info.LastModified) > orphanAge {
		r.unmark(ctx, id)
	}
}
