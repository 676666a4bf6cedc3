package task

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

// EndedBefore yields the tasks that ended before a time and have been cleared, the newest
// submission first. It ends with the first error.
func (r *Registry) EndedBefore(ctx context.Context, before time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		open, err := r.openSet(ctx)
		if err != nil {
			yield(Record{}, err)
			return
		}

		stopped := false
		// The index is ordered by submission, newest first. A task that ended before this
		// time was also submitted before it, so later submissions are skipped.
		after := indexPrefix + indexStamp(before)
		err = r.store.List(ctx, indexPrefix, after, func(info archive.Info) bool {
			_, id, _ := strings.Cut(strings.TrimPrefix(info.Key, indexPrefix), "-")
			rec, err := r.Get(ctx, id)
			switch {
			case fault.CodeOf(err) == fault.NotFound:
				err = r.store.Delete(ctx, info.Key) // an interrupted Forget left the entry
				if err == nil {
					return true
				}
			case fault.CodeOf(err) == fault.Invalid, errors.Is(err, ErrNewer):
				return true
			case err == nil && (open[id] || rec.FinishedAt == nil || !rec.FinishedAt.Before(before)):
				return true
			}
			stopped = !yield(rec, err) || err != nil
			return !stopped
		})

		if err != nil && !stopped {
			yield(Record{}, err)
		}
	}
}

func (r *Registry) openSet(ctx context.Context) (map[string]bool, error) {
	open := map[string]bool{}
	err := r.store.List(ctx, archive.OpenPrefix, "", func(info archive.Info) bool {
		open[strings.TrimPrefix(info.Key, archive.OpenPrefix)] = true
		return true
	})
	return open, err
}

// Forget removes the record of a task that has ended, and then its index entry. It must
// be the last step of the removal of a task, because the other objects of the task can be
// found only through the record.
func (r *Registry) Forget(ctx context.Context, rec Record) error {
	if !rec.Status.Terminal() {
		return fmt.Errorf("task: %s is %s and cannot be forgotten", rec.TaskID, rec.Status)
	}
	if err := r.store.Delete(ctx, archive.TaskKey(rec.TaskID)); err != nil {
		return err
	}
	return r.store.Delete(ctx, indexPrefix+indexName(rec))
}
