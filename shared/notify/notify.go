package notify

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

// GiveUpAfter is the age at which an event that the receiver does not accept is given up.
// It outlasts a weekend.
const GiveUpAfter = 72 * time.Hour

// Sender sends one event to the receiver. The error is Unavailable if the receiver could
// not be reached or is overloaded, so that other events would fail too. The error is a
// retry.DelayError if the receiver asks for a delay. Send must return soon after its
// context has ended, and its error must contain no secret.
type Sender interface {
	Send(ctx context.Context, event api.Event) error
}

// Options are the options of New. All fields except Waits are required.
type Options struct {
	Store  archive.Store
	Sender Sender
	Types  []string // types of the events that are sent; see package api
	Now    func() time.Time
	Log    *slog.Logger
	Waits  Waits // is set only by tests; the zero value means the defaults
}

// Notifier stores events in the outbox and sends them. It is safe for concurrent use.
type Notifier struct {
	o     Options
	wake  chan struct{} // has a value after Add has stored an event
	stats counters
}

// New returns a notifier.
func New(o Options) *Notifier {
	o.Waits = o.Waits.withDefaults()
	return &Notifier{o: o, wake: make(chan struct{}, 1)}
}

// Stats counts events since the start of the process.
type Stats struct {
	Delivered      int64 // events that the receiver accepted
	FailedAttempts int64 // failed attempts to deliver an event; each failed retry counts again
	GivenUp        int64 // events that were removed from the outbox without being accepted
	Waiting        int64 // events in the outbox, as last listed by Run; at most maxWaiting
}

type counters struct{ delivered, failedAttempts, givenUp, waiting atomic.Int64 }

// Stats returns the current counts.
func (n *Notifier) Stats() Stats {
	return Stats{
		Delivered: n.stats.delivered.Load(), FailedAttempts: n.stats.failedAttempts.Load(),
		GivenUp: n.stats.givenUp.Load(), Waiting: n.stats.waiting.Load(),
	}
}

// Add stores the event of a task that has ended in the outbox, unless events of its type
// are not sent. It stores no event for a task that has a parent, because the parent's
// event describes all tasks of the parent. The caller must repeat Add until it succeeds.
// Storing an event twice has no additional effect while it is in the outbox.
func (n *Notifier) Add(ctx context.Context, rec task.Record) error {
	if rec.Parent != "" {
		return nil
	}
	event := EventOf(rec)
	if !slices.Contains(n.o.Types, event.Type) {
		return nil
	}
	err := archive.PutJSONIfAbsent(ctx, n.o.Store, archive.NotificationKey(rec.TaskID), event)
	if err != nil && !errors.Is(err, archive.ErrPrecondition) {
		return err
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
	return nil
}

// Deliver sends the event of one task if it is in the outbox. A failure is logged and
// counted; the event then stays in the outbox for the next attempt.
func (n *Notifier) Deliver(ctx context.Context, taskID string) { _ = n.attempt(ctx, taskID) }

// Flush sends each event that has been in the outbox for at least age, once. It stops at
// the first failure that other events would share. A later call continues.
func (n *Notifier) Flush(ctx context.Context, age time.Duration) error {
	ids, err := n.list(ctx, age)
	if err != nil {
		return err
	}
	n.sendEach(ctx, ids)
	return nil
}

func (n *Notifier) sendEach(ctx context.Context, taskIDs []string) {
	for _, id := range taskIDs {
		if err := n.attempt(ctx, id); fault.Retryable(err) || ctx.Err() != nil {
			return
		}
	}
}

// list returns the tasks whose events have been in the outbox for at least age, at most
// maxWaiting.
func (n *Notifier) list(ctx context.Context, age time.Duration) ([]string, error) {
	var ids []string
	before := n.o.Now().Add(-age)
	err := n.o.Store.List(ctx, archive.NotificationsPrefix, "", func(info archive.Info) bool {
		id := strings.TrimPrefix(info.Key, archive.NotificationsPrefix)
		if api.IsTaskID(id) && (age == 0 || !info.LastModified.After(before)) {
			ids = append(ids, id)
		}
		return len(ids) < maxWaiting
	})
	return ids, err
}

// attempt sends the event of one task, and removes it from the outbox if it was accepted
// or is given up. It returns nil if the event needs no further attempt.
func (n *Notifier) attempt(ctx context.Context, taskID string) error {
	log := n.o.Log.With("task_id", taskID)
	var event api.Event
	_, _, err := archive.ReadJSON(ctx, n.o.Store, archive.NotificationKey(taskID), &event)
	switch {
	case errors.Is(err, archive.ErrNotFound): // another process has delivered the event
		return nil
	case fault.CodeOf(err) == fault.Internal: // the object is not an event
		log.ErrorContext(ctx, "notification given up", "error", err)
		n.stats.givenUp.Add(1)
		return n.remove(ctx, log, taskID)
	case err != nil:
		log.WarnContext(ctx, "notification not read; it will be read again", "error", err)
		return err
	}

	sending, cancel := context.WithTimeout(ctx, n.o.Waits.Send)
	err = n.o.Sender.Send(sending, event)
	cancel()
	log = log.With("event", event.Type)
	if err == nil {
		n.stats.delivered.Add(1)
		log.InfoContext(ctx, "notification delivered")
		return n.remove(ctx, log, taskID)
	}

	n.stats.failedAttempts.Add(1)
	if n.o.Now().Sub(event.Time.Time) > GiveUpAfter && ctx.Err() == nil {
		n.stats.givenUp.Add(1)
		log.ErrorContext(ctx, "notification given up", "error", err, "after", GiveUpAfter)
		return n.remove(ctx, log, taskID)
	}
	log.WarnContext(ctx, "notification not delivered; it will be sent again", "error", err)
	return err
}

// remove removes an event from the outbox. If that fails, the event will be sent again.
func (n *Notifier) remove(ctx context.Context, log *slog.Logger, taskID string) error {
	err := n.o.Store.Delete(ctx, archive.NotificationKey(taskID))
	if err != nil {
		log.WarnContext(ctx, "notification not removed; it will be sent again", "error", err)
	}
	return err
}
