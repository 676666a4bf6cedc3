package api

import (
	"encoding/json"
	"regexp"
)

// The states of a task.
const (
	StatusQueued    = "QUEUED"
	StatusRunning   = "RUNNING"
	StatusCompleted = "COMPLETED"
	StatusFailed    = "FAILED"
	StatusCancelled = "CANCELLED"
)

// The types of tasks.
const (
	TypeTableDiff   = "table-diff"
	TypeTableRerun  = "table-rerun"
	TypeTableRepair = "table-repair"
	TypeTableUndo   = "table-undo"
	TypeSchemaDiff  = "schema-diff"
	TypeRepsetDiff  = "repset-diff"

	TypeReplicationDiff = "replication-diff"
)

func taskTypes() []string {
	return []string{TypeTableDiff, TypeTableRerun, TypeTableRepair, TypeTableUndo, TypeSchemaDiff, TypeRepsetDiff, TypeReplicationDiff}
}

// IsSetType reports whether a task of this type compares several tables.
func IsSetType(taskType string) bool { return taskType == TypeSchemaDiff || taskType == TypeRepsetDiff }

func statuses() []string {
	return []string{StatusQueued, StatusRunning, StatusCompleted, StatusFailed, StatusCancelled}
}

// The verdicts of a comparison.
const (
	VerdictMatch  = "match"
	VerdictDiffer = "differ"
)

func verdicts() []string { return []string{VerdictMatch, VerdictDiffer} }

// Submitted answers every request that starts a task.
type Submitted struct {
	TaskID      string `json:"task_id"`
	SubmittedAt Time   `json:"submitted_at"`
}

// TaskStatus is the state of a task as the API returns it. A field is absent until its
// value is known.
type TaskStatus struct {
	TaskID     string          `json:"task_id"`
	TaskType   string          `json:"task_type"`
	Status     string          `json:"status"`
	StartedAt  Time            `json:"started_at,omitzero"`
	FinishedAt Time            `json:"finished_at,omitzero"`
	TimeTaken  *Seconds        `json:"time_taken,omitempty"` // seconds, from StartedAt to FinishedAt
	Result     json.RawMessage `json:"result,omitempty"`     // DiffResult, RepairResult, UndoResult, SetResult or ReplicationResult

	SubmittedAt Time            `json:"submitted_at"`
	ClusterName string          `json:"cluster_name"`
	TableName   string          `json:"table_name"`           // the table; the schemas of a schema-diff, such as public.*; the set of a repset-diff, such as publication:orders; "(replication)" for a replication-diff
	Parent      string          `json:"parent,omitempty"`     // id of the schema-diff or repset-diff that submitted this task; absent for all other tasks
	Parameters  json.RawMessage `json:"parameters,omitempty"` // the request, as it was stored
	Error       string          `json:"error,omitempty"`      // why the task has not completed; absent unless Status is FAILED or CANCELLED
	Progress    *Progress       `json:"progress,omitempty"`   // absent unless Status is RUNNING
	// RequestedBy is who requested the task. It is absent from tasks of versions that did
	// not store it.
	RequestedBy *RequestedBy `json:"requested_by,omitempty"`
}

// HasEnded reports whether the task will not change any more.
func (t TaskStatus) HasEnded() bool {
	switch t.Status {
	case StatusCompleted, StatusFailed, StatusCancelled:
		return true
	}
	return false
}

// DiffResult is the result of a comparison.
type DiffResult struct {
	DiffFile       string          `json:"diff_file"`       // key, in the archive, of the document or of its rendering in the requested format
	TotalRows      int64           `json:"total_rows"`      // number of distinct keys over all nodes
	MismatchedRows int64           `json:"mismatched_rows"` // number of distinct keys that differ between at least two nodes
	Summary        json.RawMessage `json:"summary"`         // the summary of the document
	Verdict        string          `json:"verdict"`
	// OutputError is the reason that diff_file names the JSON document although another
	// format was requested.
	OutputError string `json:"output_error,omitempty"`
}

// Progress is the progress of a running task.
type Progress struct {
	Phase             string   `json:"phase"` // what the task is doing, such as compare
	BlocksTotal       int64    `json:"blocks_total"`
	BlocksDone        int64    `json:"blocks_done"`
	RowsCompared      int64    `json:"rows_compared"`
	RowsTotalEstimate int64    `json:"rows_total_estimate"`
	MismatchedRows    int64    `json:"mismatched_rows"`
	TablesTotal       int64    `json:"tables_total,omitempty"` // number of tables; absent unless the task compares several tables
	TablesDone        int64    `json:"tables_done,omitempty"`
	Percent           float64  `json:"percent"` // 0 to 100
	RowsPerSecond     float64  `json:"rows_per_second"`
	ETASeconds        *float64 `json:"eta_seconds"` // null until it can be estimated
	// Retrying is the error of a step that is being retried. It is absent again once the
	// task makes progress.
	Retrying string `json:"retrying,omitempty"`
}

// TaskRequest names one task.
type TaskRequest struct{ TaskID string }

