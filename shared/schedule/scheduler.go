package schedule

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
)

const (
	// Tick is how often it is looked what is due, and what became of what was submitted.
	Tick = 5 * time.Second
	// maxCounted bounds how many missed runs are counted one by one after a long time.
	maxCounted = 100_000
)

// Submitter takes requests as the API does.
type Submitter interface {
	SubmitTableDiff(ctx context.Context, req api.TableDiffRequest) (api.Submitted, error)
	SubmitTableRerun(ctx context.Context, req api.TableRerunRequest) (api.Submitted, error)
	TaskStatus(ctx context.Context, req api.TaskRequest) (api.TaskStatus, error)
}

// Catalog finds tables.
type Catalog interface {
	// Tables gives the tables of a schema that any of the nodes has, sorted; req says cluster, database and nodes.
	Tables(ctx context.Context, req api.TableDiffRequest, schema string) ([]api.TableName, error)
}

// Options of a scheduler.
type Options struct {
	Jobs    []Job
	Store   archive.Store
	Submit  Submitter
	Catalog Catalog
	Now     func() time.Time
	Log     *slog.Logger
}

// Scheduler starts jobs when they are due.
type Scheduler struct {
	Options
	known map[string]bool // jobs that Step has begun

	mu     sync.Mutex // of states: Step writes, List reads
	states map[string]*stored
}

// New makes a scheduler. Step or Run begins the work.
func New(o Options) *Scheduler {
	return &Scheduler{Options: o, known: map[string]bool{}, states: map[string]*stored{}}
}

// Run looks after the jobs until the context ends.
func (s *Scheduler) Run(ctx context.Context) {
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	for {
		s.Step(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Step does what can be done now for every job, in the order of the file: first it notes all runs that are due, so that
// none is forgotten that has to wait, then it goes on with all that are noted. What cannot be done is tried by the next
// Step; when the queue is full or the store out of reach, the jobs behind wait as well and keep their order. It is called
// by one goroutine at a time.
func (s *Scheduler) Step(ctx context.Context) {
	if s.each(ctx, s.plan) {
		s.each(ctx, s.pursue)
	}
}

// each calls fn for every job, and says whether it came to the end.
func (s *Scheduler) each(ctx context.Context, fn func(context.Context, Job) error) bool {
	for _, job := range s.Jobs {
		err := fn(ctx, job)
		if err == nil {
			continue
		}
		s.set(job.Name, nil) // what is stored decides
		if ctx.Err() != nil {
			return false
		}
		if passing(err) {
			s.Log.InfoContext(ctx, "scheduled jobs wait", "job", job.Name, "reason", err)
			return false
		}
		s.Log.ErrorContext(ctx, "scheduled job is held up", "job", job.Name, "error", err)
	}
	return true
}

// plan notes the run that is due.
func (s *Scheduler) plan(ctx context.Context, job Job) error {
	st, err := s.begin(ctx, job)
	if err != nil || !job.Enabled || job.next(st.Seen).After(s.Now()) {
		return err
	}
	if err := s.refresh(ctx, job, st); err != nil {
		return err
	}
	return s.start(ctx, job, st)
}

// pursue goes on with the run that is noted.
func (s *Scheduler) pursue(ctx context.Context, job Job) error {
	if !job.Enabled {
		return nil
	}
	st, err := s.begin(ctx, job)
	if err != nil {
		return err
	}
	return s.advance(ctx, job, st)
}

// begin gives the state of a job. The first time it counts the runs that fell into the time when nobody was there, unless
// the job is new, was disabled or had other times then.
func (s *Scheduler) begin(ctx context.Context, job Job) (*stored, error) {
	if st := s.get(job.Name); st != nil {
		return st, nil
	}
	st, err := s.load(ctx, job.Name)
	if err != nil {
		return nil, err
	}
	if !s.known[job.Name] {
		if err := s.arrive(ctx, job, &st); err != nil {
			return nil, err
		}
		s.known[job.Name] = true
	}
	s.set(job.Name, &st)
	return &st, nil
}

// arrive brings a state up to now.
func (s *Scheduler) arrive(ctx context.Context, job Job, st *stored) error {
	now, spec := s.Now().UTC(), job.Spec
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
	st.Spec, st.Seen = spec, later(st.Seen, now.Add(-time.Millisecond)) // what is due at this very moment is not missed
	return s.save(ctx, st)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// start notes a run that is due, unless the one before goes on. Of several that are due, the last counts.
func (s *Scheduler) start(ctx context.Context, job Job, st *stored) error {
	now, next := s.Now(), *st
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
		s.Log.WarnContext(ctx, "scheduled run is skipped: the one before goes on", "job", job.Name, "due", due, "since", st.Run.Due)
	}
	return s.replace(ctx, st, next)
}

// replace stores the next version of a state.
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

// passing says of an error that trying again may help; any other ends the check.
func passing(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.Cancelled:
		return true
	}
	return false
}
