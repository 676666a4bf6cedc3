package schedule

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/caller"
	"ace/shared/fault"
	"ace/shared/setfile"
)

const (
	// Tick is how often due jobs, and the status of submitted tasks, are checked.
	Tick = 5 * time.Second
	// maxCounted is the maximum number of missed runs that are counted after a long
	// downtime.
	maxCounted = 100_000
)

// Submitter submits comparisons and reads their status, as requests to the API do.
type Submitter interface {
	SubmitTableDiff(ctx context.Context, req api.TableDiffRequest) (api.Submitted, error)
	SubmitTableRerun(ctx context.Context, req api.TableRerunRequest) (api.Submitted, error)
	SubmitSchemaDiff(ctx context.Context, req api.SchemaDiffRequest) (api.Submitted, error)
	// SetDocument returns the document of a schema-diff that has ended. If the task has
	// no document, the error has the code NotFound.
	SetDocument(ctx context.Context, taskID string) (setfile.Document, error)
	TaskStatus(ctx context.Context, req api.TaskRequest) (api.TaskStatus, error)
}

// Options configure a scheduler.
type Options struct {
	Jobs   []Job // the first jobs; see Replace
	Store  archive.Store
	Submit Submitter
	Now    func() time.Time
	Log    *slog.Logger
}

// Scheduler submits the tasks of jobs when they are due.
type Scheduler struct {
	Options
	known map[string]bool // names of the jobs whose missed runs have been counted
	wake  chan struct{}   // has a value after Replace, so that Run calls Step at once

	mu       sync.Mutex // guards the fields below, which Step writes and List reads
	jobs     []Job
	replaced *[]Job // the jobs that the next Step uses; nil: the same as before
	states   map[string]*stored
}

// New returns a scheduler. It does nothing until Step or Run is called.
func New(o Options) *Scheduler {
	return &Scheduler{Options: o, known: map[string]bool{}, wake: make(chan struct{}, 1), jobs: o.Jobs, states: map[string]*stored{}}
}

// Replace replaces all jobs by the given ones, which the next Step uses. A job with the
// same name, times and Enabled as before keeps its state. The tasks of a job that was
// removed continue, but none is submitted any more. It is safe for concurrent use.
func (s *Scheduler) Replace(jobs []Job) {
	s.mu.Lock()
	s.replaced = &jobs
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // wake has a value already, which Run has not received yet
	}
}

// adopt begins to use the jobs that Replace has set, and returns the current jobs. It
// forgets the state of jobs that were removed, enabled or disabled, or whose times have
// changed. If such a job still exists, the method state loads its stored state again.
// Then countMissed counts no run as missed, because the stored Spec is not that of the
// job or the job is disabled.
func (s *Scheduler) adopt() []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replaced == nil {
		return s.jobs
	}

	before := s.jobs
	s.jobs, s.replaced = *s.replaced, nil
	for _, old := range before {
		same := func(job Job) bool { return job.Name == old.Name && job.Spec == old.Spec && job.Enabled == old.Enabled }
		if !slices.ContainsFunc(s.jobs, same) {
			delete(s.known, old.Name)
			delete(s.states, old.Name)
		}
	}
	return s.jobs
}

// list returns the jobs in the order of the file.
func (s *Scheduler) list() []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs
}

// Run calls Step every Tick until the context ends.
func (s *Scheduler) Run(ctx context.Context) {
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	for {
		s.Step(ctx)
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-ticker.C:
		}
	}
}

// Step advances all jobs, in the order of the file. It first stores all runs that are
// due, so that no run is lost if the run has to wait. It then continues the stored runs.
// The next Step retries what failed. If the queue is full or the store is unreachable,
// the remaining jobs wait too and keep their order. Step must not be called concurrently.
func (s *Scheduler) Step(ctx context.Context) {
	jobs := s.adopt()
	if s.forEach(ctx, jobs, s.startDue) {
		s.forEach(ctx, jobs, s.continueRun)
	}
}

