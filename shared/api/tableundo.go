package api

import (
	"errors"
	"strings"
)

const allowedRepairID = "the id of a table-repair, such as tr_20240315_123456"

// TableUndoRequest asks to put back what a repair has changed, where the rows are still as it left them. Its JSON form is
// what a task stores as its parameters.
type TableUndoRequest struct {
	TaskID       string `json:"task_id"` // of the repair
	DryRun       bool   `json:"dry_run"`
	Quiet        bool   `json:"quiet"`
	FireTriggers bool   `json:"fire_triggers"` // triggers and foreign keys act as in any other session
	AllowCascade bool   `json:"allow_cascade"` // with fire_triggers: deletions may reach other tables
	AllowLag     bool   `json:"allow_lag"`     // although replication from the source is behind or off
}

// DecodeTableUndo reads and validates the parameters of table-undo. All problems come in one fault with code Invalid.
func DecodeTableUndo(p Params) (TableUndoRequest, error) {
	r := newReader(p)
	req := TableUndoRequest{
		TaskID:       parsed(r, "task_id", "", allowedRepairID, parseRepairID),
		DryRun:       r.flag("dry_run"),
		Quiet:        r.flag("quiet"),
		FireTriggers: r.flag("fire_triggers"),
		AllowCascade: r.flag("allow_cascade"),
		AllowLag:     r.flag("allow_lag"),
	}
	return req, r.finish(req.problems())
}

// Validate gives one fault with code Invalid for everything that is wrong with the request.
func (r TableUndoRequest) Validate() error { return r.problems().err() }

func (r TableUndoRequest) problems() problems {
	var found problems
	if r.TaskID == "" {
		found.add("task_id", "task_id is required")
	} else if _, err := parseRepairID(r.TaskID); err != nil {
		found.add("task_id", notAllowed("task_id", r.TaskID, allowedRepairID))
	}
	return found
}

// parseRepairID accepts the ids that repairs have, and reruns and undos too: only the task itself says which it is.
func parseRepairID(text string) (string, error) {
	if !taskIDPattern.MatchString(text) || !strings.HasPrefix(text, "tr_") {
		return "", errors.New(allowedRepairID)
	}
	return text, nil
}

// UndoResult is the result of an undo. Skipped rows are those that were changed since the repair.
type UndoResult struct {
	TaskID   string              `json:"task_id"` // of the repair
	DryRun   bool                `json:"dry_run"`
	Nodes    map[string]NodeUndo `json:"nodes"` // by the name of the node
	Warnings []string            `json:"warnings,omitempty"`
}

// NodeUndo is how the undo of one node ended.
type NodeUndo struct {
	NodeRepair
	// SkippedKeys are the first hundred of the skipped rows: the values of each one's key.
	SkippedKeys [][]string `json:"skipped_keys,omitempty"`
}
