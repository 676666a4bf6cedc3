package task

import (
	"context"
	"fmt"

	"ace/shared/archive"
)

// Clear tells who wants to know of a published document (OnPublished), removes what the task wrote for itself, plan and
// parts above all, since they hold row data, and then its open mark. It is for a task that Finish has ended. After an error it may be repeated, by anybody: while the mark stands,
// Acquire does.
func (l *Lease) Clear(ctx context.Context) error {
	rec := l.Record()
	if !rec.Status.Terminal() {
		return fmt.Errorf("task: %s is %s: what it wrote is still needed", rec.TaskID, rec.Status)
	}
	return l.registry.clear(ctx, rec)
}

// clear is Clear for whoever knows that the task has ended. The mark goes last, and only when all else is gone: nobody
// would look for the rest without it.
func (r *Registry) clear(ctx context.Context, rec Record) error {
	if rec.Document != nil && r.published != nil {
		if err := r.published(ctx, rec); err != nil {
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
	for _, key := range append(keys, archive.OpenKey(id)) {
		if err := r.store.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
