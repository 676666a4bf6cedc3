package diffindex

import (
	"encoding/json"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
	"ace/shared/timelist"
)

// Entry describes one document in the index.
type Entry struct {
	TaskID         string    `json:"task_id"`
	Type           task.Type `json:"task_type"` // table-diff, table-rerun, schema-diff or repset-diff
	ClusterName    string    `json:"cluster_name"`
	DBName         string    `json:"dbname"`
	TableName      string    `json:"table_name"`
	Parent         string    `json:"parent,omitempty"` // the id of the parent, see task.Record.Parent
	FinishedAt     time.Time `json:"finished_at"`      // in UTC, with a precision of milliseconds
	Verdict        string    `json:"verdict"`          // match or differ; "" if a failed comparison of several tables found no difference
	TotalRows      int64     `json:"total_rows"`
	MismatchedRows int64     `json:"mismatched_rows"`
	DiffFile       string    `json:"diff_file"` // the value of diff_file in the task's result
	Key            string    `json:"key"`       // key of the JSON document, even if DiffFile is a rendering
	Size           int64     `json:"size"`      // size of the JSON document in bytes
	// Restrictions is nil in entries of earlier versions.
	Restrictions *Restrictions `json:"restrictions,omitempty"`
}

// Restrictions are the parameters of a comparison because of which its verdict is not
// about the whole table on all nodes.
type Restrictions struct {
	TableFilter   string   `json:"table_filter,omitempty"`
	Nodes         []string `json:"nodes,omitempty"`
	IgnoreColumns []string `json:"ignore_columns,omitempty"`
}

// RestrictionsOf returns the restrictions of a task.
func RestrictionsOf(rec task.Record) (Restrictions, error) {
	var found Restrictions
	if len(rec.Parameters) == 0 {
		return found, nil
	}
	if err := json.Unmarshal(rec.Parameters, &found); err != nil {
		return found, fault.Wrap(err, fault.Internal, "the parameters of task %s are damaged", rec.TaskID)
	}
	return found, nil
}

// entryOf returns the entry of a task. It returns false if the task has no document to
// list.
func entryOf(rec task.Record) (Entry, bool) {
	ended := rec.Status == task.Completed || rec.Status == task.Failed && rec.Type.IsSet()
	if !ended || rec.Document == nil || rec.FinishedAt == nil ||
		!strings.HasPrefix(rec.Document.Key, archive.DiffsPrefix) {
		return Entry{}, false
	}

	// A document is listed even if its task's result cannot be decoded.
	result := api.DiffResult{DiffFile: rec.Document.Key}
	_ = json.Unmarshal(rec.Result, &result)
	if rec.Type.IsSet() {
		_ = json.Unmarshal(result.Summary, &result) // the summary of several tables, not their result, has TotalRows
	}

	entry := Entry{
		TaskID: rec.TaskID, Type: rec.Type, ClusterName: rec.ClusterName, DBName: rec.DBName, TableName: rec.TableName, Parent: rec.Parent,
		FinishedAt: *rec.FinishedAt, Verdict: result.Verdict, TotalRows: result.TotalRows, MismatchedRows: result.MismatchedRows,
		DiffFile: result.DiffFile, Key: rec.Document.Key, Size: rec.Document.Size,
	}
	if restrictions, err := RestrictionsOf(rec); err == nil {
		entry.Restrictions = &restrictions
	}
	return entry, true
}

// name returns the text with which each of the entry's keys ends. By this text, newer
// documents sort before older ones.
func (e Entry) name() string { return timelist.Name(e.FinishedAt, e.TaskID) }

// keys returns the keys under which an entry is stored: one for each combination of the
// fields ClusterName and TableName that a Filter may set.
func (e Entry) keys() []string {
	var keys []string
	for _, cluster := range []string{"", e.ClusterName} {
		for _, table := range []string{"", e.TableName} {
			keys = append(keys, archive.DiffIndexPrefix(cluster, table)+e.name())
		}
	}
	return keys
}
