// Package notify reports tasks that have ended to a receiver outside ACE, such as a
// webhook. A notification never makes a task slower or less safe.
//
// When a task has ended, Add stores an event in the outbox (the objects
// notifications/<task_id>) before the task's open marker is deleted. So no event is lost
// if the process dies: either the next process finds the open marker and calls Add again,
// or it finds the event in the outbox. An event leaves the outbox when the receiver has
// accepted it, or when it was not accepted for GiveUpAfter.
//
// An event is delivered at least once. If the process dies between the delivery and the
// removal from the outbox, the event is delivered again, with the same id and the same
// content.
//
// An event contains no values of rows (package api). The package does not know how events
// are sent: the caller passes a Sender.
package notify
