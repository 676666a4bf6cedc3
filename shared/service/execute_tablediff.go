package service

import (
	"context"
	"encoding/json"
	"fmt"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/runner"
	"ace/shared/tablediff"
	"ace/shared/task"
)

// tableDiff executes a table-diff task.
func (e *Executor) tableDiff(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
	var req api.TableDiffRequest
	if err := readRequest(rec, &req); err != nil {
		return runner.Outcome{}, err
	}
	definition, err := e.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return runner.Outcome{}, err
	}
	database, nodes, err := comparedNodes(definition, req)
	if err != nil {
		return runner.Outcome{}, err
	}
	return e.compare(ctx, rec, tablediff.Job{
		Request: req, Nodes: nodes, Database: database, Workers: e.workers(req.MaxCPURatio),
	}, report)
}

// tableRerun executes a table-rerun task.
func (e *Executor) tableRerun(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
	var req api.TableRerunRequest
	if err := readRequest(rec, &req); err != nil {
		return runner.Outcome{}, err
	}
	if rec.Input == nil {
		return runner.Outcome{}, fault.New(fault.Internal, "task %s names no document", rec.TaskID)
	}
	definition, err := e.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return runner.Outcome{}, err
	}

	compared := api.NewTableDiffRequest()
	compared.ClusterName = req.ClusterName
	compared.Table = req.Table
	compared.DBName = req.DBName
	compared.MaxDiffRows = req.MaxDiffRows
	compared.ConfirmDelay = req.ConfirmDelay
	compared.Checksum = req.Checksum
	compared.Output = req.Output
	compared.Quiet = req.Quiet
	return e.compare(ctx, rec, tablediff.Job{
		Request: compared, Nodes: definition.NodeNames(), Database: rec.DBName, Workers: e.workers(req.MaxCPURatio),
		Rerun: &tablediff.Rerun{Document: *rec.Input, Behavior: req.Behavior},
	}, report)
}

// workers returns how many units of work run at once.
func (e *Executor) workers(ratio float64) int { return max(1, int(ratio*float64(e.Parallel))) }

// compare runs a comparison for a task and renders its document if the request asks for
// that.
func (e *Executor) compare(
	ctx context.Context, rec task.Record, job tablediff.Job, report func(task.Progress),
) (runner.Outcome, error) {
	job.TaskID = rec.TaskID
	job.SubmittedAt = rec.SubmittedAt
	job.StartedAt = *rec.StartedAt
	if !job.Request.Quiet {
		report = e.logged(ctx, rec.TaskID, report)
	}

	var last task.Progress
	result, err := e.Diffs.Run(ctx, job, func(p task.Progress) {
		last = p
		report(p)
	})
	if err != nil {
		return runner.Outcome{}, err
	}

	if job.Request.Output != api.FormatJSON {
		last.Phase = phaseRender
		report(last)
		if err := e.render(ctx, &result, job.Request.Output); err != nil {
			return runner.Outcome{}, err
		}
	}
	answer, err := json.Marshal(result.Answer)
	return runner.Outcome{Result: answer, Document: &result.Document}, err
}

// phaseRender is the phase of a task while its document is rendered.
const phaseRender = "render"

// render stores the requested rendering next to the document. The document is archived by
// then, so an error does not fail the task: the result reports it, and a later download
// can render again. render returns an error only if the task must stop; the next attempt
// then finds the document.
func (e *Executor) render(ctx context.Context, result *tablediff.Result, format string) error {
	rendering, err := e.Renderings.Ensure(ctx, result.Document, format)
	switch {
	case err == nil:
		result.Answer.DiffFile = rendering.Key
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		result.Answer.OutputError = fmt.Sprintf("the document could not be rendered as %s: %s", format, fault.PublicMessage(err))
		e.Log.WarnContext(ctx, "document not rendered", "document", result.Document.Key, "format", format, "error", err)
	}
	return nil
}
