package schedule

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
)

// state is the stored state of one job. Times are in UTC.
type state struct {
	Job string `json:"job"`
	// Spec is the job's Spec when Seen was written, or "" if the job was disabled.
	Spec string `json:"spec,omitempty"`
	// Seen is the time until which all runs are accounted for: each run that was due by
	// then was started, or was counted as skipped or missed.
	Seen time.Time `json:"seen"`
	Run  *run      `json:"run,omitempty"` // the last run; nil if there was no run yet
	// Reported are the tables without a key that have been logged.
	Reported []api.TableName `json:"reported,omitempty"`
	// Full is the due time of the last full run that completed.
	Full    time.Time `json:"full,omitzero"`
	Missed  passed    `json:"missed"`  // runs that were due while no process was running
	Skipped passed    `json:"skipped"` // runs that were due while the previous run had not ended
	// Revision changes with every write, so each version has its own ETag.
	Revision string `json:"revision"`
}

// passed counts runs that were due but not started.
type passed struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last,omitzero"`
}

func (p passed) and(due time.Time) passed { return passed{Count: p.Count + 1, Last: due} }

// run is one run of a job.
type run struct {
	Due time.Time `json:"due"`
	// Incremental means that the run's comparisons are incremental: each builds on the
	// last baseline (api.BaselineLast).
	Incremental bool `json:"incremental,omitempty"`
	// Set is the schema-diff that a run of a job with a pattern has submitted. It is nil
	// until the schema-diff is submitted, and always for a job with one table. It is also
	// nil in a run that an earlier version of ACE has stored, which submitted a separate
	// comparison for each table.
	Set      *set    `json:"set,omitempty"`
	Expanded bool    `json:"expanded"` // the tables of the run are known (Checks is complete), or Error is set
	Checks   []check `json:"checks"`
	Error    string  `json:"error,omitempty"` // why no table could be found
	// Skipped are the tables that skip_tables excludes.
	Skipped []api.TableName `json:"skipped,omitempty"`
	// Keyless are the tables that cannot be compared because they have no key.
	Keyless []keyless `json:"keyless,omitempty"`
	// Left are the tables that were not compared because fail_fast ended the schema-diff.
	Left []keyless `json:"left,omitempty"`
}

// set is the schema-diff of a run. When it has ended, the run has a check for each table.
type set struct {
	TaskID string `json:"task_id"`
	// Differs means that findings about structure make the verdict differ.
	Differs bool `json:"differs,omitempty"`
}

// keyless is a table that was not compared, and the reason.
type keyless struct {
	Table  api.TableName `json:"table_name"`
	Reason string        `json:"reason"`
}

// check is the comparison of one table, with the rerun of that comparison.
type check struct {
	Table   api.TableName `json:"table_name"`
	TaskID  string        `json:"task_id,omitempty"` // "" until the task is submitted
	Status  string        `json:"status,omitempty"`
	Verdict string        `json:"verdict,omitempty"`
	Error   string        `json:"error,omitempty"`
	RerunAt time.Time     `json:"rerun_at,omitzero"`
	Rerun   *check        `json:"rerun,omitempty"`
}

// ended reports whether the check's task has ended or could not be submitted.
func (c check) ended() bool {
	switch c.Status {
	case api.StatusCompleted, api.StatusFailed, api.StatusCancelled:
		return true
	}
	return false
}

// awaitsRerun reports whether a rerun must still be submitted.
func (c check) awaitsRerun() bool { return !c.RerunAt.IsZero() && c.Rerun == nil }

// last returns the rerun, or the check itself if there is none.
func (c check) last() check {
	if c.Rerun != nil {
		return *c.Rerun
	}
	return c
}

// busy reports whether the tables of the run are not known yet, or one of its tasks has
// not been submitted or has not ended. It ignores reruns that have not been submitted,
// because the next run compares all rows that they would compare.
func (r *run) busy() bool {
	return r != nil && (!r.Expanded || slices.ContainsFunc(r.Checks, func(c check) bool { return !c.last().ended() }))
}

// open reports whether the run is busy or awaits a rerun.
func (r *run) open() bool {
	return r.busy() || r != nil && slices.ContainsFunc(r.Checks, check.awaitsRerun)
}

// full reports whether the run compared every row of all its tables, except those that
// have no key or that skip_tables excludes.
func (r *run) full() bool {
	return r != nil && !r.Incremental && r.Error == "" && len(r.Checks) > 0 && len(r.Left) == 0 &&
		!slices.ContainsFunc(r.Checks, func(c check) bool { return c.Status != api.StatusCompleted })
}

// stored is a state with its version in the archive.
type stored struct {
	state
	etag string // "" before the first write
}

const contentType = "application/json"

func (s *Scheduler) load(ctx context.Context, job string) (stored, error) {
	object, err := s.Store.Get(ctx, archive.ScheduleKey(job))
	if errors.Is(err, archive.ErrNotFound) {
		return stored{state: state{Job: job}}, nil
	}
	if err != nil {
		return stored{}, err
	}
	defer object.Body.Close()

	body, err := io.ReadAll(object.Body)
	if err != nil {
		return stored{}, fault.Wrap(err, fault.Unavailable, "%s cannot be read from the archive", object.Key)
	}

	loaded := stored{etag: object.ETag}
	if err := json.Unmarshal(body, &loaded.state); err != nil {
		return stored{}, fault.Wrap(err, fault.Internal, "%s in the archive is damaged", object.Key)
	}
	return loaded, nil
}

// save writes a state. If another process has written the state since it was read, save
// returns archive.ErrPrecondition and writes nothing.
func (s *Scheduler) save(ctx context.Context, st *stored) error {
	st.Revision = rand.Text()
	body, err := json.Marshal(st.state)
	if err != nil {
		return err
	}
	var info archive.Info
	if st.etag == "" {
		info, err = s.Store.PutIfAbsent(ctx, archive.ScheduleKey(st.Job), contentType, body)
	} else {
		info, err = s.Store.PutIfMatch(ctx, archive.ScheduleKey(st.Job), contentType, body, st.etag)
	}
	st.etag = info.ETag
	return err
}
