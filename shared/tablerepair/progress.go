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

// progress reports the progress of a repair. Its blocks are the parts in
// which keys are stored. Each part counts as often as it is processed on a target (see
// passes).
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

// passes returns how often a run processes each part of keys: once to decide and, unless
// it is a dry run, once to apply the changes and read them back.
func passes(p *Plan) int {
	if p.DryRun {
		return 1
	}
	return 2
}

// blocks returns the number of blocks on all targets together.
func (p *Plan) blocks() int {
	n := 0
	for _, t := range p.Targets {
		n += passes(p) * max(1, t.Keys.Parts)
	}
	return n
}

func (p *progress) setTotals(plan *Plan) {
	p.change(func(s *task.Progress) {
		s.BlocksTotal = plan.blocks()
		s.RowsTotalEstimate = 0
		for _, t := range plan.Targets {
			s.RowsTotalEstimate += t.Keys.Count
		}
	})
}

// setDone sets the progress of all targets together.
func (p *progress) setDone(sum unitProgress) {
	p.change(func(s *task.Progress) {
		s.BlocksDone = min(sum.Blocks, s.BlocksTotal)
		s.RowsCompared = sum.Rows
		s.MismatchedRows = sum.Mismatched
	})
}

// unitProgress is the progress of one unit. A unit may run in another process, so it
// stores its progress in the archive from time to time.
type unitProgress struct {
	Blocks     int   `json:"blocks"`
	Rows       int64 `json:"rows"`
	Mismatched int64 `json:"mismatched"`
}

// progressInterval is the time between two writes of a unit's progress, and between two
// reads.
const progressInterval = time.Second

func progressKey(taskID string, target int) string {
	return archive.PartKey(taskID, "progress", strconv.Itoa(target))
}

// decidedProgress returns the progress of a unit that has decided about all keys of the
// given number of parts. t counts its decisions so far.
func (t Totals) decidedProgress(parts int) unitProgress {
	return unitProgress{Blocks: parts, Rows: t.changes() + t.Unchanged + t.Skipped + t.UnrepairableUnwritten, Mismatched: t.changes() + t.Skipped}
}

// storeProgress stores the progress if progressInterval has passed since the last time.
// Errors are ignored, since the progress is only displayed.
func (j *unitRun) storeProgress(ctx context.Context, m unitProgress) {
	if time.Since(j.progressStored) < progressInterval {
		return
	}
	j.progressStored = time.Now()
	if body, err := json.Marshal(m); err == nil {
		_, _ = j.store.Put(ctx, progressKey(j.plan.TaskID, j.unit.Target), "application/json", body)
	}
}

// watch reports the progress of all targets until the context ends.
func (r *run) watch(ctx context.Context) {
	for retry.Sleep(ctx, progressInterval) == nil {
		var sum unitProgress
		for i := range r.plan.Targets {
			var m unitProgress
			if _, _, err := archive.ReadJSON(ctx, r.store, progressKey(r.plan.TaskID, i), &m); err == nil {
				sum = unitProgress{Blocks: sum.Blocks + m.Blocks, Rows: sum.Rows + m.Rows, Mismatched: sum.Mismatched + m.Mismatched}
			}
		}
		r.progress.setDone(sum)
	}
}

// reportTotals reports the totals of all targets.
func (r *run) reportTotals() {
	sum := unitProgress{Blocks: r.plan.blocks()}
	for _, n := range r.results {
		m := n.Totals.decidedProgress(0)
		sum.Rows += m.Rows
		sum.Mismatched += m.Mismatched
	}
	r.progress.setDone(sum)
}
