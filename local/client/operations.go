package client

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"ace/shared/api"
	"ace/shared/difffile"
	"ace/shared/fault"
)

const (
	flagNoWait = "no-wait"
	flagYes    = "yes"
)

// flagName returns the name of the flag for a parameter: block-rows for block_rows.
func flagName(param string) string { return strings.ReplaceAll(param, "_", "-") }

// paramFlags returns a flag for each parameter of an operation, except for the parameters
// whose names are listed in without. The listed parameters are positional arguments of
// the command. The service validates the values.
func paramFlags(operation string, without ...string) []cli.Flag {
	var flags []cli.Flag
	for _, p := range paramsOf(operation) {
		if slices.Contains(without, p.Name) {
			continue
		}
		usage := p.Purpose
		if p.Allowed != "" {
			usage += ": " + p.Allowed
		}
		if p.Kind == api.KindFlag {
			flags = append(flags, &cli.BoolFlag{Name: flagName(p.Name), Usage: p.Purpose})
			continue
		}
		flags = append(flags, &cli.StringFlag{Name: flagName(p.Name), Usage: usage, DefaultText: p.Default})
	}
	return flags
}

func paramsOf(operation string) []api.Param {
	for _, o := range api.Operations() {
		if o.Name == operation {
			return o.Params
		}
	}
	return nil
}

// params returns the parameters of an operation whose flags are on the command line.
func (s *session) params(operation string) url.Values {
	values := url.Values{}
	for _, p := range paramsOf(operation) {
		name := flagName(p.Name)
		switch {
		case !s.cmd.IsSet(name):
		case p.Kind == api.KindFlag:
			values.Set(p.Name, fmt.Sprint(s.cmd.Bool(name)))
		default:
			values.Set(p.Name, s.cmd.String(name))
		}
	}
	return values
}

// tableDiff runs `ace table-diff CLUSTER SCHEMA.TABLE`.
func tableDiff(ctx context.Context, s *session) error {
	args, err := s.args(2, 2, "CLUSTER SCHEMA.TABLE")
	if err != nil {
		return err
	}
	params := s.params("table-diff")
	params.Set("cluster_name", args[0])
	params.Set("table_name", args[1])
	return s.start(ctx, api.RouteTableDiff, params)
}

// replicationDiff runs `ace replication-diff CLUSTER`.
func replicationDiff(ctx context.Context, s *session) error {
	args, err := s.args(1, 1, "CLUSTER")
	if err != nil {
		return err
	}
	params := s.params("replication-diff")
	params.Set("cluster_name", args[0])
	return s.start(ctx, api.RouteReplicationDiff, params)
}

// tableRerun runs `ace table-rerun DOCUMENT`.
func tableRerun(ctx context.Context, s *session) error {
	params := s.params("table-rerun")
	if err := s.document(ctx, params); err != nil {
		return err
	}
	return s.start(ctx, api.RouteTableRerun, params)
}

// tableRepair runs `ace table-repair DOCUMENT`: first a dry run, and then, if the user
// confirms, the repair.
func tableRepair(ctx context.Context, s *session) error {
	params := s.params("table-repair")
	if err := s.document(ctx, params); err != nil {
		return err
	}
	return s.startConfirmed(ctx, api.RouteTableRepair, params, "Change these rows?")
}

// tableUndo runs `ace table-undo REPAIR`.
func tableUndo(ctx context.Context, s *session) error {
	args, err := s.args(1, 1, "REPAIR, the id of a table-repair")
	if err != nil {
		return err
	}
	params := s.params("table-undo")
	params.Set("task_id", args[0])
	return s.startConfirmed(ctx, api.RouteTableUndo, params, "Restore these rows?")
}

// args returns the arguments of the command. It returns an error unless their number is
// from least to most. usage describes the arguments in the error.
func (s *session) args(least, most int, usage string) ([]string, error) {
	args := s.cmd.Args().Slice()
	if len(args) >= least && len(args) <= most {
		return args, nil
	}
	return nil, fault.New(fault.Invalid, "%s needs %s; see %s --help", s.cmd.FullName(), usage, s.cmd.FullName())
}

