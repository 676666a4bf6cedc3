package invoke

import (
	"context"

	"ace/shared/tablediff"
)

// InProcess has units done by a handler in this process.
type InProcess struct{ worker Handler }

// NewInProcess makes an invoker of a worker's handler.
func NewInProcess(worker Handler) *InProcess { return &InProcess{worker: worker} }

// Invoke has one unit done.
func (p *InProcess) Invoke(ctx context.Context, u tablediff.Unit) (tablediff.Totals, error) {
	return Call[tablediff.Unit, tablediff.Totals](ctx, p.worker, u)
}
