package function

import (
	"context"
	"encoding/json"
	"time"

	"ace/shared/fault"
)

// cancelEvery is how often a unit that is being done looks for a request to cancel its task.
const cancelEvery = 2 * time.Second

// DoUnit does one unit of work: payload and answer are those of package invoke. A unit that cannot be done in the
// invocation's time ends a little before it, with a reason.
func (f *Function) DoUnit(ctx context.Context, payload json.RawMessage) (json.RawMessage, error) {
	var unit struct {
		TaskID string `json:"task_id"`
	}
	if err := json.Unmarshal(payload, &unit); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "a unit of work cannot be decoded")
	}
	now := time.Now()
	end := usable(ctx, now)
	ctx, cancel := context.WithDeadlineCause(ctx, end, fault.New(fault.Unavailable,
		"a unit of work was not done within %s, the time limit of the block worker: lower batch_size or block_rows, or raise the limit",
		end.Sub(now).Round(100*time.Millisecond)))
	defer cancel()
	ctx, stop := f.untilCancelled(ctx, unit.TaskID)
	defer stop()
	return f.worker(ctx, payload)
}

// untilCancelled gives a context that ends when somebody asks for the task to be cancelled. stop waits for what looks for
// that.
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
				end(fault.New(fault.Cancelled, "cancelled on request"))
			}
		}
	}()
	return watched, func() {
		end(nil)
		<-ended
	}
}
