package service

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/runner"
	"ace/shared/tablediff"
	"ace/shared/task"
)

// tableDiff executes a table-diff task.
func (e *Executor) tableDiff(ctx context.Context, x execution) (runner.Outcome, error) {
	var req api.TableDiffRequest
	if err := readRequest(x.rec, &req); err != nil {
		return runner.Outcome{}, err
	}

	database, targets, err := e.comparedTargets(ctx, x, req.ClusterName, req.DBName, req.Nodes)
	if err != nil {
		return runner.Outcome{}, err
	}
	return e.compare(ctx, x, comparison{
		Request: tablediff.Request{
			ClusterName: req.ClusterName, Database: database, Table: req.Table, Nodes: nodeNames(targets),
			Filter: req.TableFilter, IgnoreColumns: req.IgnoreColumns, Redact: req.Redact, Baseline: req.Baseline, SequentialScan: req.SequentialScan,
			BlockRows: req.BlockRows, BatchSize: req.BatchSize, Workers: e.workers(req.MaxCPURatio),
			MaxDiffRows: req.MaxDiffRows, ConfirmDelay: time.Duration(req.ConfirmDelay), Checksum: req.Checksum,
		},
		output: req.Output, quiet: req.Quiet,
	})
}

// tableRerun executes a table-rerun task.
func (e *Executor) tableRerun(ctx context.Context, x execution) (runner.Outcome, error) {
	var req api.TableRerunRequest
	if err := readRequest(x.rec, &req); err != nil {
		return runner.Outcome{}, err
	}

	if x.rec.Input == nil {
		return runner.Outcome{}, fault.New(fault.Internal, "task %s names no document", x.rec.TaskID)
	}

	definition, err := e.loadCluster(ctx, x, req.ClusterName)
	if err != nil {
		return runner.Outcome{}, err
	}

	defaults := api.NewTableDiffRequest()
	return e.compare(ctx, x, comparison{
		Request: tablediff.Request{
			ClusterName: req.ClusterName, Database: x.rec.DBName, Table: req.Table, Nodes: definition.NodeNames(),
			BlockRows: defaults.BlockRows, BatchSize: defaults.BatchSize, Workers: e.workers(req.MaxCPURatio),
			MaxDiffRows: req.MaxDiffRows, ConfirmDelay: time.Duration(req.ConfirmDelay), Checksum: req.Checksum, Redact: req.Redact,
			Rerun: &tablediff.Rerun{Document: *x.rec.Input, Behavior: req.Behavior},
		},
		output: req.Output, quiet: req.Quiet,
	})
}

// comparison is a comparison to run, and what to do with its result.
type comparison struct {
	tablediff.Request
	output string // the requested format: json, csv or html
	quiet  bool   // the progress is not logged
}

// workers returns how many units of work run at once if max_cpu_ratio is ratio.
func (e *Executor) workers(ratio float64) int { return max(1, int(ratio*float64(e.Parallel))) }

// compare runs a comparison for a task and renders its document if the request asks for
// that.
func (e *Executor) compare(ctx context.Context, x execution, c comparison) (runner.Outcome, error) {
	c.TaskID = x.rec.TaskID
	c.SubmittedAt = x.rec.SubmittedAt
	c.StartedAt = *x.rec.StartedAt
	c.Patience = x.patience
	c.OfSet = x.rec.Parent != ""
	report := x.report
	if !c.quiet {
		report = e.logged(ctx, x.rec.TaskID, report)
	}

	var last task.Progress
	result, err := e.Diffs.Run(ctx, c.Request, func(p task.Progress) {
		last = p
		report(p)
	})
	if err != nil {
		return runner.Outcome{}, err
	}

	answer, err := diffAnswer(result)
	if err != nil {
		return runner.Outcome{}, err
	}

	if c.output != api.FormatJSON {
		last.Phase = phaseRender
		report(last)
		rendering, problem, err := e.render(ctx, x, result.Document, c.output)
		if err != nil {
			return runner.Outcome{}, err
		}
		answer.DiffFile, answer.OutputError = rendering, problem
	}

	body, err := json.Marshal(answer)
	return runner.Outcome{Result: body, Document: &result.Document}, err
}

// phaseRender is the phase of a task while its document is rendered.
const phaseRender = "render"

// render stores the requested rendering next to the document and returns the diff_file of
// the result. The document is already archived, so a failed rendering does not fail the
// task, and a later download can render the document again. problem is the reason of the
// failure, which becomes the output_error of the result. render returns an error only if
// ctx has ended, which means that the task must stop.
func (e *Executor) render(ctx context.Context, x execution, document task.Document, format string) (diffFile, problem string, err error) {
	var rendering archive.Info
	err = x.patience.Do(ctx, "rendering", func() (err error) {
		rendering, err = e.Renderings.Ensure(ctx, document, format)
		return err
	})
	switch {
	case err == nil:
		return rendering.Key, "", nil
	case ctx.Err() != nil:
		return "", "", context.Cause(ctx)
	}
	e.Log.WarnContext(ctx, "document not rendered", "document", document.Key, "format", format, "error", err)
	return document.Key, fmt.Sprintf("the document could not be rendered as %s: %s", format, fault.PublicMessage(err)), nil
}
