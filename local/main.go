// Command ace is the whole service on one host: `ace serve` answers the API on 127.0.0.1:5000, runs the tasks in this
// process and keeps everything in a bucket, by default one it serves itself out of a directory.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"ace/shared/config"
	"ace/shared/fault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().Run(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "ace: "+err.Error())
		os.Exit(1) //nolint:gocritic // the signal handler dies with the process
	}
}

func command() *cli.Command {
	flags := configFlags()
	return &cli.Command{
		Name:  "ace",
		Usage: "find the rows that differ between the nodes of a PostgreSQL cluster",
		Commands: []*cli.Command{
			{
				Name: "serve", Usage: "answer the API and run the tasks", Flags: flags,
				Action: withConfig(serve),
			},
			{
				Name: "doctor", Usage: "check that the archive keeps what the service needs of it", Flags: flags,
				Action: withConfig(doctor),
			},
			{
				Name: "config", Usage: "show the configuration as it would be used", Flags: flags,
				Action: withConfig(func(_ context.Context, c config.Config) error {
					_, err := fmt.Fprint(os.Stdout, c.Dump())
					return err
				}),
			},
		},
	}
}

// configFlags gives every variable of the configuration a flag of the same name.
func configFlags() []cli.Flag {
	var flags []cli.Flag
	for _, v := range config.Variables() {
		flags = append(flags, &cli.StringFlag{
			Name: v.Flag(), Usage: v.Allowed, DefaultText: v.Default, Sources: cli.EnvVars(v.Name),
		})
	}
	return flags
}

// withConfig reads the configuration, flags before the environment, before the command runs.
func withConfig(run func(context.Context, config.Config) error) cli.ActionFunc {
	return func(ctx context.Context, cmd *cli.Command) error {
		if cmd.Args().Present() {
			return fault.New(fault.Invalid, "unexpected argument %q", cmd.Args().First())
		}
		environ := map[string]string{}
		for _, entry := range os.Environ() {
			name, value, _ := strings.Cut(entry, "=")
			environ[name] = value
		}
		for _, v := range config.Variables() {
			if value := cmd.String(v.Flag()); value != "" {
				environ[v.Name] = value
			}
		}
		c, err := config.Load(environ)
		if err != nil {
			return err
		}
		return run(ctx, c)
	}
}
