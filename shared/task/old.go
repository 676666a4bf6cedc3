package task

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/timelist"
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

		if _, err := r.MoveIndex(ctx); err != nil { // so that one list has all tasks
			yield(Record{}, err)
			return
		}

		stopped := false
		// The index is ordered by submission, newest first. A task that ended before this
		// time was also submitted before it, so later submissions are skipped.
		after := allTasks() + timelist.Stamp(before)
		err = r.store.List(ctx, allTasks(), after, func(info archive.Info) bool {
			id := timelist.TaskID(strings.TrimPrefix(info.Key, allTasks()))
			rec, err := r.Get(ctx, id)
			switch {
			case fault.CodeOf(err) == fault.NotFound:
				if err = r.removeEntry(ctx, info.Key); err == nil { // an interrupted Forget left it
					return true
				}
			case fault.CodeOf(err) == fault.Invalid, IsUnreadable(err):
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

// removeEntry removes the entries of a task that has no record. key is that in the list
// of all tasks, which is deleted last.
func (r *Registry) removeEntry(ctx context.Context, key string) error {
	var e entry
	if _, err := r.readJSON(ctx, key, &e); err != nil && fault.CodeOf(err) != fault.Internal {
		return ignoreUnreadable(err)
	}
	if err := r.each(ctx, e.narrowKeys(strings.TrimPrefix(key, allTasks())), r.store.Delete); err != nil {
		return err
	}
	return r.store.Delete(ctx, key)
}

func (r *Registry) openSet(ctx context.Context) (map[string]bool, error) {
	open := map[string]bool{}
	err := r.store.List(ctx, archive.OpenPrefix, "", func(info archive.Info) bool {
		open[strings.TrimPrefix(info.Key, archive.OpenPrefix)] = true
		return true
	})
	return open, err
}

// Forget removes a task that has ended from the lists, and its record. It must be the
// last step of the removal of a task, because the other objects of the task can be found
// only through the record. The entry in the list of all tasks is removed last, because a
// later EndedBefore finds the task by it.
func (r *Registry) Forget(ctx context.Context, rec Record) error {
	if !rec.Status.Terminal() {
		return fmt.Errorf("task: %s is %s and cannot be forgotten", rec.TaskID, rec.Status)
	}
	name := indexName(rec)
	if err := r.unlist(ctx, entryOf(rec), name); err != nil {
		return err
	}
	if err := r.store.Delete(ctx, archive.TaskKey(rec.TaskID)); err != nil {
		return err
	}
	return r.store.Delete(ctx, allTasks()+name)
}
