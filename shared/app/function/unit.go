package function

import (
	"context"
	"encoding/json"
	"time"

	"ace/shared/fault"
	"ace/shared/task"
)

// cancelEvery is how often a running unit checks whether the cancellation of its task was
// requested.
const cancelEvery = 2 * time.Second

// DoUnit does one unit of work. The payload and the reply have the format of package
// invoke. A unit that takes too long fails shortly before the end of the invocation, so
// that its error is reported.
func (f *Function) DoUnit(ctx context.Context, payload json.RawMessage) (json.RawMessage, error) {
	var unit struct {
		TaskID string `json:"task_id"`
	}
	if err := json.Unmarshal(payload, &unit); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "a unit of work cannot be decoded")
	}

	now := time.Now()
	end := workDeadline(ctx, now)
	ctx, cancel := context.WithDeadlineCause(ctx, end, fault.New(fault.Unavailable,
		"a unit of work was not done within %s, the time limit of the block worker: lower batch_size or block_rows, or raise the limit",
		end.Sub(now).Round(100*time.Millisecond)))
	defer cancel()

	ctx, stop := f.untilCancelled(ctx, unit.TaskID)
	defer stop()
	return f.worker(ctx, payload)
}

// untilCancelled returns a context that ends when the cancellation of the task is
// requested. The caller must call stop, which ends the goroutine that checks for the
// request.
func (f *Function) untilCancelled(ctx context.Context, taskID string) (watched context.Context, stop func()) {
	watched, end := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(cancelEvery)
		defer tick.Stop()
		for {
			select {
			case <-watched.Done():
				return
			case <-tick.C:
			}
			if requested, err := f.Tasks().CancelRequested(watched, taskID); err == nil && requested {
				end(fault.New(fault.Cancelled, task.CancelledOnRequest))
			}
		}
	}()
	return watched, func() {
		end(nil)
		<-ended
	}
}
