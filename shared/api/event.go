package api

import "slices"

// The types of events. Every task that ends is one event.
const (
	EventDiffers   = "task.differs"   // a comparison found rows that differ
	EventMatches   = "task.matches"   // a comparison found no rows that differ
	EventRepaired  = "task.repaired"  // a repair completed
	EventUndone    = "task.undone"    // an undo completed
	EventDryRun    = "task.dry_run"   // the dry run of a repair or undo completed
	EventCompleted = "task.completed" // a task of another type completed
	EventFailed    = "task.failed"    // a task failed
	EventCancelled = "task.cancelled" // a task was cancelled
)

// EventTypes returns all types of events.
func EventTypes() []string {
	return []string{
		EventDiffers, EventMatches, EventRepaired, EventUndone, EventDryRun, EventCompleted, EventFailed, EventCancelled,
	}
}

// IsEventType reports whether text is a type of events.
func IsEventType(text string) bool { return slices.Contains(EventTypes(), text) }

// Event reports how a task ended. ACE sends it to the configured receiver as soon as the
// task has ended; no request asks for it. An event contains no values of rows and no text
// that may quote one: neither keys nor the message of an error.
type Event struct {
	ID   string    `json:"id"` // the same each time the event is sent
	Type string    `json:"type"`
	Time Time      `json:"timestamp"` // when the task ended
	Data EventData `json:"data"`
}

// EventData describes the task of an Event. A field is absent if it does not apply.
type EventData struct {
	TaskID      string `json:"task_id"`
	TaskType    string `json:"task_type"`
	Status      string `json:"status"`
	ClusterName string `json:"cluster_name"`
	DBName      string `json:"dbname,omitempty"`
	TableName   string `json:"table_name"`
	Scheduled   bool   `json:"scheduled,omitempty"` // a schedule submitted the task
	SubmittedAt Time   `json:"submitted_at"`
	StartedAt   Time   `json:"started_at,omitzero"`
	FinishedAt  Time   `json:"finished_at,omitzero"`

	// The following fields are only in the event of a comparison that completed, or that
	// compared several tables and failed because it could not compare all of them.
	Verdict        string `json:"verdict,omitempty"`
	TotalRows      *int64 `json:"total_rows,omitempty"`
	MismatchedRows *int64 `json:"mismatched_rows,omitempty"`
	UnsettledRows  *int64 `json:"unsettled_rows,omitempty"` // rows that were still changing when they were last read

	// The following fields are only in the event of a task that compared several tables.
	Tables   *SetTables   `json:"tables,omitempty"`
	Findings *SetFindings `json:"findings,omitempty"` // counts of the findings about structure

	// The following fields are only in the event of a repair or undo that began on at
	// least one node.
	DryRun        bool                 `json:"dry_run,omitempty"`
	SourceOfTruth string               `json:"source_of_truth,omitempty"`
	Undoes        string               `json:"undoes,omitempty"` // id of the repair that the undo undoes; absent in the event of a repair
	Nodes         map[string]EventNode `json:"nodes,omitempty"`  // the results of the nodes, by the name of the repaired node

	Error *EventError `json:"error,omitempty"` // only in the event of a task that failed or was cancelled
	Links EventLinks  `json:"links"`
}

// EventNode counts the rows of one node by what a repair or undo did to them, or in a dry
// run would do.
type EventNode struct {
	Inserted     int64  `json:"inserted"`
	Updated      int64  `json:"updated"`
	Deleted      int64  `json:"deleted"`
	Unchanged    int64  `json:"unchanged"`
	Skipped      int64  `json:"skipped"`
	Unrepairable int64  `json:"unrepairable,omitempty"`
	Outcome      string `json:"outcome,omitempty"`
}

// EventError describes the error of a task without its message, because the message may
// quote a value of a row. The status of the task (EventLinks.Status) has the message.
type EventError struct {
	Code     string `json:"code"`               // a code of package fault, such as "unavailable"
	Node     string `json:"node,omitempty"`     // name of the node that reported the error
	SQLState string `json:"sqlstate,omitempty"` // the SQLSTATE of the error; absent unless a PostgreSQL server reported the error
}

// EventLinks are paths of the API.
type EventLinks struct {
	Status   string `json:"status"`
	Document string `json:"document,omitempty"` // the path of the document of a comparison; absent if the task stored none
	Report   string `json:"report,omitempty"`   // the path of the report of a repair, or of the document of a replication-diff; absent if the task stored none
}
