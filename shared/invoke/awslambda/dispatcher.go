package awslambda

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"ace/shared/fault"
	"ace/shared/invoke"
	"ace/shared/tablediff/plan"
)

// ErrStopped is what a Dispatcher answers once it was stopped. It is not retryable here, but elsewhere: in the invocation
// that the task is handed over to.
var ErrStopped = fault.New(fault.Cancelled, "the task runner's time is nearly over: it hands the task over")

// crashes is how often a unit is sent whose function gives no answer, before that is the caller's trouble.
const crashes = 4

// Dispatcher hands the units of one task runner's invocation to the block worker until it is stopped. Then it takes no
// more, and answers so only when what is in flight has come back: whoever goes on finds the parts of all units that were
// begun, and has none done twice.
type Dispatcher struct {
	invoker  *Invoker
	stopped  <-chan struct{}
	inFlight sync.RWMutex // read by every call under way
	done     atomic.Int64
}

// Dispatch makes a dispatcher that takes units until stopped is closed.
func (i *Invoker) Dispatch(stopped <-chan struct{}) *Dispatcher {
	return &Dispatcher{invoker: i, stopped: stopped}
}

// Idle says whether no unit was done.
func (d *Dispatcher) Idle() bool { return d.done.Load() == 0 }

// Invoke has one unit done by the block worker and waits for its totals. While there is no room for another invocation it
// waits.
func (d *Dispatcher) Invoke(ctx context.Context, u plan.Unit) (plan.Totals, error) {
	totals, err := invoke.Call[plan.Unit, plan.Totals](ctx, d.send, u)
	if err == nil {
		d.done.Add(1)
	}
	return totals, err
}

// send invokes the block worker until it answers.
func (d *Dispatcher) send(ctx context.Context, payload []byte) ([]byte, error) {
	failed := 0
	for sent := 1; ; sent++ {
		reply, err := d.sendOnce(ctx, payload)
		switch {
		case errors.Is(err, errBusy):
		case errors.Is(err, errFailed):
			if failed++; failed == crashes {
				return nil, err
			}
		default:
			return reply, err
		}
		if err := wait(ctx, d.stopped, backoff().After(sent)); err != nil {
			return nil, err
		}
	}
}

func (d *Dispatcher) sendOnce(ctx context.Context, payload []byte) ([]byte, error) {
	if !d.enter() {
		d.inFlight.Lock()   // when the last one in flight has come back
		d.inFlight.Unlock() //nolint:staticcheck // only the waiting matters
		return nil, ErrStopped
	}
	defer d.inFlight.RUnlock()
	return d.invoker.call(ctx, d.invoker.blockWorker, types.InvocationTypeRequestResponse, payload)
}

// enter begins a call unless the dispatcher was stopped.
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
