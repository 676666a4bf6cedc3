package service

import (
	"context"
	"math"
	"time"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/fault"
	"ace/shared/task"
)

// TaskStatus returns the status of a task.
func (s *Service) TaskStatus(ctx context.Context, req api.TaskRequest) (api.TaskStatus, error) {
	rec, err := s.visible(ctx, req.TaskID, s.Tasks.Status)
	if err != nil {
		return api.TaskStatus{}, err
	}
	if err := checkStatus(ctx, rec); err != nil {
		return api.TaskStatus{}, err
	}
	return s.status(rec), nil
}

// CancelTask requests the cancellation of a task. A waiting task is cancelled at once, a
// running task within seconds.
func (s *Service) CancelTask(ctx context.Context, req api.TaskRequest) (api.TaskStatus, error) {
	rec, err := s.task(ctx, req.TaskID)
	if err != nil {
		return api.TaskStatus{}, err
	}
	if err := checkCancel(ctx, rec); err != nil {
		return api.TaskStatus{}, err
	}
	if err := s.recordCancel(ctx, rec); err != nil {
		return api.TaskStatus{}, err
	}

	rec, err = s.Tasks.RequestCancel(ctx, req.TaskID)
	if err != nil {
		return api.TaskStatus{}, err
	}
	if rec.Status == task.Cancelled {
		s.Starter.Drop(rec.TaskID)
	}
	return s.status(rec), nil
}

// ListTasks returns a page of the tasks, the newest first.
func (s *Service) ListTasks(ctx context.Context, req api.TasksRequest) (api.TaskList, error) {
	by := caller.Of(ctx)
	if err := checkNamed(by, req.ClusterName); err != nil {
		return api.TaskList{}, err
	}
	filter := task.Filter{
		ClusterName: req.ClusterName, Type: task.Type(req.TaskType), Status: task.Status(req.Status), Parent: req.Parent, Limit: req.Limit, After: req.After,
	}
	if req.TableName != (api.TableName{}) {
		filter.TableName = req.TableName.String()
	}
	if !by.SeesAll() {
		filter.Clusters = append([]string{}, by.Clusters...) // not nil, which would mean all
	}
	page, err := s.Tasks.List(ctx, filter)
	if err != nil {
		return api.TaskList{}, err
	}
	list := api.TaskList{Tasks: make([]api.TaskStatus, 0, len(page.Records)), Unreadable: unreadable(page.Unreadable), Next: page.Next}
	for _, rec := range page.Records {
		list.Tasks = append(list.Tasks, s.status(rec))
	}
	return list, nil
}

// unreadable converts tasks whose records cannot be read to the form of the API.
func unreadable(tasks []task.Unreadable) (shown []api.UnreadableTask) {
	for _, u := range tasks {
		shown = append(shown, api.UnreadableTask{TaskID: u.TaskID, Reason: fault.PublicMessage(u.Err)})
	}
	return shown
}

// Health reports that the service answers requests.
func (s *Service) Health(context.Context, api.HealthRequest) (api.Health, error) {
	return api.Health{Status: "ok"}, nil
}

// status converts a task's record to the form of the API.
func (s *Service) status(rec task.Record) api.TaskStatus {
	status := api.TaskStatus{
		TaskID: rec.TaskID, TaskType: string(rec.Type), Status: string(rec.Status),
		Result: rec.Result, SubmittedAt: api.At(rec.SubmittedAt),
		ClusterName: rec.ClusterName, TableName: rec.TableName, Parent: rec.Parent, Parameters: rec.Parameters, RequestedBy: rec.RequestedBy,
	}

	if rec.StartedAt != nil {
		status.StartedAt = api.At(*rec.StartedAt)
	}

	if rec.FinishedAt != nil {
		status.FinishedAt = api.At(*rec.FinishedAt)
	}

	if rec.StartedAt != nil && rec.FinishedAt != nil {
		seconds := api.Seconds(rec.FinishedAt.Sub(*rec.StartedAt).Seconds())
		status.TimeTaken = &seconds
	}

	if rec.Status == task.Failed || rec.Status == task.Cancelled && rec.Error != task.CancelledOnRequest {
		status.Error = rec.Error
	}

	if rec.Status == task.Running && rec.Progress != nil && rec.StartedAt != nil {
		status.Progress = progress(*rec.Progress, s.Now().Sub(*rec.StartedAt))
	}
	return status
}

// progress computes percent, rate and remaining time of a task. running is how long the
// task has run.
func progress(p task.Progress, running time.Duration) *api.Progress {
	shown := &api.Progress{
		Phase: p.Phase, BlocksTotal: int64(p.BlocksTotal), BlocksDone: int64(p.BlocksDone),
		RowsCompared: p.RowsCompared, RowsTotalEstimate: p.RowsTotalEstimate, MismatchedRows: p.MismatchedRows,
		TablesTotal: int64(p.TablesTotal), TablesDone: int64(p.TablesDone), Retrying: p.Retrying,
	}

	done, total := float64(p.BlocksDone), float64(p.BlocksTotal)
	if p.TablesTotal > 0 {
		done, total = tablesProgress(p)
	}
	if total > 0 {
		shown.Percent = tenths(100 * done / total)
	}

	if seconds := running.Seconds(); seconds > 0 {
		shown.RowsPerSecond = math.Round(float64(p.RowsCompared) / seconds)
		if done > 0 {
			eta := tenths(seconds * (total - done) / done)
			shown.ETASeconds = &eta
		}
	}
	return shown
}

// rowsOfTable stands for the work on a table that does not depend on its rows, such as
// planning. This work takes about as long as the comparison of 10,000 rows.
const rowsOfTable = 10_000

// tablesProgress returns how much work of a task that compares several tables is done,
// and how much there is in total. The unit is a row, and each table counts as
// rowsOfTable rows in addition to its own.
func tablesProgress(p task.Progress) (done, total float64) {
	left := float64(p.TablesTotal - p.TablesDone)
	done = float64(p.TablesDone)*rowsOfTable + float64(p.RowsCompared)
	total = float64(p.TablesTotal)*rowsOfTable + float64(max(p.RowsTotalEstimate, p.RowsCompared))
	if left == 0 {
		return total, total
	}
	return done, total
}

func tenths(x float64) float64 { return math.Round(x*10) / 10 }
