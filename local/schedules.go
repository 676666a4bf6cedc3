package main

import (
	"context"

	"ace/shared/fault"
	"ace/shared/private"
	"ace/shared/schedule"
)

// readSchedules returns the jobs of a schedules file, or none if path is empty.
func readSchedules(path string) ([]schedule.Job, error) {
	if path == "" {
		return nil, nil
	}
	data, err := private.Instructions(path, schedule.MaxFile+1)
	if fault.CodeOf(err) == fault.Invalid {
		return nil, fault.New(fault.Invalid, "ACE_SCHEDULES is refused: %s", fault.PublicMessage(err))
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "ACE_SCHEDULES is %q, which cannot be read: %v", path, err)
	}
	return schedule.Parse(path, data)
}

// reload reads the schedules again after each SIGHUP, until the context ends. A file that
// cannot be used is logged, and the previous jobs continue.
func (s *service) reload(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.hangups:
		}

		jobs, err := readSchedules(s.schedules)
		switch {
		case err != nil:
			s.log.ErrorContext(ctx, "schedules not reloaded; the previous ones are still used", "file", s.schedules, "error", fault.PublicMessage(err))
		case s.schedules == "":
			s.log.InfoContext(ctx, "nothing to reload: there is no schedules file, and cluster definitions are read for each task")
		default:
			s.scheduler.Replace(jobs)
			s.log.InfoContext(ctx, "schedules reloaded", "file", s.schedules, "jobs", len(jobs))
		}
	}
}