// forEach calls fn for every job and returns true. If ctx has ended or fn returns a
// temporary error (see isTemporary), it stops and returns false. It logs other errors.
func (s *Scheduler) forEach(ctx context.Context, jobs []Job, fn func(context.Context, Job) error) bool {
	for _, job := range jobs {
		err := fn(caller.AsJob(ctx, job.Name), job)
		if err == nil {
			continue
		}
		s.set(job.Name, nil) // so that the next Step reads the stored state again
		if ctx.Err() != nil {
			return false
		}
		if isTemporary(err) {
			s.Log.InfoContext(ctx, "scheduled jobs wait", "job", job.Name, "reason", err)
			return false
		}
		s.Log.ErrorContext(ctx, "scheduled job failed; the next check retries it", "job", job.Name, "error", err)
	}
	return true
}

// startDue stores a new run of a job if a run is due.
func (s *Scheduler) startDue(ctx context.Context, job Job) error {
	st, err := s.state(ctx, job)
	if err != nil || !job.Enabled || job.next(st.Seen).After(s.Now()) {
		return err
	}
	if err := s.refresh(ctx, job, st); err != nil {
		return err
	}
	return s.start(ctx, job, st)
}

// continueRun continues the stored run of a job.
func (s *Scheduler) continueRun(ctx context.Context, job Job) error {
	if !job.Enabled {
		return nil
	}
	st, err := s.state(ctx, job)
	if err != nil {
		return err
	}
	return s.advance(ctx, job, st)
}

// state returns the state of a job. The first call for a job also counts the runs that
// were missed while no process was running, and stores the count.
func (s *Scheduler) state(ctx context.Context, job Job) (*stored, error) {
	if st := s.get(job.Name); st != nil {
		return st, nil
	}

	st, err := s.load(ctx, job.Name)
	if err != nil {
		return nil, err
	}

	if !s.known[job.Name] {
		if err := s.countMissed(ctx, job, &st); err != nil {
			return nil, err
		}
		s.known[job.Name] = true
	}

	s.set(job.Name, &st)
	return &st, nil
}

// countMissed counts the missed runs of a job up to now and stores the state. It counts
// no run if the job is new, or if the job was disabled or had another schedule when the
// state was stored.
func (s *Scheduler) countMissed(ctx context.Context, job Job, st *stored) error {
	now := s.Now().UTC()
	spec := job.Spec
	if !job.Enabled {
		spec = ""
	}

	if st.Spec == spec && job.Enabled {
		before := st.Missed.Count
		for due := job.next(st.Seen); !due.IsZero() && due.Before(now) && st.Missed.Count < before+maxCounted; due = job.next(due) {
			st.Missed = st.Missed.and(due)
		}
		if missed := st.Missed.Count - before; missed > 0 {
			s.Log.WarnContext(ctx, "scheduled runs were missed", "job", job.Name, "count", missed, "last", st.Missed.Last)
		}
	}

	st.Spec = spec
	st.Seen = later(st.Seen, now.Add(-time.Millisecond)) // a run that is due right now is not missed
	return s.save(ctx, st)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// start stores a new run, or counts it as skipped if the previous run has not ended. If
// several runs are due, it starts the last and counts the others as missed.
func (s *Scheduler) start(ctx context.Context, job Job, st *stored) error {
	now := s.Now()
	next := *st
	var due time.Time
	for at := job.next(next.Seen); !at.IsZero() && !at.After(now); at = job.next(at) {
		if !due.IsZero() {
			next.Missed = next.Missed.and(due)
		}
		due, next.Seen = at, at
	}

	if due.IsZero() {
		return nil
	}

	if !st.Run.busy() {
		if st.Run.full() {
			next.Full = st.Run.Due
		}
		next.Run = &run{Due: due, Incremental: job.FullEvery > 0 && due.Before(next.Full.Add(job.FullEvery))}
	} else {
		next.Skipped = next.Skipped.and(due)
		s.Log.WarnContext(ctx, "scheduled run skipped: the previous run has not ended", "job", job.Name, "due", due, "previous", st.Run.Due)
	}
	return s.replace(ctx, st, next)
}

// replace stores next as the new version of st.
func (s *Scheduler) replace(ctx context.Context, st *stored, next stored) error {
	if err := s.save(ctx, &next); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	*st = next
	return nil
}

func (s *Scheduler) get(job string) *stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states[job]
}

func (s *Scheduler) set(job string, st *stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st == nil {
		delete(s.states, job)
		return
	}
	s.states[job] = st
}

// isTemporary reports whether a retry may succeed. After any other error of a submission,
// the check has failed.
func isTemporary(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.Cancelled:
		return true
	}
	return false
}
