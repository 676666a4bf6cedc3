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

// Lease is a runner's lease of a task. The runner can change the record only through it.
// It is safe for concurrent use. A write fails with ErrLeaseLost if any other process has
// changed the record; then nothing was written. After any other error the write may be
// repeated: the lease recognizes an earlier write whose response was lost.
type Lease struct {
	registry   *Registry
	acquiredAt time.Time
	first      bool   // the task was QUEUED until this lease was acquired
	token      string // prefix of the Revision of every version that this lease writes
	mu         sync.Mutex
	writes     int
	closed     bool // the lease was released, finished or lost
	cur        atomic.Pointer[version]
	// confirmed is when the last write began that is known to have succeeded. uncertain is
	// set while another write is under way, and after one whose outcome is not known.
	confirmed atomic.Pointer[time.Time]
	uncertain atomic.Bool
}

// Record returns the version of the record that this lease wrote last.
func (l *Lease) Record() Record { return l.cur.Load().Record }

// Renew stores the progress. This write also renews the lease, which now expires a lease
// duration after this write.
func (l *Lease) Renew(ctx context.Context, p Progress) error {
	return l.write(ctx, func(rec *Record) {
		rec.Lease = &LeaseInfo{Owner: rec.Lease.Owner, Renewals: rec.Lease.Renewals + 1}
		rec.Progress = &p
	})
}

// Release ends the lease and leaves the task RUNNING, so that the next runner can
// continue at once.
func (l *Lease) Release(ctx context.Context) error {
	return l.write(ctx, func(rec *Record) {
		rec.Lease = nil
		rec.Attempts-- // a handover is not a failed attempt
	})
}

// Forfeit ends the lease like Release, but Attempts counts the attempt. It is for
// attempts that made no progress.
func (l *Lease) Forfeit(ctx context.Context) error {
	return l.write(ctx, func(rec *Record) { rec.Lease = nil })
}

// Outcome is how a task ended.
type Outcome struct {
	Status   Status // Completed, Failed or Cancelled
	Result   json.RawMessage
	Document *Document
	Report   *Document
	Scripts  map[string]Document
	Error    error // why the task did not complete; the record gets its code and public message
}

func (o Outcome) check() error {
	if !o.Status.Terminal() {
		return fmt.Errorf("task: %q is no status in which a task ends", o.Status)
	}
	if (o.Status == Completed) != (o.Error == nil) {
		return fmt.Errorf("task: outcome %s: an error must be set unless the status is %s", o.Status, Completed)
	}
	return nil
}

// Finish ends the task. One compare-and-swap makes the outcome and the document visible.
// The caller must call Clear next.
func (l *Lease) Finish(ctx context.Context, o Outcome) (Record, error) {
	if err := o.check(); err != nil {
		return Record{}, err
	}
	err := l.write(ctx, func(rec *Record) {
		rec.Status = o.Status
		rec.Result = o.Result
		rec.Document = o.Document
		rec.Report = o.Report
		rec.Scripts = o.Scripts
		rec.Lease = nil
		rec.FinishedAt = l.registry.finishedAt(rec)
		if o.Error != nil {
			rec.Error, rec.ErrorCode = fault.PublicMessage(o.Error), string(fault.CodeOf(o.Error))
		}
	})
	if err != nil {
		return Record{}, err
	}
	l.registry.observer.TaskEnded(l.Record())
	return l.Record(), nil
}

// finishedAt returns the current time, or the task's start time if that is later: the
// start time may come from another host, whose clock is ahead.
func (r *Registry) finishedAt(rec *Record) *time.Time {
	now := millis(r.clock())
	if now.Before(*rec.StartedAt) {
		now = *rec.StartedAt
	}
	return &now
}

// write replaces the record by a changed copy.
func (l *Lease) write(ctx context.Context, change func(*Record)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed {
		cur := *l.cur.Load()
		next := cur.Record
		change(&next)
		next.Revision = l.revision()
		began := time.Now()
		l.uncertain.Store(true)
		stored, err := l.registry.swap(ctx, cur, next)
		if err == nil {
			l.setCurrent(stored)
			l.confirmed.Store(&began)
			l.uncertain.Store(false)
			return nil
		}

		switch lost := errors.Is(err, archive.ErrPrecondition); {
		case lost && l.isOwn(stored.Record):
			l.setCurrent(stored)
			if sameEnd(stored.Record, next) {
				return nil
			}
		case lost, fault.CodeOf(err) == fault.NotFound:
			l.close()
		default:
			return err
		}
	}
	return fault.Wrap(ErrLeaseLost, fault.Conflict, "task %s is no longer held by this runner", l.Record().TaskID)
}

// setCurrent sets the version that the next write replaces. The lease has written v
// itself. A version without a lease is the last version that this lease writes.
func (l *Lease) setCurrent(v version) {
	l.cur.Store(&v)
	if v.Lease == nil {
		l.close()
	}
}

func (l *Lease) close() {
	l.closed = true
	l.registry.held.remove(l.Record().TaskID, l)
}

// sameEnd reports whether neither record has a lease and both have the same status. Then
// the stored record already has the release or the end that next was to write.
func sameEnd(stored, next Record) bool {
	return stored.Lease == nil && next.Lease == nil && stored.Status == next.Status
}

// isOwn reports whether this lease wrote a stored version. If so, the response to that
// write was lost.
func (l *Lease) isOwn(rec Record) bool { return strings.HasPrefix(rec.Revision, l.token+".") }

func (l *Lease) revision() string {
	l.writes++
	return fmt.Sprintf("%s.%d", l.token, l.writes)
}
