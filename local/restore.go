package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"ace/local/client"
	"ace/shared/archive/dirstore"
	"ace/shared/fault"
	"ace/shared/visible"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", ArgsUsage: "FILE DIR", Usage: "restore a backup into a new directory, from which a service can be started",
		Description: "FILE is a file that ace backup has written. DIR must be empty or not exist. Run it as the user of the service.\n" +
			"Lists the tasks that would resume. A damaged or incomplete backup is refused.\n" +
			"Example: ace restore /backup/ace-2024-03-15.tar /var/lib/ace/archive",
		Action: restoreBackup, OnUsageError: badUsage,
	}
}

// restoreBackup runs `ace restore FILE DIR`.
func restoreBackup(ctx context.Context, cmd *cli.Command) error {
	failed := func(err error) error {
		return &client.ExitError{Status: client.ExitFailed, Message: fault.PublicMessage(err)}
	}
	if cmd.Args().Len() != 2 {
		return failed(fault.New(fault.Invalid, "ace restore needs FILE, a backup, and DIR, an empty or new directory; see ace restore --help"))
	}
	file, err := os.Open(cmd.Args().Get(0))
	if err != nil {
		return failed(fault.New(fault.Invalid, "the backup cannot be read: %v", err))
	}
	defer file.Close()
	dir, err := filepath.Abs(cmd.Args().Get(1))
	if err != nil {
		return failed(err)
	}

	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	restored, err := dirstore.Restore(ctx, dir, file)
	if errors.Is(err, context.Canceled) {
		return &client.ExitError{Status: client.ExitCancelled, Message: "the restore was interrupted; nothing was restored"}
	}
	if err != nil {
		return failed(err)
	}

	fmt.Fprintf(os.Stdout, "restored %d objects to %s, as of %s\n", restored.Objects, dir, restored.TakenAt.Format("2006-01-02 15:04:05 UTC"))
	warnOfUnfinished(restored.Unfinished)
	return client.DamagedError(restored.Manifest)
}

// warnOfUnfinished prints which tasks would resume, and how to prevent that.
func warnOfUnfinished(ids []string) {
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	fmt.Fprintf(os.Stdout, "\n%d tasks had not ended and resume when a service starts with this archive:\n", len(ids))
	for _, id := range ids {
		fmt.Fprintf(os.Stdout, "  %s\n", visible.Line(id)) // the file of the backup may be forged
	}
	isRepair := func(id string) bool { return strings.HasPrefix(id, "tr_") || strings.HasPrefix(id, "tu_") }
	if slices.ContainsFunc(ids, isRepair) {
		fmt.Fprint(os.Stdout, "\nThose that begin with tr_ or tu_ change rows. A transaction that was committed is not repeated, but a\n"+
			"repair that had not begun on a node begins there. Never run the original archive and this one at the\n"+
			"same time against the same nodes. docs/DEPLOY.md (Backing up the archive) has the details.\n")
	}
}
