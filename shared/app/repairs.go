package app

import (
	"context"
	"encoding/json"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/runner"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

// tableRepair does a task of this type.
func (a *App) tableRepair(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
	var req api.TableRepairRequest
	if err := readParameters(rec, &req); err != nil {
		return runner.Outcome{}, err
	}
	if rec.Input == nil {
		return runner.Outcome{}, fault.New(fault.Internal, "task %s has no diff document", rec.TaskID)
	}
	result, err := a.runRepair(ctx, rec, req.Quiet, report, tablerepair.Request{
		ClusterName: req.ClusterName, Schema: req.Table.Schema, Table: req.Table.Name,
		Input: *rec.Input, Source: req.SourceOfTruth, Targets: req.Nodes,
		DryRun: req.DryRun, Report: req.GenerateReport, UpsertOnly: req.UpsertOnly, InsertOnly: req.InsertOnly,
		FireTriggers: req.FireTriggers, AllowCascade: req.AllowCascade, AllowLag: req.AllowLag,
	})
	answer := api.RepairResult{
		SourceOfTruth: req.SourceOfTruth, DryRun: req.DryRun, Nodes: map[string]api.NodeRepair{}, Warnings: result.Warnings,
	}
	if result.Report != nil {
		answer.ReportFile = result.Report.Key
	}
	for _, n := range result.Nodes {
		answer.Nodes[n.Node] = nodeRepair(n)
	}
	return repairOutcome(answer, result, err)
}

// tableUndo does a task of this type.
func (a *App) tableUndo(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
	var req api.TableUndoRequest
	if err := readParameters(rec, &req); err != nil {
		return runner.Outcome{}, err
	}
	repair, err := a.tasks.Get(ctx, req.TaskID)
	if err != nil {
		return runner.Outcome{}, err
	}
	undone, err := api.ParseTableName(repair.TableName)
	if err != nil {
		return runner.Outcome{}, fault.Wrap(err, fault.Internal, "task %s is of table %q, which is no table's name", repair.TaskID, repair.TableName)
	}
	result, err := a.runRepair(ctx, rec, req.Quiet, report, tablerepair.Request{
		ClusterName: repair.ClusterName, Schema: undone.Schema, Table: undone.Name, Undoes: req.TaskID,
		DryRun: req.DryRun, FireTriggers: req.FireTriggers, AllowCascade: req.AllowCascade, AllowLag: req.AllowLag,
	})
	answer := api.UndoResult{TaskID: req.TaskID, DryRun: req.DryRun, Nodes: map[string]api.NodeUndo{}, Warnings: result.Warnings}
	for _, n := range result.Nodes {
		node := api.NodeUndo{NodeRepair: nodeRepair(n)}
		for _, key := range n.Totals.Left {
			node.SkippedKeys = append(node.SkippedKeys, shortKey(key))
		}
		answer.Nodes[n.Node] = node
	}
	return repairOutcome(answer, result, err)
}

// shortKey returns a key for an answer: a row is identified by the beginning of a long value, too.
func shortKey(key []string) []string {
	short := make([]string, len(key))
	for i, text := range key {
		short[i] = fault.Short(text)
	}
	return short
}

// runRepair completes a job by what the task's record and the cluster say, and runs it.
func (a *App) runRepair(
	ctx context.Context, rec task.Record, quiet bool, report func(task.Progress), job tablerepair.Request,
) (tablerepair.Result, error) {
	if err := a.tasks.CheckLock(ctx, rec); err != nil {
		return tablerepair.Result{}, err
	}
	definition, err := a.options.Clusters.Load(ctx, job.ClusterName)
	if err != nil {
		return tablerepair.Result{}, err
	}
	if !quiet {
		report = a.logged(ctx, rec.TaskID, report)
	}
	job.TaskID, job.Database, job.Nodes, job.Lease = rec.TaskID, rec.DBName, definition.NodeNames(), rec.LeaseToken()
	job.SubmittedAt, job.StartedAt, job.Arguments = rec.SubmittedAt, *rec.StartedAt, rec.Parameters
	return tablerepair.NewCoordinator(a.options.Store, a.repairNodes(), a.repair, a.options.Log).Run(ctx, job, report)
}

func readParameters(rec task.Record, into any) error {
	if err := json.Unmarshal(rec.Parameters, into); err != nil {
		return fault.Wrap(err, fault.Internal, "the parameters of task %s cannot be read", rec.TaskID)
	}
	return nil
}

func nodeRepair(n tablerepair.NodeResult) api.NodeRepair {
	t := n.Totals
	node := api.NodeRepair{
		Inserted: t.Inserted, Updated: t.Updated, Deleted: t.Deleted, Unchanged: t.Unchanged, Skipped: t.Skipped, Unequal: t.Unequal, Outcome: n.Outcome,
	}
	if n.Error != nil {
		node.Error = n.Error.Message
	}
	return node
}

// repairOutcome keeps what happened on the nodes, also where the task did not get to its end.
func repairOutcome(answer any, result tablerepair.Result, failed error) (runner.Outcome, error) {
	if len(result.Nodes) == 0 {
		return runner.Outcome{}, failed
	}
	raw, err := json.Marshal(answer)
	if failed != nil {
		err = failed
	}
	return runner.Outcome{Result: raw, Report: result.Report}, err
}
