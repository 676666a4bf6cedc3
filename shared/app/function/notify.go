package function

import (
	"context"
	"time"

	"ace/shared/notify"
	"ace/shared/notify/eventbridge"
)

const (
	// deliverTime bounds the time in which a task runner sends the event of its task. It
	// is less than what workDeadline reserves.
	deliverTime = 5 * time.Second
	// leftAfter is the age of an event in the outbox at which the sweep sends it. Until
	// then the task runner may be about to send it.
	leftAfter = 30 * time.Second
)

// eventBus returns the sender to an event bus of EventBridge, or nil if name is empty.
func eventBus(ctx context.Context, name string) (notify.Sender, error) {
	if name == "" {
		return nil, nil
	}
	return eventbridge.Connect(ctx, name)
}

// deliver sends the event of a task, if the task has ended. If that fails, the sweep
// sends the event.
func (f *Function) deliver(ctx context.Context, taskID string) {
	if f.Notifier() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTime)
	defer cancel()
	f.Notifier().Deliver(ctx, taskID)
}

// deliverLeft sends the events that have been in the outbox for a while: those of a task
// runner that died, of cancelled tasks, and those that the bus has not accepted.
func (f *Function) deliverLeft(ctx context.Context) {
	if f.Notifier() == nil {
		return
	}
	if err := f.Notifier().Flush(ctx, leftAfter); err != nil {
		f.log.WarnContext(ctx, "notifications cannot be listed; the next sweep lists them", "error", err)
	}
}
