package service

import (
	"encoding/json"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/tablediff"
	"ace/shared/tablerepair"
)

// diffAnswer converts the result of a comparison to the task's result in the API.
func diffAnswer(result tablediff.Result) (api.DiffResult, error) {
	summary, err := json.Marshal(result.Summary)
	if err != nil {
		return api.DiffResult{}, fault.Wrap(err, fault.Internal, "cannot encode the summary")
	}
	verdict := api.VerdictMatch
	if result.Summary.MismatchedRows > 0 {
		verdict = api.VerdictDiffer
	}
	return api.DiffResult{
		Verdict: verdict, DiffFile: result.Document.Key, Summary: summary,
		TotalRows: result.Summary.TotalRows, MismatchedRows: result.Summary.MismatchedRows,
	}, nil
}

// repairAnswer converts the result of a repair to the task's result in the API.
func repairAnswer(req api.TableRepairRequest, result tablerepair.Result) api.RepairResult {
	answer := api.RepairResult{
		SourceOfTruth: req.SourceOfTruth,
		DryRun:        req.DryRun,
		Nodes:         map[string]api.NodeRepair{},
		Warnings:      result.Warnings,
	}
	addRule(&answer, req, result.Rule)
	if result.Report != nil {
		answer.ReportFile = result.Report.Key
	}
	for _, n := range result.Nodes {
		answer.Nodes[n.Node] = nodeRepair(n, result)
	}
	return answer
}

// addRule adds the result of a repair by rule to answer. rule is nil for a repair without
// a rule.
func addRule(answer *api.RepairResult, req api.TableRepairRequest, rule *tablerepair.RuleResult) {
	if rule == nil {
		return
	}
	answer.Resolve = req.Resolve
	answer.Undecided = &rule.Undecided
	for _, key := range rule.UndecidedKeys {
		answer.UndecidedKeys = append(answer.UndecidedKeys, api.UndecidedKey{Key: shortKey(key.Key), Reason: key.Reason})
	}
	answer.Rules = rule.Rules
	for node, ahead := range rule.Clocks {
		if answer.ClockDifferences == nil {
			answer.ClockDifferences = map[string]api.Seconds{}
		}
		answer.ClockDifferences[node] = api.Seconds(ahead.Seconds())
	}
}

// undoAnswer converts the result of an undo to the task's result in the API.
func undoAnswer(req api.TableUndoRequest, result tablerepair.Result) api.UndoResult {
	answer := api.UndoResult{
		TaskID:   req.TaskID,
		DryRun:   req.DryRun,
		Nodes:    map[string]api.NodeUndo{},
		Warnings: result.Warnings,
	}

	for _, n := range result.Nodes {
		node := api.NodeUndo{NodeRepair: nodeRepair(n, result)}
		for _, key := range n.Totals.Left {
			node.SkippedKeys = append(node.SkippedKeys, shortKey(key))
		}
		answer.Nodes[n.Node] = node
	}
	return answer
}

func nodeRepair(n tablerepair.NodeResult, result tablerepair.Result) api.NodeRepair {
	t := n.Totals
	node := api.NodeRepair{
		Inserted:  t.Inserted,
		Updated:   t.Updated,
		Deleted:   t.Deleted,
		Unchanged: t.Unchanged,
		Skipped:   t.Skipped,
		Outcome:   n.Outcome,
		SQLFile:   result.Scripts[n.Node].Key,

		Unrepairable: t.Unrepairable(),
	}
	for _, key := range t.UnrepairableKeys {
		node.UnrepairableKeys = append(node.UnrepairableKeys, shortKey(key))
	}

	node.MissingPrivileges = n.Grants
	if n.Error != nil {
		node.Error = n.Error.Message
	}
	return node
}

// shortKey returns a key whose long values are shortened. In a message, the beginning of
// a value is enough to recognize the row.
func shortKey(key []string) []string {
	short := make([]string, len(key))
	for i, text := range key {
		short[i] = fault.Short(text)
	}
	return short
}
