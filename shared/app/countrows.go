package app

import (
	"context"

	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// CountRows returns an invoker that calls count with the number of rows that each unit of
// work has read on all nodes.
func CountRows(invoker tablediff.Invoker, count func(rows int64)) tablediff.Invoker {
	return rowCounter{invoker, count}
}

type rowCounter struct {
	invoker tablediff.Invoker
	count   func(rows int64)
}

// Invoke implements tablediff.Invoker.
func (c rowCounter) Invoke(ctx context.Context, unit plan.Unit) (plan.Totals, error) {
	totals, err := c.invoker.Invoke(ctx, unit)
	if err == nil {
		c.count(totals.RowsTotal())
	}
	return totals, err
}
