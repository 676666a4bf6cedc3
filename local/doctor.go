package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"ace/shared/app"
	"ace/shared/config"
	"ace/shared/fault"
)

// doctor checks what the service needs, the archive and the cluster definitions, and tells everything that is wrong.
func doctor(ctx context.Context, c config.Config) error {
	return errors.Join(checkArchive(ctx, c), checkClusters(ctx, c))
}

// checkArchive opens the archive as the service would. Beside a running service on the same directory that cannot be
// done, and need not.
func checkArchive(ctx context.Context, c config.Config) error {
	b, err := openStore(ctx, c.Store, slog.New(slog.DiscardHandler))
	switch {
	case err == nil:
		b.close(ctx)
		return tell("the archive %s keeps what the service needs", c.Store)
	case c.Store.Embedded && fault.CodeOf(err) == fault.Conflict:
		return tell("%s; it has checked the archive itself", fault.PublicMessage(err))
	}
	return fault.Wrap(err, fault.CodeOf(err), "the archive %s cannot be used", c.Store)
}

// checkClusters reads every definition.
func checkClusters(ctx context.Context, c config.Config) error {
	files, err := serviceFiles(c)
	if err != nil {
		return err
	}
	source, closeSource, err := app.Clusters(ctx, c, files)
	if err != nil {
		return err
	}
	defer closeSource()
	names, err := source.Names(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return tell("no cluster is defined in %s or a pg_service.conf", c.Clusters)
	}
	var usable []string
	var wrong []error
	for _, name := range names {
		if _, err := source.Load(ctx, name); err != nil {
			wrong = append(wrong, err)
			continue
		}
		usable = append(usable, name)
	}
	for _, doubt := range doubts(c, files) {
		wrong = append(wrong, tell("warning: %s", doubt))
	}
	if len(usable) > 0 {
		wrong = append(wrong, tell("the definitions of these clusters can be used: %s", strings.Join(usable, ", ")))
	}
	return errors.Join(wrong...)
}

// tell prints a finding.
func tell(format string, args ...any) error {
	_, err := fmt.Fprintf(os.Stdout, format+"\n", args...)
	return err
}
