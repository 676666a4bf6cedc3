package client

import (
	"context"

	"github.com/jedib0t/go-pretty/v6/table"

	"ace/shared/api"
)

// audit runs `ace audit`.
func audit(ctx context.Context, s *session) error {
	if _, err := s.args(0, 0, "no argument"); err != nil {
		return err
	}
	var list api.AuditList
	done, err := s.list(ctx, api.RouteAudit, "audit", &list)
	if done || err != nil {
		return err
	}

	rows := s.newTable("time", "requested by", "action", "outcome", "subject", "task")
	for _, e := range list.Entries {
		rows.AppendRow(table.Row{
			e.At.UTC().Format("2006-01-02 15:04:05.000"), safe(e.RequestedBy.String()), safe(e.Action), outcomeOfEntry(e), subjectOf(e), safe(e.TaskID),
		})
	}
	rows.Render()
	s.more(list.Next)
	return nil
}

// outcomeOfEntry returns the outcome of an entry in a few words.
func outcomeOfEntry(e api.AuditEntry) string {
	if e.Existing {
		return "accepted, as the task that exists"
	}
	if e.Reason != "" {
		return cut(safe(e.Outcome+": "+e.Reason), 70)
	}
	return safe(e.Outcome)
}

// subjectOf returns what the action of an entry is about.
func subjectOf(e api.AuditEntry) string {
	switch {
	case e.Object != "":
		return cut(safe(e.Object), 40)
	case e.TableName != "":
		return safe(e.ClusterName + " " + e.TableName)
	}
	return safe(e.ClusterName)
}
