package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v3"

	"ace/local/client"
	"ace/local/manpage"
)

// showManual prints the manual page. The packages of a release contain it.
func showManual(_ context.Context, cmd *cli.Command) error {
	return manual(cmd.Root()).Write(os.Stdout)
}

// manual returns the manual page of a program with its commands.
func manual(program *cli.Command) manpage.Page {
	return manpage.Page{
		Program: program,
		Version: version(),
		About: "ACE compares a PostgreSQL table between the nodes of a cluster while the table is in use, and finds every row " +
			"that differs. It archives each result as a document, and repairs the rows on request. " +
			"A command uses a running service, or runs the service itself until the command ends. ace COMMAND --help describes one command.",
		Shared: []manpage.Flags{
			{Title: "Flags of commands that use the API", Flags: client.CommonFlags()},
			{Title: "Configuration", Flags: configFlags()},
		},
		After: []manpage.Section{
			{Title: "Exit status", Entries: []manpage.Entry{
				{Text: "Of the commands that compare, repair, and show tasks and documents:"},
				{Term: "0", Text: "The rows match, or the command did what was asked."},
				{Term: "1", Text: "A comparison found differences."},
				{Term: "2", Text: "The task failed, or the command was used wrongly."},
				{Term: "3", Text: "The task was cancelled, a question was answered with no, or the command did not wait for the end."},
				{Text: "Of the other commands: 0, 1 after an error, and 78 if the configuration is invalid."},
			}},
			{Title: "Environment", Entries: []manpage.Entry{
				{Text: "The variable of each flag is named with the flag. These have no flag:"},
				{Term: "PGPASSFILE", Text: "The file of passwords, if the cluster definitions contain none. The default is ~/.pgpass."},
				{Term: "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...", Text: "The credentials of an archive in S3, as other tools of AWS use them."},
				{Term: "NO_COLOR", Text: "Prints no colors."},
			}},
			{Title: "Files", Entries: []manpage.Entry{
				{Text: "Of the service that the package installs:"},
				{Term: "/etc/ace/clusters/", Text: "The cluster definitions."},
				{Term: "/etc/ace/environment", Text: "Variables of the service."},
				{Term: "/etc/ace/pgpass", Text: "The passwords of the roles, in the format of ~/.pgpass. It must belong to the user ace, with mode 0600."},
				{Term: "/var/lib/ace/archive/", Text: "The archive: every task and document."},
				{Term: "/run/ace/ace.sock", Text: "The socket of the service, for members of the group ace."},
			}},
			{Title: "See also", Entries: []manpage.Entry{
				{Text: "psql(1), systemctl(1), and the documentation in /usr/share/doc/ace-postgresql."},
			}},
		},
	}
}
