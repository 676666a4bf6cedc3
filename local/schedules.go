package main

import (
	"context"
	"strings"

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

// reload reads the schedules, the callers and the TLS files again after each SIGHUP,
// until the context ends. A file that cannot be used is logged, and what was read before
// stays in use. The last line of the log names what was reloaded.
func (s *service) reload(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.hangups:
		}

		s.reloadOnce(ctx)
	}
}

// reloadOnce reads the schedules, the callers and the TLS files again.
func (s *service) reloadOnce(ctx context.Context) {
	reloaded := []any{"clusters", "read for each task"}
	jobs, err := readSchedules(s.schedules)
	switch {
	case err != nil:
		s.log.ErrorContext(ctx, "schedules not reloaded; the previous ones are still used", "file", s.schedules, "error", fault.PublicMessage(err))
	case s.schedules != "":
		s.scheduler.Replace(jobs)
		reloaded = append(reloaded, "schedules", s.schedules, "jobs", len(jobs))
	}

	if s.config.NeedsToken() {
		if entries, err := s.config.ReadCallers(); err != nil {
			s.log.ErrorContext(ctx, "callers not reloaded; the previous ones are still used", "error", fault.PublicMessage(err))
		} else {
			s.callers.Replace(entries)
			reloaded = append(reloaded, "callers", strings.Join(s.callers.Names(), ", "))
		}
	}

	if s.certificates != nil {
		if err := s.certificates.load(); err != nil {
			s.log.ErrorContext(ctx, notReloaded, "error", fault.PublicMessage(err))
		} else {
			reloaded = append(reloaded, "certificate", s.certificates.config.TLSCert, "expires", s.certificates.expiry().UTC())
		}
	}
	s.log.InfoContext(ctx, "reloaded after SIGHUP", reloaded...)
}
