package schedule

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/setfile"
)

// advance continues the last run of a job: it finds the run's tables (see expand),
// submits the remaining tasks and reads the status of those that were submitted before.
// It stores the id of each submitted task before it submits the next one.
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

	if !st.Run.Expanded && st.Run.Set != nil {
		return s.readSet(ctx, job, st)
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

// expand finds out which tables a run compares, and stores a check for each. The run of
// a job with one table has one check. The run of a job with a pattern submits a
// schema-diff. When the schema-diff has ended, a later call of expand stores a check
// for each of its tables.
func (s *Scheduler) expand(ctx context.Context, job Job, st *stored) error {
	switch {
	case !job.HasPattern():
		return s.expandTable(ctx, job, st)
	case st.Run.Set == nil:
		return s.submitSet(ctx, job, st)
	}
	return s.readSet(ctx, job, st)
}

// expandTable stores the only check of a run of a job with one table.
func (s *Scheduler) expandTable(ctx context.Context, job Job, st *stored) error {
	expanded := *st.Run
	expanded.Expanded = true
	expanded.Checks = []check{{Table: job.Request.Table}}
	next := *st
	next.Run = &expanded
	return s.replace(ctx, st, next)
}

// submitSet submits the schema-diff of a run and stores the task id in the run. If the
// submission fails and a retry cannot help, submitSet stores the error as the run's
// result.
func (s *Scheduler) submitSet(ctx context.Context, job Job, st *stored) error {
	req := job.Set
	if st.Run.Incremental {
		req.Baseline = api.BaselineLast
	}
	submitted, err := s.Submit.SubmitSchemaDiff(ctx, req)
	if err != nil && isTemporary(err) {
		return err
	}

	changed := *st.Run
	if err != nil {
		changed.Expanded, changed.Error = true, fault.PublicMessage(err)
	} else {
		changed.Set = &set{TaskID: submitted.TaskID}
	}
	next := *st
	next.Run = &changed
	return s.replace(ctx, st, next)
}

// readSet reads the status of the schema-diff of a run. If it has ended, readSet stores
// its tables as the checks of the run.
func (s *Scheduler) readSet(ctx context.Context, job Job, st *stored) error {
	of := *st.Run.Set
	status, err := s.Submit.TaskStatus(ctx, api.TaskRequest{TaskID: of.TaskID})
	switch {
	case fault.CodeOf(err) == fault.NotFound: // the retention has deleted the schema-diff
		status.Error = fault.PublicMessage(err)
	case err != nil:
		return err
	case status.FinishedAt.IsZero():
		return nil
	}

	expanded := *st.Run
	expanded.Expanded = true
	document, err := s.Submit.SetDocument(ctx, of.TaskID)
	switch {
	case err == nil:
		expanded.addTables(job, document, s.Now())
		findings := document.Summary.Findings
		of.Differs = findings.Blocks+findings.Drifts > 0
		expanded.Set = &of
	case isTemporary(err):
		return err
	default:
		expanded.Error = withoutTables(of.TaskID, status, err)
	}

	next := *st
	next.Run = &expanded
	next.Reported = s.reportKeyless(ctx, job, st.Reported, expanded.Keyless)
	return s.replace(ctx, st, next)
}

// withoutTables returns the reason why a run does not have the tables of its schema-diff,
// whose document cannot be read because of err. A task that was cancelled, or could not
// list the tables, has no document.
func withoutTables(taskID string, status api.TaskStatus, err error) string {
	switch {
	case status.Error != "":
		return status.Error
	case status.Status == api.StatusCancelled:
		return "the task " + taskID + " was cancelled"
	}
	return fault.PublicMessage(err)
}

// addTables records the tables of a schema-diff in the run. Tables that were not compared
// are recorded in Skipped (because of skip_tables), Left (because of fail_fast) or
// Keyless. Every other table becomes a check that has ended.
func (r *run) addTables(job Job, document setfile.Document, now time.Time) {
	for _, t := range document.Tables {
		c := check{Table: t.Table, TaskID: t.TaskID, Status: api.StatusCompleted, Error: t.Error}
		switch t.Verdict {
		case api.SetSkipped:
			if document.Summary.Skip.Match(t.Table) {
				r.Skipped = append(r.Skipped, t.Table)
			} else {
				r.Left = append(r.Left, keyless{Table: t.Table, Reason: t.Error})
			}
			continue
		case api.SetKeyless:
			reason := t.Error + "; add a primary key, or a unique index on NOT NULL columns, or list the table in skip_tables"
			r.Keyless = append(r.Keyless, keyless{Table: t.Table, Reason: reason})
			continue
		case api.SetIdentical:
			c.Verdict = api.VerdictMatch
		case api.SetDifferent:
			c.Verdict = api.VerdictDiffer
			if job.RerunAfter > 0 {
				c.RerunAt = now.Add(job.RerunAfter).UTC()
			}
		case api.SetMissing:
			c.Verdict = api.VerdictDiffer
		default:
			c.Status = api.StatusFailed
		}
		r.Checks = append(r.Checks, c)
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
