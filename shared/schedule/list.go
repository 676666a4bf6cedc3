package schedule

import (
	"context"
	"slices"
	"time"

	"ace/shared/api"
)

// verdict returns the verdict of a run, or "" if the run has not ended. The verdict is
// the first of these that applies:
//   - failed: a check failed, or the tables of the run could not be found.
//   - differ: a check found differences, or a finding about structure has the rank blocks
//     or drifts.
//   - incomplete: a table was not compared, because it has no key or fail_fast is set.
//   - match: none of these applies.
func (r *run) verdict() string {
	if r == nil || r.busy() {
		return ""
	}

	verdict := api.VerdictMatch
	switch {
	case r.Set != nil && r.Set.Differs:
		verdict = api.VerdictDiffer
	case len(r.Keyless)+len(r.Left) > 0:
		verdict = api.VerdictIncomplete
	}
	if r.Error != "" {
		return api.VerdictFailed
	}

	for _, c := range r.Checks {
		switch last := c.last(); {
		case last.Status != api.StatusCompleted:
			return api.VerdictFailed
		case last.Verdict == api.VerdictDiffer:
			verdict = api.VerdictDiffer
		}
	}
	return verdict
}

// List returns all jobs in the order of the file.
func (s *Scheduler) List(ctx context.Context, _ api.SchedulesRequest) (api.ScheduleList, error) {
	jobs := s.list()
	list := api.ScheduleList{Schedules: make([]api.Schedule, 0, len(jobs))}
	for _, job := range jobs {
		st, err := s.current(ctx, job)
		if err != nil {
			return api.ScheduleList{}, err
		}
		list.Schedules = append(list.Schedules, s.show(job, st))
	}
	return list, nil
}

// current returns a copy of a job's state.
func (s *Scheduler) current(ctx context.Context, job Job) (state, error) {
	s.mu.Lock()
	if st := s.states[job.Name]; st != nil {
		defer s.mu.Unlock()
		return st.state, nil
	}
	s.mu.Unlock()
	st, err := s.load(ctx, job.Name)
	return st.state, err
}

func (s *Scheduler) show(job Job, st state) api.Schedule {
	shown := api.Schedule{
		Name: job.Name, ClusterName: job.Request.ClusterName, TableName: job.Table(), Schedule: job.Spec, Enabled: job.Enabled,
		MissedRuns: st.Missed.Count, LastMissed: at(st.Missed.Last), SkippedRuns: st.Skipped.Count, LastSkipped: at(st.Skipped.Last),
	}

	if job.Enabled {
		shown.NextRun = at(job.next(later(st.Seen, s.Now())))
	}

	if st.Run == nil {
		return shown
	}

	shown.LastRun = &api.ScheduledRun{DueAt: at(st.Run.Due), Verdict: st.Run.verdict(), Error: st.Run.Error, Tasks: []api.ScheduledTask{}}
	if st.Run.Set != nil {
		shown.LastRun.TaskID = st.Run.Set.TaskID
	}
	for _, table := range st.Run.Skipped {
		shown.LastRun.SkippedTables = append(shown.LastRun.SkippedTables, table.String())
	}
	for _, k := range slices.Concat(st.Run.Keyless, st.Run.Left) {
		shown.LastRun.NotCompared = append(shown.LastRun.NotCompared, api.NotCompared{TableName: k.Table.String(), Reason: k.Reason})
	}
	for _, c := range st.Run.Checks {
		t := api.ScheduledTask{TableName: c.Table.String(), TaskID: c.TaskID, Status: c.Status, Verdict: c.Verdict, Error: c.Error, RerunAt: at(c.RerunAt)}
		if c.Rerun != nil {
			t.RerunTaskID = c.Rerun.TaskID
			t.Verdict = c.Rerun.Verdict
			t.Status = c.Rerun.Status
			t.Error = c.Rerun.Error
		}
		shown.LastRun.Tasks = append(shown.LastRun.Tasks, t)
	}
	return shown
}

func at(t time.Time) api.Time {
	if t.IsZero() {
		return api.Time{}
	}
	return api.At(t)
}

// Needed returns the ids of the tasks for whose documents a rerun must still be
// submitted. Retention must keep these tasks, because the rerun reads their documents.
func (s *Scheduler) Needed(ctx context.Context) ([]string, error) {
	var ids []string
	for _, job := range s.list() {
		st, err := s.current(ctx, job)
		if err != nil {
			return nil, err
		}
		if st.Run == nil {
			continue
		}
		for _, c := range st.Run.Checks {
			if c.awaitsRerun() {
				ids = append(ids, c.TaskID)
			}
		}
	}
	return ids, nil
}
