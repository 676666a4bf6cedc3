package tablediff

import (
	"sync"
	"time"

	"ace/shared/tablediff/plan"
	"ace/shared/task"
)

// progress adds up the progress of all units and reports it.
type progress struct {
	mu     sync.Mutex
	state  task.Progress
	report func(task.Progress)
}

func newProgress(report func(task.Progress)) *progress { return &progress{report: report} }

func (p *progress) update(change func(*task.Progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.state)
	p.report(p.state)
}

func (p *progress) setPhase(name string) {
	p.update(func(s *task.Progress) { s.Phase = name })
}

func (p *progress) setTotals(of *plan.Plan) {
	p.update(func(s *task.Progress) {
		s.BlocksTotal = of.Layout.Blocks()
		s.RowsTotalEstimate = of.RowsTotalEstimate
	})
}

func (p *progress) setKeyTotals(list keyList, nodes int) {
	p.update(func(s *task.Progress) {
		s.BlocksTotal = list.Blocks
		s.RowsTotalEstimate = list.Keys * int64(nodes)
	})
}

func (p *progress) addScanned(t plan.Totals, blocksDone int) {
	p.update(func(s *task.Progress) {
		s.BlocksDone = max(s.BlocksDone, blocksDone)
		s.RowsCompared += t.RowsTotal()
	})
}

func (p *progress) addCompared(t plan.Totals, blocks int) {
	p.update(func(s *task.Progress) {
		s.BlocksDone += blocks
		s.RowsCompared += t.RowsTotal()
	})
}

func (p *progress) addMismatched(rows int64) {
	p.update(func(s *task.Progress) { s.MismatchedRows += rows })
}

// counter counts the finished units of a phase.
type counter struct {
	mu       sync.Mutex
	finished int
	total    int
	done     func(t plan.Totals, done, total int)
}

func (c *counter) add(t plan.Totals) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finished++
	c.done(t, c.finished, c.total)
}

// timings holds the durations of this run's phases in seconds. The time that an earlier
// run of the task spent is not included.
type timings map[string]float64

// measure starts the clock of a phase and returns the function that stops it.
func (t *timings) measure(phase string) func() {
	start := time.Now()
	return func() {
		if *t == nil {
			*t = timings{}
		}
		(*t)[phase] += time.Since(start).Seconds()
	}
}
