package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

// Lease is the lease of one runner, and its only way to change the record. Its methods may be called concurrently.
// A write fails with ErrLeaseLost once the record was changed by anybody else; then nothing was written. After any
// other error it may be repeated: an earlier write whose answer was lost is recognised.
type Lease struct {
	registry *Registry
	acquired time.Time
	mark     string // opens every revision this Lease writes
	mu       sync.Mutex
	writes   int
	closed   bool // released, finished or lost
	cur      atomic.Pointer[version]
}

// Record gives the record as this runner last wrote it.
func (l *Lease) Record() Record { return l.cur.Load().Record }

// Renew keeps the lease for another LeaseDuration and stores the progress.
func (l *Lease) Renew(ctx context.Context, p Progress) error {
	return l.write(ctx, func(rec *Record) {
		rec.Lease = &LeaseInfo{Owner: rec.Lease.Owner, Renewals: rec.Lease.Renewals + 1}
		rec.Progress = &p
	})
}

// Release gives the lease back and leaves the task RUNNING, so that the next runner may go on at once.
func (l *Lease) Release(ctx context.Context) error {
	return l.write(ctx, func(rec *Record) {
		rec.Lease = nil
		rec.Attempts-- // handed over, it has not failed
	})
}

// Forfeit gives the lease back like Release, but the attempt counts: it has brought the task no further.
func (l *Lease) Forfeit(ctx context.Context) error {
	return l.write(ctx, func(rec *Record) { rec.Lease = nil })
}

// Outcome is how a task ended.
type Outcome struct {
	Status   Status // Completed, Failed or Cancelled
	Result   json.RawMessage
	Document *Document
	Report   *Document
	Error    error // why it did not complete; the record gets its code and its public message
}

func (o Outcome) check() error {
	if !o.Status.Terminal() {
		return fmt.Errorf("task: no task ends as %q", o.Status)
	}
	if (o.Status == Completed) != (o.Error == nil) {
		return fmt.Errorf("task: a task that ends as %s has an error unless it is %s", o.Status, Completed)
	}
	return nil
}

// Finish ends the task: the swap makes the outcome and the document visible together. Clear comes next.
func (l *Lease) Finish(ctx context.Context, o Outcome) (Record, error) {
	if err := o.check(); err != nil {
		return Record{}, err
	}
	err := l.write(ctx, func(rec *Record) {
		rec.Status, rec.Result, rec.Document, rec.Report = o.Status, o.Result, o.Document, o.Report
		rec.Lease, rec.FinishedAt = nil, l.registry.finishedAt(rec)
		if o.Error != nil {
			rec.Error, rec.ErrorCode = fault.PublicMessage(o.Error), string(fault.CodeOf(o.Error))
		}
	})
	if err != nil {
		return Record{}, err
	}
	return l.Record(), nil
}

// finishedAt is now, but not before the start: another host's clock may have stamped that.
func (r *Registry) finishedAt(rec *Record) *time.Time {
	now := millis(r.clock())
	if now.Before(*rec.StartedAt) {
		now = *rec.StartedAt
	}
	return &now
}

// write swaps the record for a changed copy.
func (l *Lease) write(ctx context.Context, change func(*Record)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed {
		cur := *l.cur.Load()
		next := cur.Record
		change(&next)
		next.Revision = l.revision()
		stored, err := l.registry.swap(ctx, cur, next)
		if err == nil {
			l.setCurrent(stored)
			return nil
		}
		switch lost := errors.Is(err, archive.ErrPrecondition); {
		case lost && l.wrote(stored.Record):
			l.setCurrent(stored)
			if sameEnd(stored.Record, next) {
				return nil
			}
		case lost, fault.CodeOf(err) == fault.NotFound:
			l.closed = true
		default:
			return err
		}
	}
	return fault.Wrap(ErrLeaseLost, fault.Conflict, "task %s is not held by this runner any more", l.Record().TaskID)
}

// setCurrent makes a version this Lease wrote the one the next write starts from. One without a lease is the last.
func (l *Lease) setCurrent(v version) {
	l.cur.Store(&v)
	l.closed = v.Lease == nil
}

// sameEnd says whether a stored record is the release or the end that next wants to be.
func sameEnd(stored, next Record) bool {
	return stored.Lease == nil && next.Lease == nil && stored.Status == next.Status
}

// wrote says whether a stored version is one of this Lease whose answer was lost.
func (l *Lease) wrote(rec Record) bool { return strings.HasPrefix(rec.Revision, l.mark+".") }

func (l *Lease) revision() string {
	l.writes++
	return fmt.Sprintf("%s.%d", l.mark, l.writes)
}
