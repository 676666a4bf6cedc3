package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"

	"ace/shared/app"
	"ace/shared/archive/dirstore"
	"ace/shared/cluster"
	"ace/shared/config"
	"ace/shared/fault"
)

// doctor checks the settings, the archive, the cluster definitions, the nodes and the
// schedules, and prints everything that is wrong. It creates nothing.
func doctor(ctx context.Context, c config.Config) error {
	f := &findings{out: os.Stdout}
	ignored, err := app.IgnoreVariables()
	if err != nil {
		return err
	}
	files, err := serviceFiles(c)
	if err != nil {
		return err
	}

	checkSettings(f, c, files, ignored)
	checkTLS(f, c)
	checkArchive(ctx, f, c)
	known := checkClusters(ctx, f, c, files)
	checkSchedules(f, c, known)
	if err := ctx.Err(); err != nil {
		return fault.Wrap(err, fault.Cancelled, "interrupted")
	}
	return f.end()
}

// checkSettings reports variables without effect, and files that other users can change
// or whose passwords they can read.
func checkSettings(f *findings, c config.Config, files []config.ServiceFile, ignored []string) {
	f.section("settings")
	before := f.warnings
	for _, name := range ignored {
		f.warn("set the parameter in the cluster definitions", "the variable %s has no effect", name)
	}
	for _, warning := range c.Warnings {
		f.warn("", "%s", warning)
	}
	for _, doubt := range doubts(c, files) {
		f.warn("", "%s", doubt)
	}
	if f.warnings == before {
		f.ok("variables and file permissions")
	}
}

// checkArchive opens the archive as the service does, and checks that the store has the
// guarantees that the service needs. If a running service uses the same embedded archive,
// checkArchive cannot open it. That is not an error, because the running service has
// checked the archive at its start. checkArchive creates no archive.
func checkArchive(ctx context.Context, f *findings, c config.Config) {
	f.section("archive %s", c.Store)
	if c.Store.Embedded {
		exists, directory, err := dirstore.Exists(c.Store.Dir)
		switch {
		case err != nil:
			f.fail(err, "")
			return
		case !directory:
			f.note("the directory does not exist yet: ace serve creates it")
			return
		case !exists:
			f.note("the directory exists, but has no archive yet: ace serve creates one in it")
			return
		case dirstore.IsOutdated(c.Store.Dir):
			f.note("an earlier version of ACE has written it: ace serve converts it at its next start")
			return
		}
	}

	b, err := openStore(ctx, c.Store, slog.New(slog.DiscardHandler))
	switch {
	case err == nil:
		_ = b.close()
		f.ok("it can be read and written, and has the guarantees that the service needs")
	case c.Store.Embedded && fault.CodeOf(err) == fault.Conflict:
		f.ok("%s; it has checked the archive itself", fault.PublicMessage(err))
	default:
		f.fail(fault.Wrap(err, fault.CodeOf(err), "it cannot be used: %s", fault.PublicMessage(err)), "")
	}
}

// knownClusters are the definitions that exist, and what was found on their nodes.
type knownClusters struct {
	names    []string                   // the names of all clusters, including those whose definitions cannot be used
	unlisted bool                       // the names of the clusters could not be read
	usable   map[string]cluster.Cluster // the definitions that can be used, by the name of the cluster
	checks   []app.NodeCheck
}

// checkClusters reads every definition, and examines the nodes of those that can be used.
func checkClusters(ctx context.Context, f *findings, c config.Config, files []config.ServiceFile) knownClusters {
	known := knownClusters{usable: map[string]cluster.Cluster{}}
	source, closeSource, err := app.Clusters(ctx, c, files)
	if err == nil {
		defer closeSource()
		known.names, err = source.Names(ctx)
	}
	if err != nil {
		f.section("clusters in %s", c.Clusters)
		f.fail(err, "")
		known.unlisted = true
		return known
	}
	if len(known.names) == 0 {
		f.section("clusters in %s", c.Clusters)
		f.warn("write a definition, see docs/CONFIGURATION.md", "no cluster is defined there or in a pg_service.conf")
		return known
	}

	broken := map[string]error{}
	var usable []cluster.Cluster
	for _, name := range known.names {
		definition, err := source.Load(ctx, name)
		if err != nil {
			broken[name] = err
			continue
		}
		known.usable[name] = definition
		usable = append(usable, definition)
	}

	if known.checks, err = app.ExamineNodes(ctx, usable...); err != nil {
		return known // the context has ended
	}
	for _, name := range known.names {
		f.section("cluster %s", name)
		if broken[name] != nil {
			f.failAll(broken[name])
			continue
		}
		reportCluster(f, known.usable[name], known.of(name))
	}
	return known
}

// of returns the checks of a cluster's nodes.
func (k knownClusters) of(name string) []app.NodeCheck {
	return slices.DeleteFunc(slices.Clone(k.checks), func(check app.NodeCheck) bool { return check.Cluster != name })
}

// reportCluster reports on a definition that can be used, and on its nodes.
func reportCluster(f *findings, definition cluster.Cluster, checks []app.NodeCheck) {
	var databases []string
	for _, database := range definition.Databases {
		databases = append(databases, database.Name)
	}
	f.ok("the definition: nodes %s; databases %s", strings.Join(definition.NodeNames(), ", "), strings.Join(databases, ", "))
	for _, warning := range definition.Warnings {
		f.warn("", "%s", warning)
	}

	reportClocks(f, checks)
	for _, check := range checks {
		f.subsection("node %s, database %s", check.Login.Node, check.Database)
		reportNode(f, check)
	}
}
