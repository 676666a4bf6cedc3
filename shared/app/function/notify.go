package function

import (
	"context"
	"time"

	"ace/shared/notify"
	"ace/shared/notify/eventbridge"
)

// deliverTime bounds the time in which a task runner sends the event of its task. It is
// less than longestReserve, the time that workDeadline reserves at the end of an
// invocation.
const deliverTime = 5 * time.Second

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

// deliverLeft sends the events that no task runner has sent: those of a task runner that
// died, of tasks that were cancelled while they were queued, and those that the bus has
// not accepted. It leaves out the events of the last moments, which a task runner may be
// about to send.
func (f *Function) deliverLeft(ctx context.Context) {
	if f.Notifier() == nil {
		return
	}
	if err := f.Notifier().Flush(ctx, f.config.Lease); err != nil {
		f.log.WarnContext(ctx, "notifications cannot be listed; the next sweep lists them", "error", err)
	}
}
