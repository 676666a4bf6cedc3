package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/runner"
	"ace/shared/service"
	"ace/shared/tablediff"
	"ace/shared/task"
)

// progressEvery is how often a running task writes a line to the log.
const progressEvery = 10 * time.Second

// Capacity is how many units of work an invoker can take at once.
type Capacity struct {
	// Parallel units are at the nodes when max_cpu_ratio is 1.
	Parallel int
	// Here: they are all done by this application's worker, not each by a process of its own.
	Here bool
}

// LocalCapacity is that of one machine: its CPUs, or what a container or GOMAXPROCS leaves of them.
func LocalCapacity() Capacity { return Capacity{Parallel: runtime.GOMAXPROCS(0), Here: true} }

// Works gives the capabilities by task type. invoker has units done.
func (a *App) Works(invoker tablediff.Invoker, capacity Capacity) map[task.Type]runner.Handler {
	var here tablediff.LocalWorker
	if capacity.Here {
		here = a.worker
	}
	coordinator := tablediff.NewCoordinator(tablediff.CoordinatorOptions{
		Store: a.options.Store, Nodes: a.nodes(), Invoker: invoker, LocalWorker: here, Patience: a.options.Patience, Log: a.options.Log,
	})
	return map[task.Type]runner.Handler{
		task.TableDiff: func(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
			return a.tableDiff(ctx, coordinator, capacity.Parallel, rec, report)
		},
		task.TableRerun: func(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
			return a.tableRerun(ctx, coordinator, capacity.Parallel, rec, report)
		},
		task.TableRepair: a.tableRepair,
		task.TableUndo:   a.tableUndo,
	}
}

func (a *App) tableDiff(
	ctx context.Context, coordinator *tablediff.Coordinator, parallel int, rec task.Record, report func(task.Progress),
) (runner.Outcome, error) {
	var req api.TableDiffRequest
	if err := parameters(rec, &req); err != nil {
		return runner.Outcome{}, err
	}
	definition, err := a.options.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return runner.Outcome{}, err
	}
	database, nodes, err := service.Nodes(definition, req)
	if err != nil {
		return runner.Outcome{}, err
	}
	return a.compare(ctx, coordinator, rec, tablediff.Job{
		Request: req, Nodes: nodes, Database: database, Workers: workers(req.MaxCPURatio, parallel),
	}, report)
}

func (a *App) tableRerun(
	ctx context.Context, coordinator *tablediff.Coordinator, parallel int, rec task.Record, report func(task.Progress),
) (runner.Outcome, error) {
	var req api.TableRerunRequest
	if err := parameters(rec, &req); err != nil {
		return runner.Outcome{}, err
	}
	if rec.Input == nil {
		return runner.Outcome{}, fault.New(fault.Internal, "task %s names no document", rec.TaskID)
	}
	definition, err := a.options.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return runner.Outcome{}, err
	}
	compared := api.NewTableDiffRequest()
	compared.ClusterName, compared.Table, compared.DBName = req.ClusterName, req.Table, req.DBName
	compared.MaxDiffRows, compared.ConfirmDelay, compared.Checksum = req.MaxDiffRows, req.ConfirmDelay, req.Checksum
	compared.Output, compared.Quiet = req.Output, req.Quiet
	return a.compare(ctx, coordinator, rec, tablediff.Job{
		Request: compared, Nodes: definition.NodeNames(), Database: rec.DBName, Workers: workers(req.MaxCPURatio, parallel),
		Rerun: &tablediff.Rerun{Document: *rec.Input, Behavior: req.Behavior},
	}, report)
}

// parameters reads the request that a task stores.
func parameters(rec task.Record, req any) error {
	if err := json.Unmarshal(rec.Parameters, req); err != nil {
		return fault.Wrap(err, fault.Internal, "the parameters of task %s cannot be read", rec.TaskID)
	}
	return nil
}

func workers(ratio float64, parallel int) int { return max(1, int(ratio*float64(parallel))) }

// compare runs a job that says what is compared, for this task.
func (a *App) compare(
	ctx context.Context, coordinator *tablediff.Coordinator, rec task.Record, job tablediff.Job, report func(task.Progress),
) (runner.Outcome, error) {
	job.TaskID, job.SubmittedAt, job.StartedAt = rec.TaskID, rec.SubmittedAt, *rec.StartedAt
	if !job.Request.Quiet {
		report = a.logged(ctx, rec.TaskID, report)
	}
	var last task.Progress
	result, err := coordinator.Run(ctx, job, func(p task.Progress) {
		last = p
		report(p)
	})
	if err != nil {
		return runner.Outcome{}, err
	}
	if job.Request.Output != api.FormatJSON {
		last.Phase = phaseRender
		report(last)
		if err := a.render(ctx, &result, job.Request.Output); err != nil {
			return runner.Outcome{}, err
		}
	}
	answer, err := json.Marshal(result.Answer)
	return runner.Outcome{Result: answer, Document: &result.Document}, err
}

// phaseRender is the phase of a task whose document is being rendered.
const phaseRender = "render"

// render writes the rendering that was asked for beside the document. By then the comparison is done and its document
// archived: a rendering that fails costs neither. The answer says so, and it can be made later. Only a task that has to
// stop does not end like this: it finds its document again when it goes on.
func (a *App) render(ctx context.Context, result *tablediff.Result, format string) error {
	rendering, err := a.renderings.Ensure(ctx, result.Document, format)
	switch {
	case err == nil:
		result.Answer.DiffFile = rendering.Key
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		result.Answer.OutputError = fmt.Sprintf("the document could not be rendered as %s: %s", format, fault.PublicMessage(err))
		a.options.Log.WarnContext(ctx, "document not rendered", "document", result.Document.Key, "format", format, "error", err)
	}
	return nil
}

// logged also writes progress to the log, now and then. It is called by one goroutine at a time.
func (a *App) logged(ctx context.Context, taskID string, report func(task.Progress)) func(task.Progress) {
	last := time.Now()
	return func(p task.Progress) {
		report(p)
		if now := time.Now(); now.Sub(last) >= progressEvery {
			last = now
			a.options.Log.LogAttrs(ctx, slog.LevelInfo, "progress", slog.String("task_id", taskID), slog.String("phase", p.Phase),
				slog.Int("blocks_done", p.BlocksDone), slog.Int("blocks_total", p.BlocksTotal),
				slog.Int64("rows_compared", p.RowsCompared), slog.Int64("mismatched_rows", p.MismatchedRows))
		}
	}
}
