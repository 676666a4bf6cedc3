package schedule

import (
	"context"
	"encoding/json"
	"slices"

	"ace/shared/api"
	"ace/shared/fault"
)

// advance does what can be done now for the last run of a job: find its tables, submit what is not submitted yet, learn
// what became of the rest. Each submission is noted before the next is made.
func (s *Scheduler) advance(ctx context.Context, job Job, st *stored) error {
	if !st.Run.open() {
		return nil
	}
	if !st.Run.Expanded {
		if err := s.expand(ctx, job, st); err != nil {
			return err
		}
	}
	for i := range st.Run.Checks {
		next, err := s.follow(ctx, job, st.Run.Checks[i], st.Run.Incremental)
		if err != nil {
			return err
		}
		if next == st.Run.Checks[i] {
			continue
		}
		if err := s.note(ctx, st, i, next); err != nil {
			return err
		}
	}
	if !st.Run.open() {
		s.Log.InfoContext(ctx, "scheduled run ended", "job", job.Name, "due", st.Run.Due, "verdict", st.Run.verdict())
	}
	return nil
}

// refresh learns what became of the tasks of the last run, and submits nothing.
func (s *Scheduler) refresh(ctx context.Context, job Job, st *stored) error {
	if st.Run == nil {
		return nil
	}
	for i, c := range st.Run.Checks {
		if c.TaskID == "" || c.last().ended() {
			continue
		}
		next, err := s.follow(ctx, job, c, st.Run.Incremental)
		if err == nil && next != c {
			err = s.note(ctx, st, i, next)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// note stores what is known of one check.
func (s *Scheduler) note(ctx context.Context, st *stored, i int, c check) error {
	next := *st
	changed := *st.Run
	changed.Checks = slices.Clone(changed.Checks)
	changed.Checks[i] = c
	next.Run = &changed
	return s.replace(ctx, st, next)
}

// expand finds the tables of a run.
func (s *Scheduler) expand(ctx context.Context, job Job, st *stored) error {
	next, filled := *st, *st.Run
	next.Run, filled.Expanded = &filled, true
	tables := []api.TableName{job.Request.Table}
	if job.Schema != "" {
		var err error
		if tables, err = s.Catalog.Tables(ctx, job.Request, job.Schema); err != nil {
			if fault.CodeOf(err) == fault.Cancelled {
				return err
			}
			filled.Error = fault.PublicMessage(err)
		} else if len(tables) == 0 {
			filled.Error = "no node has a table in schema " + job.Schema
		}
	}
	for _, table := range tables {
		filled.Checks = append(filled.Checks, check{Table: table})
	}
	return s.replace(ctx, st, next)
}

// follow gives what is known of a check now.
func (s *Scheduler) follow(ctx context.Context, job Job, c check, incremental bool) (check, error) {
	switch {
	case c.TaskID == "" && !c.ended():
		req := job.Request
		req.Table = c.Table
		if incremental {
			req.Baseline = api.BaselineLast
		}
		submitted, err := s.Submit.SubmitTableDiff(ctx, req)
		return taken(c, submitted, err)
	case !c.ended():
		next, err := s.learn(ctx, c)
		if err == nil && next.Verdict == api.VerdictDiffer && job.RerunAfter > 0 {
			next.RerunAt = s.Now().Add(job.RerunAfter).UTC()
		}
		return next, err
	case c.awaited() && !s.Now().Before(c.RerunAt):
		req, err := rerun(job, c)
		if err != nil {
			return c, err
		}
		submitted, err := s.Submit.SubmitTableRerun(ctx, req)
		again, err := taken(check{Table: c.Table}, submitted, err)
		c.Rerun = &again
		return c, err
	case c.Rerun != nil && !c.Rerun.ended():
		again, err := s.learn(ctx, *c.Rerun)
		if err == nil && again != *c.Rerun {
			c.Rerun = &again
		}
		return c, err
	}
	return c, nil
}

// taken notes a submission. One that was refused for good has ended.
func taken(c check, submitted api.Submitted, err error) (check, error) {
	switch {
	case err == nil:
		c.TaskID, c.Status = submitted.TaskID, api.StatusQueued
	case passing(err):
		return c, err
	default:
		c.Status, c.Error = api.StatusFailed, fault.PublicMessage(err)
	}
	return c, nil
}

// learn asks what became of a task. One that is gone has failed.
func (s *Scheduler) learn(ctx context.Context, c check) (check, error) {
	status, err := s.Submit.TaskStatus(ctx, api.TaskRequest{TaskID: c.TaskID})
	if fault.CodeOf(err) == fault.NotFound {
		c.Status, c.Error = api.StatusFailed, fault.PublicMessage(err)
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.Status, c.Error = status.Status, status.Error
	if status.Status == api.StatusCompleted {
		var result api.DiffResult
		if err := json.Unmarshal(status.Result, &result); err != nil {
			return c, fault.Wrap(err, fault.Internal, "the result of task %s cannot be read", c.TaskID)
		}
		c.Verdict = result.Verdict
	}
	return c, nil
}

// rerun is the request to repeat a check that found differences, with the arguments of the job that a rerun knows.
func rerun(job Job, c check) (api.TableRerunRequest, error) {
	document, err := api.ParseDiffFile(c.TaskID)
	if err != nil {
		return api.TableRerunRequest{}, fault.Wrap(err, fault.Internal, "task %s has no document", c.TaskID)
	}
	req := api.NewTableRerunRequest()
	req.ClusterName, req.Table, req.DiffFile, req.DBName = job.Request.ClusterName, c.Table, document, job.Request.DBName
	req.Quiet, req.MaxCPURatio, req.Output = job.Request.Quiet, job.Request.MaxCPURatio, job.Request.Output
	req.MaxDiffRows, req.ConfirmDelay, req.Checksum = job.Request.MaxDiffRows, job.Request.ConfirmDelay, job.Request.Checksum
	return req, nil
}
