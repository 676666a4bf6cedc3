package tablerepair

import (
	"sync"

	"ace/shared/task"
)

// progress adds up what was done and reports it. A block is a part of keys on one target.
type progress struct {
	mu     sync.Mutex
	state  task.Progress
	report func(task.Progress)
}

func (p *progress) change(change func(*task.Progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.state)
	p.report(p.state)
}

func (p *progress) phase(name string) {
	p.change(func(s *task.Progress) { s.Phase = name })
}

func (p *progress) planned(plan *Plan) {
	p.change(func(s *task.Progress) {
		s.BlocksTotal, s.RowsTotalEstimate = len(plan.Targets)*max(1, plan.KeyParts), int64(len(plan.Targets))*plan.Keys
	})
}

func (p *progress) done(plan *Plan, t Totals) {
	p.change(func(s *task.Progress) {
		s.BlocksDone += max(1, plan.KeyParts)
		s.RowsCompared += t.changes() + t.Unchanged + t.Skipped
		s.MismatchedRows += t.changes() + t.Skipped
	})
}
