package api

import (
	"errors"
)

const allowedRepairID = "the id of a table-repair, such as tr_20240315_123456"

// TableUndoRequest asks to restore the rows that a repair changed, except rows that were
// changed after the repair. The JSON form of the request is stored as the parameters of
// the task.
type TableUndoRequest struct {
	TaskID       string `json:"task_id"` // id of the repair to undo
	DryRun       bool   `json:"dry_run"`
	Quiet        bool   `json:"quiet"`
	GenerateSQL  bool   `json:"generate_sql,omitempty"` // with dry_run: write a script for psql that makes the changes
	FireTriggers bool   `json:"fire_triggers"`          // triggers and foreign keys work as in any other session
	AllowCascade bool   `json:"allow_cascade"`          // with fire_triggers: a delete may cascade to other tables
	AllowLag     bool   `json:"allow_lag"`              // has no effect, because an undo does not wait for replication
}

// DecodeTableUndo decodes and validates the parameters of table-undo. It returns all
// problems in one fault with code Invalid.
func DecodeTableUndo(p Params) (TableUndoRequest, error) {
	r := newReader(p)
	req := TableUndoRequest{
		TaskID:       parse(r, "task_id", "", allowedRepairID, parseRepairID),
		DryRun:       r.flag("dry_run"),
		Quiet:        r.flag("quiet"),
		GenerateSQL:  r.flag("generate_sql"),
		FireTriggers: r.flag("fire_triggers"),
		AllowCascade: r.flag("allow_cascade"),
		AllowLag:     r.flag("allow_lag"),
	}
	return req, r.finish(req.problems())
}

// Validate returns all problems of the request in one fault with code Invalid.
func (r TableUndoRequest) Validate() error { return r.problems().err() }

func (r TableUndoRequest) problems() problems {
	var found problems
	if r.TaskID == "" {
		found.add("task_id", "task_id is required")
	} else if _, err := parseRepairID(r.TaskID); err != nil {
		found.add("task_id", notAllowed("task_id", r.TaskID, allowedRepairID))
	}
	found.add("generate_sql", scriptProblem(r.GenerateSQL, r.DryRun))
	return found
}

// parseRepairID returns a task id that begins with tr_. The task may still be a rerun, or
// an undo of an earlier version, whose ids begin with tr_ too. Only the task's record has
// the type.
func parseRepairID(text string) (string, error) {
	if !repairIDPattern.MatchString(text) {
		return "", errors.New(allowedRepairID)
	}
	return text, nil
}

// UndoResult is the result of an undo. Rows that were changed after the repair count as
// skipped.
type UndoResult struct {
	TaskID   string              `json:"task_id"` // id of the repair that was undone
	DryRun   bool                `json:"dry_run"`
	Nodes    map[string]NodeUndo `json:"nodes"` // the result on each node, by the name of the node
	Warnings []string            `json:"warnings,omitempty"`
}

// NodeUndo is the result of the undo of one node.
type NodeUndo struct {
	NodeRepair
	// SkippedKeys has the keys of the first hundred skipped rows.
	SkippedKeys [][]string `json:"skipped_keys,omitempty"`
}
