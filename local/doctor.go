package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"ace/shared/app"
	"ace/shared/cluster"
	"ace/shared/config"
	"ace/shared/fault"
)

// doctor checks the archive, the cluster definitions and the nodes, and reports
// everything that is wrong.
func doctor(ctx context.Context, c config.Config) error {
	ignored, err := app.IgnoreVariables()
	wrong := []error{err}
	for _, name := range ignored {
		wrong = append(wrong, printFinding("warning: the variable %s has no effect: set the parameter in the cluster definitions", name))
	}
	for _, warning := range c.Warnings {
		wrong = append(wrong, printFinding("warning: %s", warning))
	}
	return errors.Join(append(wrong, checkArchive(ctx, c), checkClusters(ctx, c))...)
}

// checkArchive opens the archive as the service does. If a running service uses the same
// embedded archive, checkArchive cannot open it and need not: that service has checked
// the archive at its start.
//
// It does not create a directory: if there is none, ace serve creates it.
func checkArchive(ctx context.Context, c config.Config) error {
	if _, err := os.Stat(c.Store.Dir); c.Store.Embedded && errors.Is(err, fs.ErrNotExist) {
		return printFinding("the archive %s does not exist yet: ace serve creates it", c.Store)
	}

	b, err := openStore(ctx, c.Store, slog.New(slog.DiscardHandler))
	switch {
	case err == nil:
		b.close(ctx)
		return printFinding("the archive %s keeps what the service needs", c.Store)
	case c.Store.Embedded && fault.CodeOf(err) == fault.Conflict:
		return printFinding("%s; it has checked the archive itself", fault.PublicMessage(err))
	}
	return fault.Wrap(err, fault.CodeOf(err), "the archive %s cannot be used", c.Store)
}

// checkClusters reads every definition and connects to the nodes of those that can be
// used.
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
		return printFinding("no cluster is defined in %s or a pg_service.conf", c.Clusters)
	}

	var usable []cluster.Cluster
	var wrong []error
	for _, name := range names {
		definition, err := source.Load(ctx, name)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		usable = append(usable, definition)
		for _, warning := range definition.Warnings {
			wrong = append(wrong, printFinding("warning: %s", warning))
		}
	}

	for _, doubt := range doubts(c, files) {
		wrong = append(wrong, printFinding("warning: %s", doubt))
	}
	if len(usable) > 0 {
		wrong = append(wrong, printFinding("the definitions of these clusters can be used: %s", nameList(usable)))
	}
	return errors.Join(append(wrong, checkNodes(ctx, usable))...)
}

func nameList(clusters []cluster.Cluster) string {
	names := make([]string, len(clusters))
	for i, c := range clusters {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// checkNodes connects to every node and prints a line for each node that can be used. The
// error names the others.
func checkNodes(ctx context.Context, clusters []cluster.Cluster) error {
	checks, err := app.CheckNodes(ctx, clusters...)
	if err != nil {
		return err
	}

	var wrong []error
	for _, check := range checks {
		node := check.Login
		line := fmt.Sprintf("cluster %s: node %q (%s) can be used: PostgreSQL %s, role %q", check.Cluster, node.Node, node.Address, node.Version, node.Role)
		switch {
		case check.Err != nil:
			wrong = append(wrong, fault.New(fault.CodeOf(check.Err), "cluster %s: %s", check.Cluster, fault.PublicMessage(check.Err)))
		case node.Superuser:
			wrong = append(wrong, printFinding("warning: %s is a superuser: %s", line, lesserRole))
		default:
			wrong = append(wrong, printFinding("%s", line))
		}
	}
	return errors.Join(wrong...)
}

// printFinding prints one finding as a line.
func printFinding(format string, args ...any) error {
	_, err := fmt.Fprintf(os.Stdout, format+"\n", args...)
	return err
}
