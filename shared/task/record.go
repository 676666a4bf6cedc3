package task

import (
	"encoding/json"
	"time"
)

// Record is the content of task.json. Times are UTC with milliseconds, by the clock of whoever wrote them.
type Record struct {
	TaskID      string          `json:"task_id"`
	Type        Type            `json:"task_type"`
	Status      Status          `json:"status"`
	SubmittedAt time.Time       `json:"submitted_at"`
	StartedAt   *time.Time      `json:"started_at,omitempty"`  // of the first attempt
	FinishedAt  *time.Time      `json:"finished_at,omitempty"` // never before StartedAt
	ClusterName string          `json:"cluster_name"`
	DBName      string          `json:"dbname"`
	TableName   string          `json:"table_name"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	Input       *Document       `json:"input,omitempty"`  // the document that the task starts from, as it was at submission
	Attempts    int             `json:"attempts"`         // how often the lease was acquired and not given back
	Starts      int             `json:"starts,omitempty"` // by Restart since the lease was last acquired
	Lease       *LeaseInfo      `json:"lease,omitempty"`
	Progress    *Progress       `json:"progress,omitempty"`
	Result      json.RawMessage `json:"result,omitempty"`
	Document    *Document       `json:"document,omitempty"`
	Report      *Document       `json:"report,omitempty"` // of a repair
	Error       string          `json:"error,omitempty"`
	ErrorCode   string          `json:"error_code,omitempty"`

	// Submission is drawn once per submission: it tells a submitter whose answer was lost whether the task is its own.
	Submission string `json:"submission"`
	// Revision is new with every write: it tells a writer whose answer was lost whether its version was stored, and
	// gives every version its own ETag.
	Revision string `json:"revision"`
}

// LeaseInfo says who works on the task. It runs out when the store's clock is LeaseDuration past the last write.
type LeaseInfo struct {
	Owner    string `json:"owner"`
	Renewals int64  `json:"renewals"`
}

// Progress is how far a runner has come: numbers only. Whoever presents them derives percent, rate and time left.
type Progress struct {
	Phase             string `json:"phase"`
	BlocksTotal       int    `json:"blocks_total"`
	BlocksDone        int    `json:"blocks_done"`
	RowsCompared      int64  `json:"rows_compared"`
	RowsTotalEstimate int64  `json:"rows_total_estimate"`
	MismatchedRows    int64  `json:"mismatched_rows"`
}

// Document is a diff document, or a report, in the archive. The one that a task writes is visible when its completed record names it.
type Document struct {
	Key    string `json:"key"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// millis is the precision of every time in a record.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
