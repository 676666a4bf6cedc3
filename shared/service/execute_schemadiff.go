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

	return e.compareSet(ctx, x, req.SetRequest, func(targets []cluster.Target) setdiff.Source {
		return schemaTables{nodes: e.Nodes, targets: targets, request: req}
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

// compareSet compares the tables that a source finds on the nodes, and renders the
// document if the requested format is not JSON. If some tables could not be compared,
// compareSet returns both the outcome and an error.
func (e *Executor) compareSet(
	ctx context.Context, x execution, req api.SetRequest, source func(targets []cluster.Target) setdiff.Source,
) (runner.Outcome, error) {
	_, targets, err := e.comparedTargets(ctx, x, req.ClusterName, req.DBName, req.Nodes)
	if err != nil {
		return runner.Outcome{}, err
	}

	report := x.report
	if !req.Quiet {
		report = e.logged(ctx, x.rec.TaskID, report)
	}
	result, failed := e.Sets.Run(ctx, setdiff.Request{
		Parent: x.rec, Source: source(targets), TableDiff: req.TableDiff, Summary: setSummary(x.rec, req, targets),
		AtOnce: req.MaxTablesAtOnce, FailFast: req.FailFast, Patience: x.patience,
	}, report)
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

	if req.Output != api.FormatJSON {
		rendering, problem, err := e.render(ctx, x, result.Document, req.Output)
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