// DecodeTask decodes the task id in the path. There are no parameters. A malformed id is
// a fault with code NotFound.
func DecodeTask(p Params) (TaskRequest, error) {
	id, err := ParseTaskID(p.Arg())
	if err != nil {
		return TaskRequest{}, err
	}
	return TaskRequest{id}, newReader(p).finish(nil)
}

// FormatSQL is the format of the script that makes the changes of a dry run.
const FormatSQL = "sql"

// ReportRequest asks for the report of a repair, for the document of a replication-diff,
// or for the script that makes the changes of a dry run on one node.
type ReportRequest struct {
	TaskID string
	Format string
	Node   string // the node whose script is requested; "" means the only node that has one
}

// DecodeReport decodes the task id in the path, the format and the node.
func DecodeReport(p Params) (ReportRequest, error) {
	id, err := ParseTaskID(p.Arg())
	if err != nil {
		return ReportRequest{}, err
	}
	r := newReader(p)
	req := ReportRequest{TaskID: id, Format: r.text("format", FormatJSON), Node: r.text("node", "")}
	var found problems
	found.add("format", oneOf("format", req.Format, FormatJSON, FormatSQL))
	if req.Node != "" && req.Format == FormatJSON {
		found.add("node", "node is "+quote(req.Node)+"; it must not be set unless format is sql, because a report is about all nodes")
	}
	return req, r.finish(found)
}

// DiffRequest asks for the diff document of a task.
type DiffRequest struct {
	TaskID   string
	Format   string
	Download bool // the browser saves the file instead of showing it
}

// DecodeDiff decodes the task id in the path and the parameters "format" and "download".
func DecodeDiff(p Params) (DiffRequest, error) {
	id, err := ParseTaskID(p.Arg())
	if err != nil {
		return DiffRequest{}, err
	}
	r := newReader(p)
	req := DiffRequest{TaskID: id, Format: r.text("format", FormatJSON), Download: r.flag("download")}
	var found problems
	found.add("format", formatProblem("format", req.Format))
	return req, r.finish(found)
}

// TasksRequest asks for a page of the list of tasks, the newest first. An empty field
// does not filter.
type TasksRequest struct {
	ClusterName string
	TableName   TableName
	TaskType    string
	Status      string
	Parent      string // the id of a parent task, or NoParent
	Limit       int
	After       string // TaskList.Next of the previous page; empty for the first page
}

// TaskList is a page of the list of tasks. Next is empty on the last page.
type TaskList struct {
	Tasks []TaskStatus `json:"tasks"`
	// Unreadable are tasks of this part of the list whose records are damaged, or which a
	// newer version of ACE has stored. They may or may not pass the filter.
	Unreadable []UnreadableTask `json:"unreadable,omitempty"`
	Next       string           `json:"next,omitempty"` // the parameter after of the next page
}

// UnreadableTask is a task whose record cannot be read.
type UnreadableTask struct {
	TaskID string `json:"task_id"`
	Reason string `json:"reason"`
}

// NoParent is the value of TasksRequest.Parent that selects the tasks without a parent.
const NoParent = "none"

const (
	allowedParent = "the id of a task, or " + NoParent

	defaultLimit = 50
	allowedAfter = "the value of next of the previous page"
)

func limitRange() wholeRange { return wholeRange{1, 1_000} }

const afterForm = `[A-Za-z0-9._~%/-]{1,512}`

var afterPattern = regexp.MustCompile(`^` + afterForm + `$`)

// DecodeTasks decodes and validates the parameters of the list of tasks.
func DecodeTasks(p Params) (TasksRequest, error) {
	r := newReader(p)
	req := TasksRequest{
		ClusterName: r.text("cluster_name", ""),
		TableName:   parseWith(r, "table_name", ParseTableName),
		TaskType:    r.text("task_type", ""),
		Status:      r.text("status", ""),
		Parent:      r.text("parent", ""),
		Limit:       int(parse(r, "limit", defaultLimit, limitRange().String(), parseInt64)),
		After:       r.text("after", ""),
	}
	return req, r.finish(req.problems())
}

func (r TasksRequest) problems() problems {
	var found problems
	if r.ClusterName != "" {
		found.add("cluster_name", clusterNameProblem(r.ClusterName))
	}
	if r.TaskType != "" {
		found.add("task_type", oneOf("task_type", r.TaskType, taskTypes()...))
	}
	if r.Status != "" {
		found.add("status", oneOf("status", r.Status, statuses()...))
	}
	if r.Parent != "" && r.Parent != NoParent && !IsTaskID(r.Parent) {
		found.add("parent", notAllowed("parent", r.Parent, allowedParent))
	}
	found.add("limit", limitRange().problem("limit", int64(r.Limit)))
	if r.After != "" && !afterPattern.MatchString(r.After) {
		found.add("after", notAllowed("after", r.After, allowedAfter))
	}
	return found
}

// HealthRequest asks whether the service answers requests (RouteHealth), or whether it
// accepts tasks (RouteReady).
type HealthRequest struct{}

// Health answers a check of health or readiness.
type Health struct {
	Status string `json:"status"` // "ok"
}

// DecodeHealth returns an error if there are parameters.
func DecodeHealth(p Params) (HealthRequest, error) { return HealthRequest{}, newReader(p).finish(nil) }
