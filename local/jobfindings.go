package main

import (
	"slices"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/config"
	"ace/shared/fault"
	"ace/shared/schedule"
)

// checkSchedules reads the schedules file and checks that each job can find its tables.
func checkSchedules(f *findings, c config.Config, known knownClusters) {
	if c.Schedules == "" {
		return
	}
	f.section("schedules %s", c.Schedules)
	jobs, err := readSchedules(c.Schedules)
	if err != nil {
		f.fail(err, "")
		return
	}
	if known.unlisted {
		f.warn("correct the error above first", "the clusters and tables of the jobs were not checked")
		return
	}
	for _, job := range jobs {
		known.checkJob(f, job)
	}
}

// checkJob checks one job.
func (k knownClusters) checkJob(f *findings, job schedule.Job) {
	request := job.Request
	fail := func(format string, args ...any) {
		err := fault.New(fault.Invalid, "job "+job.Name+": "+format, args...)
		if !job.Enabled {
			f.warn("", "%s (the job is disabled)", fault.PublicMessage(err))
			return
		}
		f.fail(err, "")
	}
	definition, usable := k.usable[request.ClusterName]
	switch {
	case !slices.Contains(k.names, request.ClusterName):
		fail("cluster %s is not defined; defined are: %s", request.ClusterName, strings.Join(k.names, ", "))
		return
	case !usable:
		fail("the definition of cluster %s cannot be used", request.ClusterName)
		return
	}
	targets, err := definition.Targets(request.DBName, request.Nodes)
	if err != nil {
		fail("%s", fault.PublicMessage(err))
		return
	}

	database, _ := definition.Database(request.DBName) // Targets has checked it
	found := selection{job: job}
	for _, target := range targets {
		for _, check := range k.of(request.ClusterName) {
			if check.Database == database.Name && check.Login.Node == target.Node {
				found.add(check)
			}
		}
	}
	if problem := found.problem(); problem != "" {
		fail("%s", problem)
		return
	}
	found.report(f)
}

// selection has the tables that a job selects on its nodes.
type selection struct {
	job     schedule.Job
	tables  map[api.TableName]int // the number of nodes that have the table
	missing []string              // the nodes that were examined and have none of the tables
	unknown []string              // the nodes that could not be examined
	keyless []string              // the tables that have no key on a node
	closed  []string              // the tables that the role may not read on a node
	nodes   int                   // number of nodes that were examined
}

// add adds the tables of a node.
func (s *selection) add(check app.NodeCheck) {
	if check.Err != nil || check.UnreadErr != nil {
		s.unknown = append(s.unknown, check.Login.Node)
		return
	}
	if s.tables == nil {
		s.tables = map[api.TableName]int{}
	}

	s.nodes++
	found := false
	for _, t := range check.Condition.Tables {
		name := api.TableName{Schema: t.Schema, Name: t.Name}
		if !s.job.Selects(name) || t.Partition && s.job.HasPattern() { // a job with a pattern does not compare partitions
			continue
		}
		found = true
		s.tables[name]++
		if !t.HasKey && !slices.Contains(s.keyless, name.String()) {
			s.keyless = append(s.keyless, name.String())
		}
		if !t.Readable && !slices.Contains(s.closed, name.String()) {
			s.closed = append(s.closed, name.String())
		}
	}
	if !found {
		s.missing = append(s.missing, check.Login.Node)
	}
}

// problem returns why no run of the job can succeed, or "".
func (s *selection) problem() string {
	pattern := s.job.HasPattern()
	switch {
	case s.nodes == 0:
		return ""
	case pattern && len(s.tables) == 0:
		return "no table matches " + s.job.Table() + ", or skip_tables excludes all of them"
	case !pattern && len(s.missing) > 0:
		return "there is no table " + s.job.Table() + " on " + strings.Join(s.missing, ", ")
	case !pattern && len(s.keyless) > 0:
		return s.job.Table() + " has no key: add a primary key, or a unique index on NOT NULL columns"
	}
	return ""
}

// report reports on a job without a problem.
func (s *selection) report(f *findings) {
	if len(s.unknown) > 0 {
		f.warn("", "job %s: its tables were not looked for on %s", s.job.Name, strings.Join(s.unknown, ", "))
	}
	if s.nodes == 0 {
		return
	}

	partial := 0
	for _, nodes := range s.tables {
		if nodes < s.nodes {
			partial++
		}
	}
	if partial > 0 {
		f.warn("", "job %s: %s not on all nodes, so the verdict is differ", s.job.Name, numbered(partial, "table"))
	}
	if len(s.keyless) > 0 {
		f.warn("add keys, or list the tables in skip_tables", "job %s: %s without a key will not be compared: %s", s.job.Name,
			numbered(len(s.keyless), "table"), withRest(s.keyless[:min(len(s.keyless), maxNames)], len(s.keyless)))
	}
	if len(s.closed) > 0 {
		f.warn("", "job %s: the role may not read all columns of %s: %s", s.job.Name,
			numbered(len(s.closed), "table"), withRest(s.closed[:min(len(s.closed), maxNames)], len(s.closed)))
	}

	what := s.job.Table()
	if s.job.HasPattern() {
		what += " (" + numbered(len(s.tables), "table") + ")"
	}
	next := "disabled"
	if at := s.job.Next(time.Now()); s.job.Enabled && !at.IsZero() {
		next = "next run " + at.UTC().Format("2006-01-02 15:04 MST")
	}
	f.ok("job %s: %s of cluster %s, %s", s.job.Name, what, s.job.Request.ClusterName, next)
}
