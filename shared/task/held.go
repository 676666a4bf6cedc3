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

// Held is the lease of one runner, and its only way to change the record. Its methods may be called concurrently.
// A write fails with ErrLeaseLost once the record was changed by anybody else; then nothing was written. After any
// other error it may be repeated: an earlier write whose answer was lost is recognised.
type Held struct {
	registry *Registry
	acquired time.Time
	mark     string // opens every revision this Held writes
	mu       sync.Mutex
	writes   int
	over     bool // released, finished or lost
	cur      atomic.Pointer[version]
}

// Record gives the record as this runner last wrote it.
func (h *Held) Record() Record { return h.cur.Load().Record }

// Renew keeps the lease for another LeaseDuration and stores the progress.
func (h *Held) Renew(ctx context.Context, p Progress) error {
	return h.write(ctx, func(rec *Record) {
		rec.Lease = &Lease{Owner: rec.Lease.Owner, Renewals: rec.Lease.Renewals + 1}
		rec.Progress = &p
	})
}

// Release gives the lease back and leaves the task RUNNING, so that the next runner may go on at once.
func (h *Held) Release(ctx context.Context) error {
	return h.write(ctx, func(rec *Record) {
		rec.Lease = nil
		rec.Attempts-- // handed over, it has not failed
	})
}

// Forfeit gives the lease back like Release, but the attempt counts: it has brought the task no further.
func (h *Held) Forfeit(ctx context.Context) error {
	return h.write(ctx, func(rec *Record) { rec.Lease = nil })
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
func (h *Held) Finish(ctx context.Context, o Outcome) (Record, error) {
	if err := o.check(); err != nil {
		return Record{}, err
	}
	err := h.write(ctx, func(rec *Record) {
		rec.Status, rec.Result, rec.Document, rec.Report = o.Status, o.Result, o.Document, o.Report
		rec.Lease, rec.FinishedAt = nil, h.registry.finishedAt(rec)
		if o.Error != nil {
			rec.Error, rec.ErrorCode = fault.PublicMessage(o.Error), string(fault.CodeOf(o.Error))
		}
	})
	if err != nil {
		return Record{}, err
	}
	return h.Record(), nil
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
func (h *Held) write(ctx context.Context, change func(*Record)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.over {
		cur := *h.cur.Load()
		next := cur.Record
		change(&next)
		next.Revision = h.revision()
		stored, err := h.registry.swap(ctx, cur, next)
		if err == nil {
			h.adopt(stored)
			return nil
		}
		switch lost := errors.Is(err, archive.ErrPrecondition); {
		case lost && h.wrote(stored.Record):
			h.adopt(stored)
			if sameEnd(stored.Record, next) {
				return nil
			}
		case lost, fault.CodeOf(err) == fault.NotFound:
			h.over = true
		default:
			return err
		}
	}
	return fault.Wrap(ErrLeaseLost, fault.Conflict, "task %s is not held by this runner any more", h.Record().TaskID)
}

// adopt makes a version this Held wrote the one the next write starts from. One without a lease is the last.
func (h *Held) adopt(v version) {
	h.cur.Store(&v)
	h.over = v.Lease == nil
}

// sameEnd says whether a stored record is the release or the end that next wants to be.
func sameEnd(stored, next Record) bool {
	return stored.Lease == nil && next.Lease == nil && stored.Status == next.Status
}

// wrote says whether a stored version is one of this Held whose answer was lost.
func (h *Held) wrote(rec Record) bool { return strings.HasPrefix(rec.Revision, h.mark+".") }

func (h *Held) revision() string {
	h.writes++
	return fmt.Sprintf("%s.%d", h.mark, h.writes)
}
