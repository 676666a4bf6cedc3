package service

import (
	"context"
	"encoding/json"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/resolve"
	"ace/shared/runner"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

// tableRepair executes a table-repair task.
func (e *Executor) tableRepair(ctx context.Context, x execution) (runner.Outcome, error) {
	var req api.TableRepairRequest
	if err := readRequest(x.rec, &req); err != nil {
		return runner.Outcome{}, err
	}

	if x.rec.Input == nil {
		return runner.Outcome{}, fault.New(fault.Internal, "task %s has no diff document", x.rec.TaskID)
	}

	rule := ruleOf(req)
	if req.Rules != "" {
		err := x.patience.Do(ctx, "reading the rules document", func() (err error) {
			rule.Document, err = readRules(ctx, e.Store, req.Rules)
			return err
		})
		if err != nil {
			return runner.Outcome{}, err
		}
	}

	result, err := e.repair(ctx, x, req.Quiet, tablerepair.Request{
		ClusterName: req.ClusterName, Schema: req.Table.Schema, Table: req.Table.Name,
		Input: *x.rec.Input, Source: sourceOf(req), Resolve: rule, Targets: req.Nodes,
		DryRun: req.DryRun, Report: req.GenerateReport, Scripts: req.GenerateSQL, UpsertOnly: req.UpsertOnly, InsertOnly: req.InsertOnly,
		FireTriggers: req.FireTriggers, AllowCascade: req.AllowCascade, AllowLag: req.AllowLag,
		AllowConflict: req.AllowConflict,
	})
	return repairOutcome(repairAnswer(req, result), result, err)
}

// sourceOf returns the source of truth. A repair by rule has none.
func sourceOf(req api.TableRepairRequest) string {
	if req.ByRule() {
		return ""
	}
	return req.SourceOfTruth
}

// ruleOf returns the rule of a repair by rule, and nil for another repair.
func ruleOf(req api.TableRepairRequest) *tablerepair.Rule {
	if !req.ByRule() {
		return nil
	}
	rule := &tablerepair.Rule{Strategy: req.Resolve, Missing: resolve.Missing(req.Missing), TieBreaker: req.SourceOfTruth}
	if req.MaxClockSkew != nil {
		rule.Skew = time.Duration(*req.MaxClockSkew)
	}
	return rule
}

// tableUndo executes a table-undo task.
func (e *Executor) tableUndo(ctx context.Context, x execution) (runner.Outcome, error) {
	var req api.TableUndoRequest
	if err := readRequest(x.rec, &req); err != nil {
		return runner.Outcome{}, err
	}

	var repair task.Record
	err := x.patience.Do(ctx, "reading the repair", func() (err error) {
		repair, err = e.Tasks.Get(ctx, req.TaskID)
		return err
	})
	if err != nil {
		return runner.Outcome{}, err
	}

	name, err := api.ParseTableName(repair.TableName)
	if err != nil {
		return runner.Outcome{}, fault.Wrap(err, fault.Internal, "task %s has the table %q, which is not a valid name", repair.TaskID, repair.TableName)
	}

	result, err := e.repair(ctx, x, req.Quiet, tablerepair.Request{
		ClusterName: repair.ClusterName, Schema: name.Schema, Table: name.Name, Undoes: req.TaskID,
		DryRun: req.DryRun, Scripts: req.GenerateSQL, FireTriggers: req.FireTriggers, AllowCascade: req.AllowCascade, AllowLag: req.AllowLag,
	})
	return repairOutcome(undoAnswer(req, result), result, err)
}

// repair completes the request job from the task's record and the cluster's definition,
// and runs the repair or undo.
func (e *Executor) repair(
	ctx context.Context, x execution, quiet bool, job tablerepair.Request,
) (tablerepair.Result, error) {
	rec, report := x.rec, x.report
	err := x.patience.Do(ctx, "check of the table lock", func() error { return e.Tasks.CheckLock(ctx, rec) })
	if err != nil {
		return tablerepair.Result{}, err
	}

	definition, err := e.loadCluster(ctx, x, job.ClusterName)
	if err != nil {
		return tablerepair.Result{}, err
	}

	if !quiet {
		report = e.logged(ctx, rec.TaskID, report)
	}

	job.TaskID = rec.TaskID
	job.Database = rec.DBName
	job.Patience = x.patience
	job.Nodes = definition.NodeNames()
	job.Lease = rec.LeaseToken()
	job.SubmittedAt = rec.SubmittedAt
	job.StartedAt = *rec.StartedAt
	job.Arguments = rec.Parameters
	return e.Repairs.Run(ctx, job, report)
}

// repairOutcome returns the outcome of a repair or undo. failed is the error of the task,
// or nil. If at least one node has a result, the outcome contains answer even if the task
// failed.
func repairOutcome(answer any, result tablerepair.Result, failed error) (runner.Outcome, error) {
	if len(result.Nodes) == 0 {
		return runner.Outcome{}, failed
	}
	raw, err := json.Marshal(answer)
	if failed != nil {
		err = failed
	}
	return runner.Outcome{Result: raw, Report: result.Report, Scripts: result.Scripts}, err
}
