package task

import (
	"context"
	"fmt"

	"ace/shared/archive"
)

// Clear runs the OnPublished hook, deletes the task's working objects, runs the OnEnded
// hook, and deletes the task's open marker. The working objects must be deleted because
// plan and parts contain row data. The task must have been ended by Finish. After an
// error the cleanup may be repeated by any process; while the marker exists, Acquire
// repeats it.
func (l *Lease) Clear(ctx context.Context) error {
	rec := l.Record()
	if !rec.Status.Terminal() {
		return fmt.Errorf("task: %s is %s: its working objects are still needed", rec.TaskID, rec.Status)
	}
	return l.registry.clear(ctx, rec)
}

// clear does what Clear does, for callers that know that the task has ended. The marker
// is deleted last, and only if everything else has been deleted, because an interrupted
// cleanup can be found only by the marker.
func (r *Registry) clear(ctx context.Context, rec Record) error {
	if rec.Document != nil && r.onPublished != nil {
		if err := r.onPublished(ctx, rec); err != nil {
			return err
		}
	}

	id := rec.TaskID
	var keys []string
	err := r.store.List(ctx, archive.TaskPrefix(id), "", func(info archive.Info) bool {
		if info.Key != archive.TaskKey(id) {
			keys = append(keys, info.Key)
		}
		return true
	})
	if err != nil {
		return err
	}

	for _, key := range keys {
		if err := r.store.Delete(ctx, key); err != nil {
			return err
		}
	}

	if r.onEnded != nil {
		if err := r.onEnded(ctx, rec); err != nil {
			return err
		}
	}
	return r.store.Delete(ctx, archive.OpenKey(id))
}
