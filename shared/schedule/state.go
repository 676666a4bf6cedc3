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

// state is what the archive holds of one job. Times are UTC.
type state struct {
	Job string `json:"job"`
	// Spec is the Spec that Seen goes by; "" while the job is disabled.
	Spec string `json:"spec,omitempty"`
	// Seen: every due time up to here was started, skipped or missed.
	Seen time.Time `json:"seen"`
	Run  *run      `json:"run,omitempty"` // the last one
	// Full is when the last run was due that compared everything and completed.
	Full    time.Time `json:"full,omitzero"`
	Missed  passed    `json:"missed"`  // nobody was there
	Skipped passed    `json:"skipped"` // the run before had not ended
	// Revision is new with every write, so that each version has its own ETag.
	Revision string `json:"revision"`
}

// passed counts due times at which nothing was started.
type passed struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last,omitzero"`
}

func (p passed) and(due time.Time) passed { return passed{Count: p.Count + 1, Last: due} }

// run is one start of a job.
type run struct {
	Due time.Time `json:"due"`
	// Incremental: compared is what may have changed since the comparison before.
	Incremental bool    `json:"incremental,omitempty"`
	Expanded    bool    `json:"expanded"` // Checks is complete
	Checks      []check `json:"checks"`
	Error       string  `json:"error,omitempty"` // why no table could be found
}

// check is the comparison of one table, and its repetition.
type check struct {
	Table   api.TableName `json:"table_name"`
	TaskID  string        `json:"task_id,omitempty"` // "" until it is submitted
	Status  string        `json:"status,omitempty"`
	Verdict string        `json:"verdict,omitempty"`
	Error   string        `json:"error,omitempty"`
	RerunAt time.Time     `json:"rerun_at,omitzero"`
	Rerun   *check        `json:"rerun,omitempty"`
}

// ended says that nothing more will come of the submission.
func (c check) ended() bool {
	switch c.Status {
	case api.StatusCompleted, api.StatusFailed, api.StatusCancelled:
		return true
	}
	return false
}

// awaited says that its repetition is still to be submitted.
func (c check) awaited() bool { return !c.RerunAt.IsZero() && c.Rerun == nil }

// last is the repetition, if there was one, else the check itself.
func (c check) last() check {
	if c.Rerun != nil {
		return *c.Rerun
	}
	return c
}

// busy says that tasks of the run are still to be submitted, or have not ended; a repetition that is only awaited does
// not count, since the next run sees more than it would.
func (r *run) busy() bool {
	return r != nil && (!r.Expanded || slices.ContainsFunc(r.Checks, func(c check) bool { return !c.last().ended() }))
}

// open says that there is still something to do for the run.
func (r *run) open() bool {
	return r.busy() || r != nil && slices.ContainsFunc(r.Checks, check.awaited)
}

// full says that the run compared every row, in all its tables.
func (r *run) full() bool {
	return r != nil && !r.Incremental && r.Error == "" && len(r.Checks) > 0 &&
		!slices.ContainsFunc(r.Checks, func(c check) bool { return c.Status != api.StatusCompleted })
}

// stored is a state and the version it has in the archive.
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
		return stored{}, fault.Wrap(err, fault.Unavailable, "the archive broke off while %s was read", object.Key)
	}
	loaded := stored{etag: object.ETag}
	if err := json.Unmarshal(body, &loaded.state); err != nil {
		return stored{}, fault.Wrap(err, fault.Internal, "%s in the archive is damaged", object.Key)
	}
	return loaded, nil
}

// save writes a state if nobody else has written it since it was read.
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
