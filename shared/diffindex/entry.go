package diffindex

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/task"
)

// Entry is what the index holds of one document.
type Entry struct {
	TaskID         string    `json:"task_id"`
	Type           task.Type `json:"task_type"` // table-diff or table-rerun
	ClusterName    string    `json:"cluster_name"`
	DBName         string    `json:"dbname"`
	TableName      string    `json:"table_name"`
	FinishedAt     time.Time `json:"finished_at"` // UTC, milliseconds
	Verdict        string    `json:"verdict"`     // match or differ
	TotalRows      int64     `json:"total_rows"`
	MismatchedRows int64     `json:"mismatched_rows"`
	DiffFile       string    `json:"diff_file"` // as the task's result names it
	Key            string    `json:"key"`       // of the JSON document, whatever the format of DiffFile
	Size           int64     `json:"size"`      // bytes of the JSON document
}

// entryOf gives the entry of a task, false if it has no document to list.
func entryOf(rec task.Record) (Entry, bool) {
	if rec.Status != task.Completed || rec.Document == nil || rec.FinishedAt == nil ||
		!strings.HasPrefix(rec.Document.Key, archive.DiffsPrefix) {
		return Entry{}, false
	}
	result := api.DiffResult{DiffFile: rec.Document.Key}
	_ = json.Unmarshal(rec.Result, &result) // a document is listed even if nothing can be said of it
	return Entry{
		TaskID: rec.TaskID, Type: rec.Type, ClusterName: rec.ClusterName, DBName: rec.DBName, TableName: rec.TableName,
		FinishedAt: *rec.FinishedAt, Verdict: result.Verdict, TotalRows: result.TotalRows, MismatchedRows: result.MismatchedRows,
		DiffFile: result.DiffFile, Key: rec.Document.Key, Size: rec.Document.Size,
	}, true
}

// name makes the newest document the first in a listing.
func (e Entry) name() string { return stamp(e.FinishedAt) + "-" + e.TaskID }

// keys are the places of an entry: one per question that List answers.
func (e Entry) keys() []string {
	var keys []string
	for _, cluster := range []string{"", e.ClusterName} {
		for _, table := range []string{"", e.TableName} {
			keys = append(keys, archive.DiffIndexPrefix(cluster, table)+e.name())
		}
	}
	return keys
}

// maxMillis has 13 digits: the year 2286.
const maxMillis = 9_999_999_999_999

// dayDigits is how many digits of a stamp stand before its slash: what finished within about 28 hours lies together. The
// embedded gateway reads a whole directory to list a page of it, so none may grow for ever.
const dayDigits = 5

// stamp falls, as text, while time goes on.
func stamp(t time.Time) string {
	digits := fmt.Sprintf("%013d", min(max(maxMillis-t.UnixMilli(), 0), maxMillis))
	return digits[:dayDigits] + "/" + digits[dayDigits:]
}
