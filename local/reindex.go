package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"ace/shared/config"
	"ace/shared/diffindex"
	"ace/shared/fault"
	"ace/shared/task"
)

// reindex rebuilds the lists of documents and of tasks from the task records.
func reindex(ctx context.Context, c config.Config) error {
	b, err := openStore(ctx, c.Store, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = b.close() }() // the next start repeats what close could not finish
	tasks := task.NewRegistry(b, time.Now)
	if _, err := tasks.MoveIndex(ctx); err != nil {
		return err
	}
	listed, err := tasks.Reindex(ctx)
	if err != nil {
		return err
	}
	done, err := diffindex.New(b).Rebuild(ctx, tasks.All(ctx))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%d tasks and %d documents are listed, %d documents that are gone were taken off the list\n", listed, done.Listed, done.Removed)
	for _, id := range slices.Sorted(maps.Keys(done.Unreadable)) {
		_, err = fmt.Fprintf(os.Stdout, "task %s was skipped: %s\n", id, fault.PublicMessage(done.Unreadable[id]))
	}
	return err
}
