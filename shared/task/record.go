package task

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
)

// Record is the content of task.json. Times are UTC, in milliseconds, by the clock of the
// process that wrote them.
type Record struct {
	// Format is the version of everything that a task stores: this record, its plan, parts
	// and documents. A record without it is of version 0, see CurrentFormat.
	Format      int             `json:"format,omitempty"`
	TaskID      string          `json:"task_id"`
	Type        Type            `json:"task_type"`
	Status      Status          `json:"status"`
	SubmittedAt time.Time       `json:"submitted_at"`
	StartedAt   *time.Time      `json:"started_at,omitempty"`  // start of the first attempt
	FinishedAt  *time.Time      `json:"finished_at,omitempty"` // never before StartedAt
	ClusterName string          `json:"cluster_name"`
	DBName      string          `json:"dbname"`
	TableName   string          `json:"table_name"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	// Parent is the id of the task that submitted this task as a part of its work. It is ""
	// if a client or a schedule submitted this task. If the parent ends, or if it is to be
	// cancelled, this task is cancelled (see KeepAlive).
	Parent string `json:"parent,omitempty"`
	// Input is the document from which the task starts. It is set at the submission.
	Input *Document `json:"input,omitempty"`
	// Attempts counts the acquisitions of the lease, without those that ended in a
	// Release.
	Attempts int `json:"attempts"`
	// Starts counts the starts by Restart since the lease was last acquired.
	Starts   int        `json:"starts,omitempty"`
	Lease    *LeaseInfo `json:"lease,omitempty"`
	Progress *Progress  `json:"progress,omitempty"`
	// Scheduled means that a schedule submitted the task.
	Scheduled bool `json:"scheduled,omitempty"`
	// RequestedBy is who requested the task. It is nil in the records of versions that
	// did not store it. A task with a parent has the same value as the parent.
	RequestedBy *api.RequestedBy `json:"requested_by,omitempty"`
	Result      json.RawMessage  `json:"result,omitempty"`
	Document    *Document        `json:"document,omitempty"`
	Report      *Document        `json:"report,omitempty"` // the report of a repair, or the document of a replication-diff
	// Scripts are the scripts that make the changes of a dry run, by node.
	Scripts   map[string]Document `json:"scripts,omitempty"`
	Error     string              `json:"error,omitempty"`
	ErrorCode string              `json:"error_code,omitempty"`

	// Submission is a random text, new for each submission. If the response to a write is
	// lost, it shows whether the stored task was written by this submission.
	Submission string `json:"submission"`
	// Revision is new with every write. If the response to a write is lost, it shows
	// whether that version was stored. It also makes the ETag of every version different.
	Revision string `json:"revision"`
}

// CurrentFormat is the newest format that this program reads, and the one that it writes.
// It must be raised when an earlier program would misread an object of a task. Records
// before format 1 have no number. They have the same members.
const CurrentFormat = 1

// ErrNewer is in the error of every access to a task that a newer program has stored.
var ErrNewer = errors.New("a newer version of ACE has stored the task")

// checkFormat returns an error if a newer program has stored the task. This program must
// then neither run, change nor delete it.
func (rec Record) checkFormat(id string) error {
	if rec.Format <= CurrentFormat {
		return nil
	}
	return fault.Wrap(ErrNewer, fault.Conflict, "task %s has format %d, and this version of ACE knows formats up to %d: "+
		"a newer version has stored it, and this version leaves it and its documents unchanged; use the newer version", id, rec.Format, CurrentFormat)
}

// LeaseInfo is the stored form of a lease. The lease expires when the record has not been
// written for the registry's lease duration, by the store's clock.
type LeaseInfo struct {
	Owner    string `json:"owner"`
	Renewals int64  `json:"renewals"`
}

// Progress holds the numbers that describe how much of its work a runner has done.
// Percentage, rate and remaining time are computed from them for display.
type Progress struct {
	Phase             string `json:"phase"`
	BlocksTotal       int    `json:"blocks_total"`
	BlocksDone        int    `json:"blocks_done"`
	RowsCompared      int64  `json:"rows_compared"`
	RowsTotalEstimate int64  `json:"rows_total_estimate"`
	MismatchedRows    int64  `json:"mismatched_rows"`
	// TablesTotal and TablesDone are set only in a task that compares several tables.
	TablesTotal int `json:"tables_total,omitempty"`
	TablesDone  int `json:"tables_done,omitempty"`
	// Retrying is the error of a step that is being retried. It is empty again once the task
	// makes progress.
	Retrying string `json:"retrying,omitempty"`
}

// Document is a diff document or a report in the archive. A document that a task writes
// becomes visible when the completed record names it.
type Document struct {
	Key    string `json:"key"`
	Size   int64  `json:"size"` // size in bytes
	SHA256 string `json:"sha256"`
}

// DocumentOf returns the document at a key of the archive whose content is body.
func DocumentOf(key string, body []byte) Document {
	sum := sha256.Sum256(body)
	return Document{Key: key, Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:])}
}

// millis converts a time to the precision of every time in a record.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
