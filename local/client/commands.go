package client

import (
	"context"
	"slices"

	"github.com/urfave/cli/v3"
)

// The categories of commands in the help.
const (
	categoryTasks   = "Compare and repair"
	categoryArchive = "Tasks and documents"
	categoryNodes   = "Clusters and tables"
	categoryAgents  = "Agents"
)

// Commands returns the commands that use the API.
func Commands(o Options) []*cli.Command {
	return slices.Concat(o.operationCommands(), o.taskCommands(), o.documentCommands(), o.nodeCommands(), o.agentCommands())
}

// command returns a command with the flags that all commands of this package have.
func (o Options) command(c *cli.Command, run func(context.Context, *session) error) *cli.Command {
	c.Flags = append(c.Flags, CommonFlags()...)
	c.Action = o.action(run)
	c.OnUsageError = badUsage
	return c
}

// badUsage converts a mistake on the command line to an ExitError.
func badUsage(_ context.Context, cmd *cli.Command, err error, _ bool) error {
	return &ExitError{ExitFailed, err.Error() + ", see " + cmd.FullName() + " --help"}
}

func waitFlags(confirmed bool) []cli.Flag {
	flags := []cli.Flag{&cli.BoolFlag{Name: flagNoWait, Usage: "print the task's id and do not wait for its end"}}
	if confirmed {
		flags = append(flags, &cli.BoolFlag{Name: flagYes, Aliases: []string{"y"}, Usage: "ask nothing and make no dry run first"})
	}
	return flags
}

func (o Options) operationCommands() []*cli.Command {
	return []*cli.Command{
		o.command(&cli.Command{
			Name: "table-diff", Category: categoryTasks, ArgsUsage: "CLUSTER SCHEMA.TABLE",
			Usage:       "compare a table between the nodes of a cluster",
			Description: "Example: ace table-diff demo public.users --nodes n1,n2",
			Flags:       append(paramFlags("table-diff", "cluster_name", "table_name"), waitFlags(false)...),
		}, tableDiff),
		o.command(&cli.Command{
			Name: "schema-diff", Category: categoryTasks, ArgsUsage: "CLUSTER SCHEMA",
			Usage: "compare all tables of a schema between the nodes of a cluster",
			Description: "SCHEMA is a schema, several separated by commas, or '*' for all schemas of users.\n" +
				"The exit status is 2 if a table could not be compared.\n" +
				"Example: ace schema-diff demo public --skip-tables 'audit_*,*_old'",
			Flags: append(paramFlags("schema-diff", "cluster_name", "schema_name"), waitFlags(false)...),
		}, schemaDiff),
		o.command(&cli.Command{
			Name: "repset-diff", Category: categoryTasks, ArgsUsage: "CLUSTER SET",
			Usage: "compare the tables of a publication or of a replication set between the nodes of a cluster",
			Description: "SET is the name of a publication, or of a replication set of pglogical or Spock.\n" +
				"publication:SET, pglogical:SET or spock:SET selects one of several sets with this name.\n" +
				"Only rows and columns that are replicated are compared. The exit status is 2 if a table could not be compared.\n" +
				"Example: ace repset-diff demo orders",
			Flags: append(paramFlags("repset-diff", "cluster_name", "repset_name"), waitFlags(false)...),
		}, repsetDiff),
		o.command(&cli.Command{
			Name: "table-rerun", Category: categoryTasks, ArgsUsage: "DOCUMENT",
			Usage: "compare the rows of a document again",
			Description: "DOCUMENT is the id of a table-diff or table-rerun, a diff_file, or a file on this machine.\n" +
				"Example: ace table-rerun td_20240315_123456",
			Flags: append(paramFlags("table-rerun", "diff_file"), waitFlags(false)...),
		}, tableRerun),
		o.command(&cli.Command{
			Name: "table-repair", Category: categoryTasks, ArgsUsage: "DOCUMENT",
			Usage: "make the rows of a document equal to those of one node",
			Description: "Shows what would be changed and asks, unless --yes is set.\n" +
				"DOCUMENT is the id of a table-diff or table-rerun, a diff_file, or a file on this machine.\n" +
				"Example: ace table-repair td_20240315_123456 --source-of-truth n1\n" +
				"Example: ace table-repair td_20240315_123456 --resolve majority",
			Flags: append(paramFlags("table-repair", "diff_file"), waitFlags(true)...),
		}, tableRepair),
		o.command(&cli.Command{
			Name: "table-undo", Category: categoryTasks, ArgsUsage: "REPAIR",
			Usage:       "restore the rows that a repair changed",
			Description: "Shows what would be restored and asks, unless --yes is set.\nExample: ace table-undo tr_20240315_123500",
			Flags:       append(paramFlags("table-undo", "task_id"), waitFlags(true)...),
		}, tableUndo),
		o.rulesCommand(),
		o.command(&cli.Command{
			Name: "replication-diff", Category: categoryNodes, ArgsUsage: "CLUSTER", Usage: "compare how the nodes of a cluster replicate",
			Description: "Reads publications, subscriptions, slots and origins, and what pglogical and Spock have of these.\n" +
				"The exit status is 1 if there are findings. Example: ace replication-diff demo",
			Flags: append(paramFlags("replication-diff", "cluster_name"), waitFlags(false)...),
		}, replicationDiff),
	}
}

