package setdiff

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/retry"
	"ace/shared/setfile"
	"ace/shared/task"
)

const (
	// pollEvery is the time between two readings of a task that another process runs.
	pollEvery = time.Second
	// cancelTime bounds the time for the requests that cancel the running tasks of a
	// parent.
	cancelTime = 5 * time.Second
)

// compare compares the tables of the plan and records their results in r.results. It
// returns an error only if the run must end before the tasks of all tables have ended.
func (r *run) compare(ctx context.Context) error {
	numbers := r.plan.order()
	r.startProgress(numbers)
	watch := r.watch(ctx)
	defer watch()

	err := fanout.Each(ctx, r.request.AtOnce, slices.Values(numbers), func(ctx context.Context, i int) error {
		if r.stopped() {
			return nil
		}
		return r.compareTable(ctx, i)
	})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
		r.cancelWithParent(ctx)
	}
	return err
}

// cancelWithParent cancels the running tasks of the parent if its cancellation was
// requested. If the run ends for another reason, the tasks continue, because the next run
// of the parent uses their results.
func (r *run) cancelWithParent(ctx context.Context) {
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	if requested, err := r.Tasks.CancelRequested(asking, r.request.Parent.TaskID); err == nil && requested {
		r.cancelRunning(ctx)
	}
}

// compareTable submits the task of the table with the number i, waits for its end and
// records the result. If the task fails, this is a result and not an error.
func (r *run) compareTable(ctx context.Context, i int) error {
	rec, err := r.submit(ctx, i)
	if err != nil {
		return err
	}
	r.started(rec.TaskID, i)

	for first := true; !rec.Status.Terminal(); first = false {
		if !first { // another process runs the task
			if err := retry.Sleep(ctx, pollEvery); err != nil {
				return err
			}
		}
		if err := r.Runner.RunChild(ctx, r.request.Parent.TaskID, rec.TaskID); err != nil {
			return err
		}
		err := r.request.Patience.Do(ctx, "reading the task of a table", func() (err error) {
			rec, err = r.Tasks.Get(ctx, rec.TaskID)
			return err
		})
		if err != nil {
			return err
		}
	}

	r.ended(i, rec)
	if r.stopped() {
		r.cancelRunning(ctx)
	}
	return nil
}

// submit creates the task of the table with the number i. If an earlier run of the parent
// has created this task, submit returns it.
func (r *run) submit(ctx context.Context, i int) (rec task.Record, err error) {
	parent, name := r.request.Parent, r.plan.Tables[i].Name
	parameters, err := json.Marshal(r.plan.Tables[i].restrict(r.request.TableDiff(name)))
	if err != nil {
		return rec, fault.Wrap(err, fault.Internal, "the parameters cannot be encoded")
	}
	err = r.request.Patience.Do(ctx, "submitting the comparison of a table", func() (err error) {
		rec, err = r.Tasks.Create(ctx, task.New{
			Type: task.TableDiff, ClusterName: parent.ClusterName, DBName: parent.DBName, TableName: name.String(),
			Parameters: parameters, Scheduled: parent.Scheduled, Parent: parent.TaskID, RequestedBy: parent.RequestedBy,
			Once: fmt.Sprintf("%s/%d", parent.Submission, i), SubmittedAt: r.plan.PlannedAt,
		})
		return err
	})
	return rec, err
}

// cancelRunning requests the cancellation of the running tasks of the parent. It ignores
// errors, because such a task only runs longer than necessary.
func (r *run) cancelRunning(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	_, _ = fanout.Map(ctx, r.request.AtOnce, r.runningTasks(), func(ctx context.Context, id string) (struct{}, error) {
		_, _ = r.Tasks.RequestCancel(ctx, id)
		return struct{}{}, nil
	})
}

// sameNodes reports whether a and b have the same nodes, in any order.
func sameNodes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// resultOf returns the result of a table from the record of its task, which has ended.
// nodes are the nodes that the parent compares.
func resultOf(name api.TableName, rec task.Record, nodes []string) setfile.Table {
	result := setfile.Table{Table: name, TaskID: rec.TaskID, Verdict: api.SetFailed}
	if rec.Status != task.Completed {
		result.Error = rec.Error
		return result
	}

	var found struct {
		api.DiffResult
		Summary struct {
			Nodes []string `json:"nodes"`
		} `json:"summary"`
	}
	if err := json.Unmarshal(rec.Result, &found); err != nil {
		result.Error = "the result of task " + rec.TaskID + " cannot be read"
		return result
	}

	result.DiffFile, result.TotalRows, result.MismatchedRows = found.DiffFile, found.TotalRows, found.MismatchedRows
	switch {
	case !sameNodes(found.Summary.Nodes, nodes):
		result.Error = fmt.Sprintf("it was compared on %s instead of %s: the cluster definition was changed",
			strings.Join(found.Summary.Nodes, ", "), strings.Join(nodes, ", "))
	case found.Verdict == api.VerdictMatch && found.MismatchedRows == 0:
		result.Verdict = api.SetIdentical
	case found.Verdict == api.VerdictDiffer:
		result.Verdict = api.SetDifferent
	default:
		result.Error = "the result of task " + rec.TaskID + " has no verdict"
	}
	return result
}
