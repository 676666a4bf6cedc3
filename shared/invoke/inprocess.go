package invoke

import (
	"context"

	"ace/shared/tablediff/plan"
)

// InProcess invokes a handler in this process.
type InProcess struct{ worker Handler }

// NewInProcess returns an invoker that calls the handler of a worker.
func NewInProcess(worker Handler) *InProcess { return &InProcess{worker: worker} }

// Invoke runs one unit of work and returns its totals.
func (p *InProcess) Invoke(ctx context.Context, u plan.Unit) (plan.Totals, error) {
	return Call[plan.Unit, plan.Totals](ctx, p.worker, u)
}
