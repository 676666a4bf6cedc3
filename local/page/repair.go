package page

import (
	"slices"

	"ace/shared/api"
	"ace/shared/difffile"
)

// repairForm is the form that starts the dry run of a repair.
type repairForm struct {
	Nodes   []string // the nodes of the document
	Options []field
}

// newRepairForm returns the form for a document. It suggests no source of truth: which
// rows are right is for the operator to decide.
func newRepairForm(s *difffile.Summary) *repairForm {
	return &repairForm{Nodes: s.Nodes, Options: fieldsOf("table-repair", []string{
		"upsert_only", "insert_only", "fire_triggers", "allow_cascade", "allow_lag", "allow_conflict",
	}, nil)}
}

// confirmation is the form that starts a repair or undo after its dry run.
type confirmation struct {
	Table string
	Nodes []string // the nodes that would be changed
	Total int64
}

// newConfirmation returns the form for the task of a dry run, or nil if there is nothing
// to confirm.
func newConfirmation(t *taskView) *confirmation {
	if t.Status != api.StatusCompleted || !t.Changes.DryRun || t.Changes.Total == 0 {
		return nil
	}
	c := &confirmation{Table: t.TableName, Total: t.Changes.Total}
	for _, n := range t.Changes.Nodes {
		if n.Total() > 0 {
			c.Nodes = append(c.Nodes, n.Node)
		}
	}
	slices.Sort(c.Nodes)
	return c
}

// Statement returns the statement that the operator confirms. It names the table and the
// nodes. The form sends it back, so that a form of another dry run is refused.
func (c *confirmation) Statement() string {
	return "change " + count(c.Total, "row") + " of " + c.Table + " on " + enumerate(c.Nodes)
}
