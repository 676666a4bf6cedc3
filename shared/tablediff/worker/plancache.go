package worker

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/singleflight"

	"ace/shared/archive"
	"ace/shared/tablediff/plan"
)

const cachedPlans = 4

// planCache holds the plans that were read last. If several units need a plan at once, it
// is read only once. No unit waits for the plan of another task.
type planCache struct {
	reads singleflight.Group
	mu    sync.Mutex
	plans []*plan.Plan
}

func (c *planCache) get(ctx context.Context, store archive.Store, taskID string) (*plan.Plan, error) {
	for {
		if p := c.find(taskID); p != nil {
			return p, nil
		}

		read, err, _ := c.reads.Do(taskID, func() (any, error) {
			p, err := plan.Load(ctx, store, taskID)
			if err != nil {
				return ctx.Err(), err
			}

			c.keep(p)
			return p, nil
		})

		if p, ok := read.(*plan.Plan); ok {
			return p, nil
		}
		if read == nil || ctx.Err() != nil {
			return nil, err
		}
		// The read failed because the context of another unit ended, so read again.
	}
}

func (c *planCache) find(taskID string) *plan.Plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.plans, func(p *plan.Plan) bool { return p.TaskID == taskID }); i >= 0 {
		return c.plans[i]
	}
	return nil
}

// forget removes the plan of a task.
func (c *planCache) forget(taskID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plans = slices.DeleteFunc(c.plans, func(p *plan.Plan) bool { return p.TaskID == taskID })
}

func (c *planCache) keep(p *plan.Plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plans = append(c.plans, p)
	if len(c.plans) > cachedPlans {
		c.plans = c.plans[1:]
	}
}
