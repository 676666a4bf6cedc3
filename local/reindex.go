package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"ace/shared/config"
	"ace/shared/diffindex"
	"ace/shared/task"
)

// reindex rebuilds the list of documents from the task records.
func reindex(ctx context.Context, c config.Config) error {
	b, err := openStore(ctx, c.Store, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = b.close() }() // the next start repeats what close could not finish
	done, err := diffindex.New(b).Rebuild(ctx, task.NewRegistry(b, time.Now).All(ctx))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%d documents are listed, %d that are gone were taken off the list\n", done.Listed, done.Removed)
	return err
}
