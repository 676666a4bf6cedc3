package service

import (
	"context"
	"encoding/json"

	"ace/shared/api"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/runner"
	"ace/shared/setdiff"
	"ace/shared/setfile"
	"ace/shared/task"
)

// schemaDiff executes a schema-diff task.
func (e *Executor) schemaDiff(ctx context.Context, x execution) (runner.Outcome, error) {
	var req api.SchemaDiffRequest
	if err := readRequest(x.rec, &req); err != nil {
		return runner.Outcome{}, err
	}

	definition, err := e.loadCluster(ctx, x, req.ClusterName)
	if err != nil {
		return runner.Outcome{}, err
	}
	_, targets, err := comparedTargets(definition, req.DBName, req.Nodes)
	if err != nil {
		return runner.Outcome{}, err
	}

	return e.compareSet(ctx, x, setComparison{
		Request: setdiff.Request{
			Parent: x.rec, Source: schemaTables{nodes: e.Nodes, targets: targets, request: req}, TableDiff: req.TableDiff,
			Summary: setSummary(x.rec, req.SetRequest, targets), AtOnce: req.MaxTablesAtOnce, FailFast: req.FailFast, Patience: x.patience,
		},
		output: req.Output, quiet: req.Quiet,
	})
}

// setSummary returns the members of the document's summary that describe the request.
func setSummary(rec task.Record, req api.SetRequest, targets []cluster.Target) setfile.Summary {
	return setfile.Summary{
		TaskID: rec.TaskID, TaskType: string(rec.Type), ClusterName: rec.ClusterName, DBName: rec.DBName, Name: rec.TableName,
		Compare: req.Compare, Only: req.Tables, Skip: req.SkipTables, Ignore: req.Ignore, StartedAt: api.At(*rec.StartedAt),
		Nodes: nodeNames(targets),
	}
}

// setComparison is a comparison of several tables to run, and what to do with its result.
type setComparison struct {
	setdiff.Request
	output string // the requested format: json, csv or html
	quiet  bool   // the progress is not logged
}

// compareSet runs a comparison of several tables, and renders its document if the
// requested format is not JSON. If some tables could not be compared, compareSet
// returns both the outcome and an error.
func (e *Executor) compareSet(ctx context.Context, x execution, c setComparison) (runner.Outcome, error) {
	report := x.report
	if !c.quiet {
		report = e.logged(ctx, x.rec.TaskID, report)
	}
	result, failed := e.Sets.Run(ctx, c.Request, report)
	if result.Content.Format == "" { // the tables could not be listed
		return runner.Outcome{}, failed
	}

	answer, err := setAnswer(result)
	if err != nil {
		return runner.Outcome{}, err
	}
	if result.Document.Key == "" { // the task was stopped, so there is a result but no document
		body, err := json.Marshal(answer)
		if failed == nil {
			failed = err
		}
		return runner.Outcome{Result: body}, failed
	}

	if c.output != api.FormatJSON {
		rendering, problem, err := e.render(ctx, x, result.Document, c.output)
		if err != nil {
			return runner.Outcome{}, err
		}
		answer.DiffFile, answer.OutputError = rendering, problem
	}
	body, err := json.Marshal(answer)
	if failed != nil {
		err = failed
	}
	return runner.Outcome{Result: body, Document: &result.Document}, err
}

// setAnswer converts the result of a comparison of several tables to the task's result in
// the API.
func setAnswer(result setdiff.Result) (api.SetResult, error) {
	of := result.Content.Summary
	summary, err := json.Marshal(of)
	if err != nil {
		return api.SetResult{}, fault.Wrap(err, fault.Internal, "cannot encode the summary")
	}
	return api.SetResult{
		Verdict: of.Verdict, Tables: of.Tables, MismatchedRows: of.MismatchedRows, Findings: of.Findings,
		DiffFile: result.Document.Key, Summary: summary,
	}, nil
}
