package main

import (
	"context"
	"time"
)

// retentionEvery is the time between two sweeps that delete old data. The first sweep is
// at the start.
const retentionEvery = 24 * time.Hour

// retain deletes tasks and documents that ended or were imported more than the given
// number of days ago. It does so at the start and every day until the context ends. If
// days is 0, it deletes only abandoned uploads.
func (s *service) retain(ctx context.Context, days int) {
	sweeper := s.app.Retention()
	sweeper.Keep = s.scheduler.Needed
	sweep := func() {
		removed, err := sweeper.Sweep(ctx, time.Duration(days)*24*time.Hour)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			s.log.WarnContext(ctx, "old documents not removed: that is tried again", "error", err, "after", retentionEvery)
		case removed.Tasks+removed.Imports > 0:
			s.log.InfoContext(ctx, "old documents removed", "tasks", removed.Tasks, "imports", removed.Imports, "older_than_days", days)
		}
	}
	s.moveIndex(ctx)
	sweep()
	every(ctx, retentionEvery, sweep)
}

// moveIndex moves the list of tasks of an earlier version to the lists of this version.
// Until then both are read. What is left is moved at the next start.
func (s *service) moveIndex(ctx context.Context) {
	moved, err := s.app.Tasks().MoveIndex(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.log.WarnContext(ctx, "the list of tasks of an earlier version was not moved; the next start continues", "moved", moved, "error", err)
	case moved > 0:
		s.log.InfoContext(ctx, "the list of tasks of an earlier version was moved", "tasks", moved)
	}
}