func (o Options) taskCommands() []*cli.Command {
	return []*cli.Command{
		o.command(&cli.Command{
			Name: "tasks", Category: categoryArchive, Usage: "list tasks, newest first",
			Description: "Example: ace tasks --status FAILED --limit 10",
			Flags:       paramFlags("tasks"),
		}, tasks),
		o.command(&cli.Command{
			Name: "status", Category: categoryArchive, ArgsUsage: "TASK", Usage: "show a task",
			Description: "The exit status is that of the task.\nExample: ace status --watch td_20240315_123456",
			Flags:       []cli.Flag{&cli.BoolFlag{Name: flagWatch, Aliases: []string{"w"}, Usage: "wait for the end and show the progress"}},
		}, status),
		o.command(&cli.Command{
			Name: "cancel", Category: categoryArchive, ArgsUsage: "TASK", Usage: "cancel a task",
			Description: "Example: ace cancel td_20240315_123456",
		}, cancel),
		o.command(&cli.Command{
			Name: "audit", Category: categoryArchive, Usage: "list who started, cancelled or changed something, newest first",
			Description: "Example: ace audit --caller ci --since 2024-03-01",
			Flags:       paramFlags("audit"),
		}, audit),
	}
}

func (o Options) documentCommands() []*cli.Command {
	file := func() cli.Flag {
		return &cli.StringFlag{Name: flagFile, Aliases: []string{"o"}, Usage: "the file to write, - for the standard output", DefaultText: "a file named after the task"}
	}
	return []*cli.Command{
		o.backupCommand(),
		o.command(&cli.Command{
			Name: "diffs", Category: categoryArchive, Usage: "list archived documents, newest first",
			Description: "Example: ace diffs --table-name public.users --since 2024-03-01",
			Flags:       paramFlags("diffs"),
		}, diffs),
		o.command(&cli.Command{
			Name: "show", Category: categoryArchive, ArgsUsage: "TASK", Usage: "print the rows that differ",
			Description: "Prints two lines for each row: one for each node. The columns are those of the key, and those that differ.\n" +
				"Example: ace show td_20240315_123456 --all-columns --color always | less -RS",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "limit", Value: "100", Usage: "how many rows to print, 0 for all"},
				&cli.BoolFlag{Name: "all-columns", Usage: "print all columns"},
			},
		}, show),
		o.command(&cli.Command{
			Name: "get", Category: categoryArchive, ArgsUsage: "TASK", Usage: "download a document",
			Description: "An interrupted download is resumed by the same command. The SHA-256 is checked.\n" +
				"Example: ace get td_20240315_123456 --format html",
			Flags: []cli.Flag{&cli.StringFlag{Name: "format", Value: "json", Usage: "json, csv or html"}, file()},
		}, get),
		o.command(&cli.Command{
			Name: "open", Category: categoryArchive, ArgsUsage: "TASK", Usage: "show the page of a document in a browser",
			Description: "Starts $BROWSER or xdg-open. If neither works, or with --json, it prints the address of the page.\n" +
				"If a browser cannot use the service (a token, a Unix socket, or a service that this command runs),\n" +
				"the page is downloaded to TASK.html first.\n" +
				"Example: ace open td_20240315_123456",
		}, open),
		o.command(&cli.Command{
			Name: "report", Category: categoryArchive, ArgsUsage: "TASK", Usage: "download the report of a repair or of a replication-diff, or changes as a script for psql",
			Description: "The repair must have been started with --generate-report; for a script, with --dry-run and --generate-sql.\n" +
				"Example: ace report tr_20240315_123500 --format sql --node n2",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "format", Value: "json", Usage: "json or sql"},
				&cli.StringFlag{Name: "node", Usage: "the node of the script, if several nodes have one"},
				file(),
			},
		}, report),
		o.command(&cli.Command{
			Name: "before-images", Category: categoryArchive, ArgsUsage: "TASK", Usage: "download the rows as they were before a repair",
			Description: "Example: ace before-images tr_20240315_123500",
			Flags:       []cli.Flag{file()},
		}, beforeImages),
	}
}

func (o Options) nodeCommands() []*cli.Command {
	check := o.command(&cli.Command{
		Name: "check", ArgsUsage: "[CLUSTER]", Usage: "connect to every node of a cluster, or of all clusters",
		Description: "Prints for each node the server's version, the role, whether it can be repaired, the difference of the clocks\n" +
			"and track_commit_timestamp. The exit status is 2 if a node cannot be used.\n" +
			"Example: ace clusters check demo",
	}, checkClusters)
	return []*cli.Command{
		o.command(&cli.Command{
			Name: "clusters", Category: categoryNodes, ArgsUsage: "[CLUSTER]", Usage: "list cluster definitions",
			Description: "Connects to no node.\nExample: ace clusters\nExample: ace clusters check demo",
			Commands:    []*cli.Command{check},
		}, clusters),
		o.command(&cli.Command{
			Name: "tables", Category: categoryNodes, ArgsUsage: "CLUSTER", Usage: "list tables, their keys and their last comparisons",
			Description: "The exit status is 2 if the catalog of a node cannot be read.\nExample: ace tables demo --schema public",
			Flags:       paramFlags("tables", "cluster_name"),
		}, tables),
	}
}

func (o Options) agentCommands() []*cli.Command {
	c := o.command(&cli.Command{
		Name: "mcp", Category: categoryAgents, Usage: "offer the service to an agent over the Model Context Protocol",
		Description: "Speaks the protocol on the standard input and output, and is started by the agent's program.\n" +
			"An agent can compare tables, read the rows that differ and make dry runs of repairs.\n" +
			"Example: ace mcp --server http://localhost:5000",
		Flags: []cli.Flag{&cli.BoolFlag{Name: flagAllowRepair, Usage: "let the agent run a repair after its dry run"}},
	}, serveAgent)
	for _, flag := range c.Flags { // hides the flags that change only printed output, because this command prints none
		switch f := flag.(type) {
		case *cli.BoolFlag:
			f.Hidden = f.Name == flagJSON
		case *cli.StringFlag:
			f.Hidden = f.Name == flagColor
		}
	}
	return []*cli.Command{c}
}