// startConfirmed starts a task that changes rows. Unless --yes is set, it first makes a
// dry run, prints the result and asks the user whether to start the task. If the dry run
// fails or changes no row, nothing else is started. If the user cannot be asked (there is
// no terminal, or --json is set), it returns an error after the dry run.
func (s *session) startConfirmed(ctx context.Context, route api.Route, params url.Values, question string) error {
	if s.cmd.Bool(flagYes) || params.Get("dry_run") == "true" {
		return s.start(ctx, route, params)
	}

	preview := maps.Clone(params)
	preview.Set("dry_run", "true")
	preview.Del("generate_report")
	t, err := s.run(ctx, route, preview)
	if err != nil {
		return err
	}
	if c, ok := changesOf(t); t.Status != api.StatusCompleted || ok && c.total() == 0 {
		return s.finish(ctx, t)
	}

	if err := s.print(ctx, t); err != nil {
		return err
	}
	if s.cmd.Bool(flagJSON) || !s.asks {
		return fault.New(fault.Invalid, "nothing was changed: set --yes to change the rows without a question, or --dry-run to see them only")
	}
	if !s.confirmed(ctx, question+" [y/N] ") {
		return &ExitError{ExitCancelled, "nothing was changed"}
	}
	return s.start(ctx, route, params)
}

// start starts a task. It then waits until the task has ended, and prints the result.
// With --no-wait it only prints the id of the task.
func (s *session) start(ctx context.Context, route api.Route, params url.Values) error {
	if !s.cmd.Bool(flagNoWait) {
		t, err := s.run(ctx, route, params)
		if err != nil {
			return err
		}
		return s.finish(ctx, t)
	}

	if s.local {
		return fault.New(fault.Invalid, "--%s needs a running service: start one with ace serve", flagNoWait)
	}
	raw, err := s.server.post(ctx, route.Path(""), params)
	if err != nil {
		return err
	}
	if s.cmd.Bool(flagJSON) {
		writeJSON(s.Stdout, raw)
		return nil
	}
	var submitted api.Submitted
	if err := decode(raw, string(route), &submitted); err != nil {
		return err
	}
	writeLine(s.Stdout, "%s", submitted.TaskID)
	return nil
}

// run starts a task and waits until it has ended.
func (s *session) run(ctx context.Context, route api.Route, params url.Values) (task, error) {
	id, err := s.server.submit(ctx, route, params)
	if err != nil {
		return task{}, err
	}
	return s.wait(ctx, id)
}

// finish prints a task that has ended, and returns the exit status of the task as an
// error, or nil for status 0.
func (s *session) finish(ctx context.Context, t task) error {
	if err := s.print(ctx, t); err != nil {
		return err
	}
	return exitOf(t)
}

// document adds to params the diff_file of the document that the argument names, and the
// cluster, table and database of the document, as far as they are known. The argument is
// the id of a task, the diff_file of a result, or a file on this machine, which is
// imported first. The flags --cluster-name, --table-name and --dbname take precedence.
func (s *session) document(ctx context.Context, params url.Values) error {
	args, err := s.args(1, 1, "a document: the id of a table-diff or table-rerun, a diff_file, or a file")
	if err != nil {
		return err
	}

	name := args[0]
	of, err := s.describe(ctx, name)
	if err != nil {
		return err
	}
	params.Set("diff_file", of.diffFile)
	for param, value := range map[string]string{"cluster_name": of.cluster, "table_name": of.table, "dbname": of.database} {
		if !params.Has(param) && value != "" {
			params.Set(param, value)
		}
	}
	return nil
}

// described is the diff_file of a document, and the cluster, table and database that the
// document is about, or "" where they are not known.
type described struct{ diffFile, cluster, table, database string }

// describe returns the document that name refers to: a task id, a diff_file, or a file on
// this machine, which describe imports.
func (s *session) describe(ctx context.Context, name string) (described, error) {
	id := strings.TrimSuffix(path.Base(name), path.Ext(name))
	if file := s.path(name); isFile(file) {
		return s.importFile(ctx, file)
	}
	if !api.IsTaskID(id) {
		return described{diffFile: name}, nil
	}

	t, err := s.server.status(ctx, id)
	if err != nil {
		return described{}, err
	}
	var of struct {
		DBName string `json:"dbname"`
	}
	if err := decode(t.Parameters, id, &of); err != nil {
		return described{}, err
	}
	return described{diffFile: name, cluster: t.ClusterName, table: t.TableName, database: of.DBName}, nil
}

// isFile reports whether there is a file at path.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// importFile uploads the document in a file on this machine, and returns its diff_file
// and the table that it is about.
func (s *session) importFile(ctx context.Context, name string) (described, error) {
	file, err := os.Open(name)
	if err != nil {
		return described{}, fault.New(fault.Invalid, "the document cannot be read: %v", err)
	}
	defer file.Close()

	document, err := difffile.Open(file)
	if err != nil {
		return described{}, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return described{}, fault.New(fault.Invalid, "the document cannot be read: %v", err)
	}
	imported, err := s.server.upload(ctx, file)
	if err != nil {
		return described{}, err
	}

	summary := document.Summary()
	of := described{diffFile: imported.DiffFile, cluster: summary.ClusterName, database: summary.DBName}
	if summary.Table != "" {
		of.table = api.TableName{Schema: summary.Schema, Name: summary.Table}.String()
	}
	return of, nil
}
