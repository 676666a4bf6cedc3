package setdiff

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/task"
)

// The phases of a parent.
const (
	phaseList    = "list"
	phaseCompare = "compare"
)

// watchEvery is the time between two readings of the progress of the running tasks.
const watchEvery = 2 * time.Second

// progress tracks the progress of a parent task, the task that compares a set of tables.
type progress struct {
	mu     sync.Mutex
	now    task.Progress       // the progress of the tables whose tasks have ended, without the running tasks
	report func(task.Progress) // stores the progress of the parent
}

// startProgress reports how many tables and rows are to be compared.
func (r *run) startProgress(numbers []int) {
	r.progress.mu.Lock()
	defer r.progress.mu.Unlock()
	p := &r.progress.now
	p.Phase, p.TablesTotal = phaseCompare, len(numbers)
	for _, i := range numbers {
		p.RowsTotalEstimate += r.plan.Tables[i].Rows * int64(len(r.plan.nodesOf(i)))
	}
	r.progress.report(*p)
}

func (r *run) started(taskID string, i int) {
	r.progress.mu.Lock()
	defer r.progress.mu.Unlock()
	r.running[taskID] = i
}

// ended records the result of a table.
func (r *run) ended(i int, rec task.Record) {
	result := resultOf(r.plan.Tables[i].Name, rec, r.plan.nodesOf(i))

	r.progress.mu.Lock()
	defer r.progress.mu.Unlock()
	delete(r.running, rec.TaskID)
	if r.stop && rec.Status == task.Cancelled {
		return // cancelRunning cancelled the task because of another table, so there is no result
	}
	r.results[i] = result
	if result.Verdict == api.SetFailed && r.failed == "" && r.plan.Tables[i].Verdict == "" {
		r.failed = fault.Code(rec.ErrorCode)
	}
	r.stop = r.stop || r.request.FailFast && result.Verdict != api.SetIdentical

	p := &r.progress.now
	p.TablesDone++
	p.RowsCompared += result.TotalRows * int64(len(r.plan.nodesOf(i)))
	p.MismatchedRows += result.MismatchedRows
	r.progress.report(*p)
}

// stopped reports whether no further table is to be started.
func (r *run) stopped() bool {
	r.progress.mu.Lock()
	defer r.progress.mu.Unlock()
	return r.stop
}

func (r *run) runningTasks() []string {
	r.progress.mu.Lock()
	defer r.progress.mu.Unlock()
	return slices.Collect(maps.Keys(r.running))
}

// watch starts a goroutine that reports the progress of the running tasks until the
// caller calls end. The caller must call end.
func (r *run) watch(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.reportRunning(ctx)
			}
		}
	})
	return func() {
		cancel()
		watching.Wait()
	}
}

// reportRunning reports the progress of the tables that have ended, plus the progress
// that the running tasks have stored in their records.
func (r *run) reportRunning(ctx context.Context) {
	var of []task.Record
	for _, id := range r.runningTasks() {
		if rec, err := r.Tasks.Get(ctx, id); err == nil && rec.Progress != nil {
			of = append(of, rec)
		}
	}

	r.progress.mu.Lock()
	defer r.progress.mu.Unlock()
	p := r.progress.now
	for _, rec := range of {
		if _, running := r.running[rec.TaskID]; !running {
			continue
		}
		p.RowsCompared += rec.Progress.RowsCompared
		p.MismatchedRows += rec.Progress.MismatchedRows
		if rec.Progress.Retrying != "" {
			p.Retrying = rec.TableName + ": " + rec.Progress.Retrying
		}
	}
	r.progress.report(p)
}
