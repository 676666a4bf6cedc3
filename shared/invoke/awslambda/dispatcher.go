package awslambda

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"ace/shared/fault"
	"ace/shared/invoke"
	"ace/shared/retry"
	"ace/shared/tablediff/plan"
)

// ErrStopped is the error with which a stopped Dispatcher rejects a unit. The next
// invocation of the task runner does the unit.
var ErrStopped = fault.New(fault.Cancelled, "the task runner's time is nearly over: it hands the task over")

// maxCrashes is the number of invocations without a reply (see errFailed) after which a
// unit fails.
const maxCrashes = 4

// maxUnitDelay bounds the wait for capacity that AWS asks for.
const maxUnitDelay = time.Minute

// Dispatcher sends the units of work of one invocation of the task runner to the block
// worker, until the channel stopped is closed. Then Invoke returns ErrStopped for further
// units, but not before the running units have returned. So the next invocation of the
// task runner finds the parts of these units and repeats none of them.
type Dispatcher struct {
	invoker  *Invoker
	stopped  <-chan struct{}
	inFlight sync.RWMutex // locked for reading by every running unit
	done     atomic.Int64
}

// Dispatch returns a dispatcher that accepts units until stopped is closed.
func (i *Invoker) Dispatch(stopped <-chan struct{}) *Dispatcher {
	return &Dispatcher{invoker: i, stopped: stopped}
}

// Idle reports whether no call of Invoke has succeeded yet.
func (d *Dispatcher) Idle() bool { return d.done.Load() == 0 }

// Invoke runs one unit in the block worker and returns its totals. If AWS rejects
// the invocation only for now (errBusy), Invoke waits and tries again.
func (d *Dispatcher) Invoke(ctx context.Context, u plan.Unit) (plan.Totals, error) {
	totals, err := invoke.Call[plan.Unit, plan.Totals](ctx, d.send, u)
	if err == nil {
		d.done.Add(1)
	}
	return totals, err
}

// send invokes the block worker until it replies. It returns an error after maxCrashes
// invocations without a reply, or if a repetition cannot help.
func (d *Dispatcher) send(ctx context.Context, payload []byte) ([]byte, error) {
	failed := 0
	for sent := 1; ; sent++ {
		reply, err := d.sendOnce(ctx, payload)
		switch {
		case errors.Is(err, errBusy):
		case errors.Is(err, errFailed):
			if failed++; failed == maxCrashes {
				return nil, err
			}
		default:
			return reply, err
		}
		delay := max(backoff().After(sent), min(retry.Delay(err), maxUnitDelay))
		if err := wait(ctx, d.stopped, delay); err != nil {
			return nil, err
		}
	}
}

func (d *Dispatcher) sendOnce(ctx context.Context, payload []byte) ([]byte, error) {
	if !d.enter() {
		d.inFlight.Lock()   // waits for the last running unit
		d.inFlight.Unlock() //nolint:staticcheck // only the wait matters
		return nil, ErrStopped
	}
	defer d.inFlight.RUnlock()
	return d.invoker.call(ctx, d.invoker.blockWorker, types.InvocationTypeRequestResponse, payload)
}

// enter locks inFlight for reading and returns true. The caller must unlock it when the
// unit has returned. If the dispatcher was stopped, enter returns false and holds no
// lock.
func (d *Dispatcher) enter() bool {
	d.inFlight.RLock()
	select {
	case <-d.stopped:
		d.inFlight.RUnlock()
		return false
	default:
		return true
	}
}
