package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
)

// advance continues the last run of a job: it finds the run's tables, submits the
// remaining tasks and reads the status of those that were submitted before. It stores the
// id of each submitted task before it submits the next one.
func (s *Scheduler) advance(ctx context.Context, job Job, st *stored) error {
	if !st.Run.open() {
		return nil
	}

	if !st.Run.Expanded {
		if err := s.expand(ctx, job, st); err != nil {
			return err
		}
		if !st.Run.Expanded {
			return nil
		}
	}

	for i := range st.Run.Checks {
		next, err := s.advanceCheck(ctx, job, st.Run.Checks[i], st.Run.Incremental)
		if err != nil {
			return err
		}
		if next == st.Run.Checks[i] {
			continue
		}
		if err := s.storeCheck(ctx, st, i, next); err != nil {
			return err
		}
	}

	if !st.Run.open() {
		s.Log.InfoContext(ctx, "scheduled run ended", "job", job.Name, "due", st.Run.Due, "verdict", st.Run.verdict())
	}
	return nil
}

// refresh reads the status of the tasks of the last run, so that start can find out
// whether this run has ended. It submits nothing.
func (s *Scheduler) refresh(ctx context.Context, job Job, st *stored) error {
	if st.Run == nil {
		return nil
	}

	for i, c := range st.Run.Checks {
		if c.TaskID == "" || c.last().ended() {
			continue
		}
		next, err := s.advanceCheck(ctx, job, c, st.Run.Incremental)
		if err == nil && next != c {
			err = s.storeCheck(ctx, st, i, next)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// storeCheck replaces check i of the last run by c and stores the state.
func (s *Scheduler) storeCheck(ctx context.Context, st *stored, i int, c check) error {
	next := *st
	changed := *st.Run
	changed.Checks = slices.Clone(changed.Checks)
	changed.Checks[i] = c
	next.Run = &changed
	return s.replace(ctx, st, next)
}

// expand finds the tables of a run and stores the run with one check for each table that
// can be compared. If a node cannot be used for a moment, expand leaves the run as it is,
// so that the next Step tries again. After Patience has passed since the due time, it
// stores the error instead.
func (s *Scheduler) expand(ctx context.Context, job Job, st *stored) error {
	expanded := *st.Run
	expanded.Expanded = true
	next := *st
	next.Run = &expanded

	tables := []Table{{Name: job.Request.Table}}
	if job.Schema != "" {
		var err error
		if tables, err = s.Catalog.Tables(ctx, job.Request, job.Schema); err != nil {
			if fault.CodeOf(err) == fault.Cancelled {
				return err
			}
			if fault.Retryable(err) && s.Now().Before(st.Run.Due.Add(s.Patience)) {
				s.Log.WarnContext(ctx, "tables of a scheduled run not listed; trying again", "job", job.Name, "error", err)
				return nil
			}
			expanded.Error = fault.PublicMessage(err)
		} else if len(tables) == 0 {
			expanded.Error = "no node has a table in schema " + job.Schema
		}
	}

	for _, table := range tables {
		expanded.add(job, table)
	}
	if expanded.Error == "" && len(expanded.Checks)+len(expanded.Keyless) == 0 {
		expanded.Error = "skip_tables excludes every table of schema " + job.Schema
	}

	next.Reported = s.reportKeyless(ctx, job, st.Reported, expanded.Keyless)
	return s.replace(ctx, st, next)
}

// add records a table of the run: in Skipped if the job skips the table, in Keyless if
// the table has no key on some node, and otherwise as a new check in Checks.
func (r *run) add(job Job, table Table) {
	switch {
	case job.skips(table.Name):
		r.Skipped = append(r.Skipped, table.Name)
	case len(table.Keyless) > 0:
		reason := fmt.Sprintf("no primary key or unique index can serve as the key on %s; add one on plain NOT NULL columns, "+
			"or list the table in skip_tables", strings.Join(table.Keyless, ", "))
		r.Keyless = append(r.Keyless, keyless{Table: table.Name, Reason: reason})
	default:
		r.Checks = append(r.Checks, check{Table: table.Name})
	}
}

// reportKeyless logs the tables in found, which have no key. It does not log the tables
// in reported, because an earlier run has logged them. It returns the names of all tables
// in found, for the next run.
func (s *Scheduler) reportKeyless(ctx context.Context, job Job, reported []api.TableName, found []keyless) []api.TableName {
	var all []api.TableName
	for _, k := range found {
		all = append(all, k.Table)
		if !slices.Contains(reported, k.Table) {
			s.Log.WarnContext(ctx, "a scheduled run cannot compare a table", "job", job.Name, "table", k.Table.String(), "reason", k.Reason)
		}
	}
	return all
}

// advanceCheck does the next step of a check: it submits the check's task, reads the
// status of the submitted task, or submits the rerun if it is due. It returns the new
// state of the check.
func (s *Scheduler) advanceCheck(ctx context.Context, job Job, c check, incremental bool) (check, error) {
	switch {
	case c.TaskID == "" && !c.ended():
		req := job.Request
		req.Table = c.Table
		if incremental {
			req.Baseline = api.BaselineLast
		}
		submitted, err := s.Submit.SubmitTableDiff(ctx, req)
		return afterSubmit(c, submitted, err)
	case !c.ended():
		next, err := s.readStatus(ctx, c)
		if err == nil && next.Verdict == api.VerdictDiffer && job.RerunAfter > 0 {
			next.RerunAt = s.Now().Add(job.RerunAfter).UTC()
		}
		return next, err
	case c.awaitsRerun() && !s.Now().Before(c.RerunAt):
		req, err := rerun(job, c)
		if err != nil {
			return c, err
		}
		submitted, err := s.Submit.SubmitTableRerun(ctx, req)
		again, err := afterSubmit(check{Table: c.Table}, submitted, err)
		c.Rerun = &again
		return c, err
	case c.Rerun != nil && !c.Rerun.ended():
		again, err := s.readStatus(ctx, *c.Rerun)
		if err == nil && again != *c.Rerun {
			c.Rerun = &again
		}
		return c, err
	}
	return c, nil
}

// afterSubmit returns the new state of a check after the submission of its task. err is
// the error of the submission. If err is temporary (see isTemporary), afterSubmit returns
// err, so that the submission is retried. After any other error the check has failed.
func afterSubmit(c check, submitted api.Submitted, err error) (check, error) {
	switch {
	case err == nil:
		c.TaskID, c.Status = submitted.TaskID, api.StatusQueued
	case isTemporary(err):
		return c, err
	default:
		c.Status, c.Error = api.StatusFailed, fault.PublicMessage(err)
	}
	return c, nil
}

// readStatus reads the status of a check's task. A task that does not exist any more
// counts as failed.
func (s *Scheduler) readStatus(ctx context.Context, c check) (check, error) {
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

// rerun returns the request to rerun a check that found differences. The request has the
// arguments of the job that a rerun supports.
func rerun(job Job, c check) (api.TableRerunRequest, error) {
	document, err := api.ParseDiffFile(c.TaskID)
	if err != nil {
		return api.TableRerunRequest{}, fault.Wrap(err, fault.Internal, "task %s has no document", c.TaskID)
	}

	req := api.NewTableRerunRequest()
	req.ClusterName = job.Request.ClusterName
	req.Table = c.Table
	req.DiffFile = document
	req.DBName = job.Request.DBName
	req.Quiet = job.Request.Quiet
	req.MaxCPURatio = job.Request.MaxCPURatio
	req.Output = job.Request.Output
	req.MaxDiffRows = job.Request.MaxDiffRows
	req.ConfirmDelay = job.Request.ConfirmDelay
	req.Checksum = job.Request.Checksum
	return req, nil
}
