package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"

	"ace/shared/api"
	"ace/shared/task"
)

// EventOf returns the event of a task that has ended.
func EventOf(rec task.Record) api.Event {
	result := parseResult(rec.Result)
	data := api.EventData{
		TaskID: rec.TaskID, TaskType: string(rec.Type), Status: string(rec.Status),
		ClusterName: rec.ClusterName, DBName: rec.DBName, TableName: rec.TableName,
		Scheduled: rec.Scheduled, SubmittedAt: api.At(rec.SubmittedAt),
		Error: errorOf(rec), Links: linksOf(rec),
	}
	if rec.StartedAt != nil {
		data.StartedAt = api.At(*rec.StartedAt)
	}
	if rec.FinishedAt != nil {
		data.FinishedAt = api.At(*rec.FinishedAt)
	}
	result.describe(&data)
	return api.Event{ID: eventID(rec), Type: typeOf(rec, result), Time: data.FinishedAt, Data: data}
}

// eventID returns the id of the event of a task. The task id is unique only within one
// archive, but one receiver may serve several installations. So the event id also has a
// hash of the task's random submission text.
func eventID(rec task.Record) string {
	sum := sha256.Sum256([]byte(rec.TaskID + " " + rec.Submission))
	return "msg_" + rec.TaskID + "_" + hex.EncodeToString(sum[:6])
}

// result has the members of a task's result that an event contains. It has no members for
// keys of rows and for messages, because an event must not contain values of rows.
type result struct {
	Verdict        string `json:"verdict"`
	TotalRows      *int64 `json:"total_rows"`
	MismatchedRows *int64 `json:"mismatched_rows"`
	Summary        struct {
		UnsettledRows *int64 `json:"unsettled_rows"`
	} `json:"summary"`

	Tables   *api.SetTables   `json:"tables"`
	Findings *api.SetFindings `json:"findings"`

	DryRun        bool                     `json:"dry_run"`
	SourceOfTruth string                   `json:"source_of_truth"`
	TaskID        string                   `json:"task_id"` // the id of the repair that an undo undoes
	Nodes         map[string]api.EventNode `json:"nodes"`
}

// parseResult decodes the result of a task. It returns the zero result if the task has
// none. A result of a later version may have members of other types, which are left out.
func parseResult(raw json.RawMessage) result {
	var r result
	_ = json.Unmarshal(raw, &r) // what can be read is used; the type of the event does not depend on the rest
	return r
}

// describe copies the result to data.
func (r result) describe(data *api.EventData) {
	data.Verdict = r.Verdict
	data.TotalRows = r.TotalRows
	data.MismatchedRows = r.MismatchedRows
	data.UnsettledRows = r.Summary.UnsettledRows
	data.Tables = r.Tables
	data.Findings = r.Findings
	data.DryRun = r.DryRun
	data.SourceOfTruth = r.SourceOfTruth
	data.Undoes = r.TaskID
	data.Nodes = r.Nodes
}

func typeOf(rec task.Record, r result) string {
	switch {
	case rec.Status == task.Failed:
		return api.EventFailed
	case rec.Status == task.Cancelled:
		return api.EventCancelled
	case r.Verdict == api.VerdictDiffer:
		return api.EventDiffers
	case r.Verdict == api.VerdictMatch:
		return api.EventMatches
	case r.DryRun:
		return api.EventDryRun
	case rec.Type == task.TableRepair:
		return api.EventRepaired
	case rec.Type == task.TableUndo:
		return api.EventUndone
	}
	return api.EventCompleted
}

// The parts of an error message that an event may contain. A message begins with the
// node, if it is about one; the names of nodes contain no spaces and quotes (api.IsName).
var (
	nodeInMessage     = regexp.MustCompile(`^node "([A-Za-z0-9._-]{1,63})"[: ]`)
	sqlStateInMessage = regexp.MustCompile(`\(SQLSTATE ([0-9A-Z]{5})\)`)
)

// errorOf describes the error of a task without its message, which may contain values of
// a row: a server may quote a value that it cannot convert, and ACE adds the key of the
// row.
func errorOf(rec task.Record) *api.EventError {
	if rec.ErrorCode == "" && rec.Error == "" {
		return nil
	}
	found := &api.EventError{Code: rec.ErrorCode}
	if node := nodeInMessage.FindStringSubmatch(rec.Error); node != nil {
		found.Node = node[1]
	}
	if state := sqlStateInMessage.FindStringSubmatch(rec.Error); state != nil {
		found.SQLState = state[1]
	}
	return found
}

func linksOf(rec task.Record) api.EventLinks {
	links := api.EventLinks{Status: api.RouteTaskStatus.Path(rec.TaskID)}
	if rec.Document != nil {
		links.Document = api.RouteDiff.Path(rec.TaskID)
	}
	if rec.Report != nil {
		links.Report = api.RouteReport.Path(rec.TaskID)
	}
	return links
}
