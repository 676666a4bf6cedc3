package tablerepair

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"ace/shared/archive"
	"ace/shared/retry"
	"ace/shared/task"
)

// progress reports what was done. A block is a part of the keys, gone over once on one target.
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

// passes is how often a repair goes over the keys: to decide, and to apply and read back what was decided.
func passes(p *Plan) int {
	if p.DryRun {
		return 1
	}
	return 2
}

// blocks is how many there are on all targets together.
func (p *Plan) blocks() int {
	n := 0
	for _, t := range p.Targets {
		n += passes(p) * max(1, t.Keys.Parts)
	}
	return n
}

func (p *progress) planned(plan *Plan) {
	p.change(func(s *task.Progress) {
		s.BlocksTotal = plan.blocks()
		s.RowsTotalEstimate = 0
		for _, t := range plan.Targets {
			s.RowsTotalEstimate += t.Keys.Count
		}
	})
}

// at sets what all targets together have done.
func (p *progress) at(sum marks) {
	p.change(func(s *task.Progress) {
		s.BlocksDone, s.RowsCompared, s.MismatchedRows = min(sum.Blocks, s.BlocksTotal), sum.Rows, sum.Mismatched
	})
}

// marks is how far one unit has come. A unit may run anywhere, so it leaves them in the archive, now and then.
type marks struct {
	Blocks     int   `json:"blocks"`
	Rows       int64 `json:"rows"`
	Mismatched int64 `json:"mismatched"`
}

// marksEvery is how often a unit leaves its marks, and a run looks for them.
const marksEvery = time.Second

func marksKey(taskID string, target int) string {
	return archive.PartKey(taskID, "progress", strconv.Itoa(target))
}

// decidedMarks are those of a unit that has decided about some parts of the keys.
func (t Totals) decidedMarks(parts int) marks {
	return marks{Blocks: parts, Rows: t.changes() + t.Unchanged + t.Skipped + t.Unequal, Mismatched: t.changes() + t.Skipped}
}

// mark leaves marks if it is time to. Nobody depends on them.
func (j *job) mark(ctx context.Context, m marks) {
	if time.Since(j.marked) < marksEvery {
		return
	}
	j.marked = time.Now()
	if body, err := json.Marshal(m); err == nil {
		_, _ = j.store.Put(ctx, marksKey(j.plan.TaskID, j.unit.Target), "application/json", body)
	}
}

// watch reports the marks of all targets until the context ends.
func (r *run) watch(ctx context.Context) {
	for retry.Sleep(ctx, marksEvery) == nil {
		var sum marks
		for i := range r.plan.Targets {
			var m marks
			if _, _, err := archive.ReadJSON(ctx, r.store, marksKey(r.plan.TaskID, i), &m); err == nil {
				sum = marks{Blocks: sum.Blocks + m.Blocks, Rows: sum.Rows + m.Rows, Mismatched: sum.Mismatched + m.Mismatched}
			}
		}
		r.progress.at(sum)
	}
}

// finished reports what all targets came to.
func (r *run) finished() {
	sum := marks{Blocks: r.plan.blocks()}
	for _, n := range r.results {
		m := n.Totals.decidedMarks(0)
		sum.Rows, sum.Mismatched = sum.Rows+m.Rows, sum.Mismatched+m.Mismatched
	}
	r.progress.at(sum)
}
