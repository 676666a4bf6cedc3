package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"ace/shared/app"
)

// show prints the configuration with the origin of each value, the files that it refers
// to, and the variables that have no effect.
func show(_ context.Context, cmd *cli.Command) error {
	c, origins, err := readConfig(cmd)
	if err != nil {
		return err
	}
	ignored, err := app.IgnoreVariables()
	if err != nil {
		return err
	}

	var b strings.Builder
	b.WriteString(c.Explain(origins))
	for _, file := range c.ServiceFiles() {
		b.WriteString("# service file   " + describeFile(file.Path, file.Named) + "\n")
	}
	if path, named := c.PasswordFile(); path != "" {
		b.WriteString("# password file  " + describeFile(path, named) + "\n")
	}
	for _, name := range ignored {
		b.WriteString("# no effect      " + name + ": set the parameter in the cluster definitions\n")
	}
	for _, warning := range c.Warnings {
		b.WriteString("# warning        " + warning + "\n")
	}
	_, err = os.Stdout.WriteString(b.String())
	return err
}

// describeFile returns the path of a file, whether this user can read it, and whether a
// variable names it.
func describeFile(path string, named bool) string {
	origin := "default"
	if named {
		origin = "environment"
	}

	state := "found"
	file, err := os.Open(path)
	switch {
	case err == nil:
		_ = file.Close()
	case errors.Is(err, fs.ErrPermission):
		state = "not readable"
	default:
		state = "not found"
	}
	return path + " (" + origin + ", " + state + ")"
}
