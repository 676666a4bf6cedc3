// Command ace is the whole service on one host. `ace serve` answers the API on
// 127.0.0.1:5000, runs the tasks in this process and stores everything in a directory or
// in a bucket.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // contains the time zones that schedules may name, for hosts without time zone files

	"github.com/urfave/cli/v3"

	"ace/local/client"
	"ace/shared/config"
	"ace/shared/fault"
	"ace/shared/visible"
)

func main() {
	cli.VersionPrinter = func(*cli.Command) { fmt.Fprintln(os.Stdout, version()) }
	if err := command().Run(context.Background(), os.Args); err != nil {
		if text := err.Error(); text != "" {
			fmt.Fprintln(os.Stderr, visible.Block("ace: "+text, "  "))
		}
		os.Exit(exitCode(err))
	}
}

// exitCode returns the exit status for an error. The commands of the client have their
// own statuses. The other commands return 78 for an error in the configuration, which a
// restart does not correct. They return 1 for any other error, after which a service
// manager should restart the service.
func exitCode(err error) int {
	const failed, misconfigured = 1, 78 // 78 is EX_CONFIG of sysexits.h
	var exit *client.ExitError
	if errors.As(err, &exit) {
		return exit.Status
	}
	if fault.CodeOf(err) == fault.Invalid {
		return misconfigured
	}
	return failed
}

func command() *cli.Command {
	flags := configFlags()
	return &cli.Command{
		Name: "ace", Usage: "find the rows that differ between the nodes of a PostgreSQL cluster",
		Action: noCommand, OnUsageError: badUsage, EnableShellCompletion: true,
		Version: version(),
		Commands: slices.Concat(client.Commands(clientOptions()), []*cli.Command{
			{
				Name: "serve", Usage: "answer the API and run the tasks", Flags: flags,
				Action: withConfig(serve), OnUsageError: badUsage,
			},
			{
				Name: "doctor", Usage: "check the archive, the cluster definitions, the nodes and the schedules", Flags: flags,
				Action: withConfig(doctor), OnUsageError: badUsage,
			},
			{
				Name: "reindex", Usage: "rebuild the lists of documents and of tasks from the task records", Flags: flags,
				Action: withConfig(reindex), OnUsageError: badUsage,
			},
			restoreCommand(),
			callersCommand(),
			{
				Name: "config", Usage: "show the configuration as it would be used, and where each value comes from", Flags: flags,
				Action: show, OnUsageError: badUsage,
			},
			{
				Name: "version", Usage: "show the version", OnUsageError: badUsage,
				Action: showVersion,
			},
			{
				Name: "man", Usage: "print the manual page", Hidden: true, OnUsageError: badUsage,
				Action: showManual,
			},
		}),
	}
}

// clientOptions returns what the commands of the client need from this program.
func clientOptions() client.Options {
	environ := config.Environ(os.Environ())
	return client.Options{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, NoColor: environ["NO_COLOR"] != "", Browser: environ["BROWSER"], Version: version(), Listen: environ["ACE_LISTEN"],
		TLS:   environ["ACE_TLS_CERT"] != "",
		Embed: func(ctx context.Context, resume bool) (*client.Embedded, error) { return embed(ctx, environ, resume) },
	}
}

// showVersion prints the version.
func showVersion(context.Context, *cli.Command) error {
	_, err := fmt.Fprintln(os.Stdout, version())
	return err
}

// noCommand handles a command line without a known command. It prints the help, or
// returns an error that names the unknown command.
func noCommand(_ context.Context, cmd *cli.Command) error {
	if name := cmd.Args().First(); name != "" {
		return fault.New(fault.Invalid, "there is no command %q, see ace --help", name)
	}
	return cli.ShowAppHelp(cmd)
}

// badUsage converts a mistake on the command line to an error of the configuration, in
// one line.
func badUsage(_ context.Context, cmd *cli.Command, err error, _ bool) error {
	return fault.New(fault.Invalid, "%v, see %s --help", err, cmd.FullName())
}

// configFlags returns a flag for every variable of the configuration. The flag of
// ACE_MAX_TASKS is --max-tasks.
func configFlags() []cli.Flag {
	var flags []cli.Flag
	for _, v := range config.Variables() {
		flags = append(flags, &cli.StringFlag{
			Name: v.Flag(), Usage: v.Usage + ": " + v.Allowed, DefaultText: v.Default, Sources: cli.EnvVars(v.Name),
		})
	}
	return flags
}

// withConfig returns an action that reads the configuration and then calls run. The
// context of run ends after SIGINT or SIGTERM.
func withConfig(run func(context.Context, config.Config) error) cli.ActionFunc {
	return func(ctx context.Context, cmd *cli.Command) error {
		c, _, err := readConfig(cmd)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return run(ctx, c)
	}
}

// readConfig reads the configuration from flags and the environment. Flags take
// precedence. origins has an entry for each variable that a flag or the environment sets.
func readConfig(cmd *cli.Command) (c config.Config, origins map[string]config.Origin, err error) {
	if cmd.Args().Present() {
		return config.Config{}, nil, fault.New(fault.Invalid, "unexpected argument %q", cmd.Args().First())
	}

	environ := config.Environ(os.Environ())
	origins = make(map[string]config.Origin)
	for _, v := range config.Variables() {
		value := cmd.String(v.Flag())
		switch {
		case value == "":
			continue
		case value == environ[v.Name] && !onCommandLine(v.Flag()):
			origins[v.Name] = config.FromEnvironment
		default:
			origins[v.Name] = config.FromFlag
		}
		environ[v.Name] = value
	}

	c, err = config.Load(environ)
	return c, origins, err
}

// onCommandLine reports whether the command line has the flag called name, as --name or
// --name=value, or with a single hyphen.
func onCommandLine(name string) bool {
	return slices.ContainsFunc(os.Args[1:], func(arg string) bool {
		arg, _, _ = strings.Cut(arg, "=")
		return strings.TrimLeft(arg, "-") == name && strings.HasPrefix(arg, "-")
	})
}
