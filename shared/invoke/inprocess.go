package invoke

import (
	"context"

	"ace/shared/tablediff/plan"
)

// InProcess has units done by a handler in this process.
type InProcess struct{ worker Handler }

// NewInProcess makes an invoker of a worker's handler.
func NewInProcess(worker Handler) *InProcess { return &InProcess{worker: worker} }

// Invoke has one unit done.
func (p *InProcess) Invoke(ctx context.Context, u plan.Unit) (plan.Totals, error) {
	return Call[plan.Unit, plan.Totals](ctx, p.worker, u)
}
