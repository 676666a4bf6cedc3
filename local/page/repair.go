package page

import (
	"slices"

	"ace/shared/api"
	"ace/shared/difffile"
	"ace/shared/render"
)

// repairForm is the form that starts the dry run of a repair.
type repairForm struct {
	Nodes   []string // the names of the nodes of the document
	Options []field
}

// newRepairForm returns the form that repairs the rows of a document. s is the summary of
// the document. The form suggests no source of truth, because only the operator can
// decide which node's rows are right.
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

// newConfirmation returns the form that carries out the dry run t, which must be a repair
// or undo with a result. It returns nil if t is not a completed dry run, or if t would
// change no row.
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

// Statement returns the statement that the operator confirms, such as "change 2 rows of
// public.users on n1 and n2". The form sends the statement with the request. A request
// whose statement is not that of the dry run is refused (see confirm).
func (c *confirmation) Statement() string {
	return "change " + render.Quantity(c.Total, "row") + " of " + c.Table + " on " + render.Sentence(c.Nodes)
}
