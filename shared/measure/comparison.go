// Package measure computes, from the records of tasks, the numbers that are published as
// metrics: those of one comparison, and the latest state of each table.
package measure

import (
	"encoding/json"
	"time"

	"ace/shared/api"
	"ace/shared/task"
)

// Scope is the part of a table that a comparison covers.
type Scope string

// The scopes.
const (
	Full    Scope = "full"    // all rows and columns, on all nodes of the cluster
	Partial Scope = "partial" // some rows (table_filter), columns (ignore_columns) or nodes
)

// Scopes returns all scopes.
func Scopes() []Scope { return []Scope{Full, Partial} }

// Comparison holds the numbers of a completed comparison.
type Comparison struct {
	ClusterName, DBName, TableName string

	FinishedAt    time.Time
	Verdict       string // match or differ
	DifferingRows int64
	UnsettledRows int64
	Document      string // key of the JSON document in the archive

	// Scope is the scope of a table-diff. It is "" for a rerun, whose record does not
	// contain a scope. A rerun covers the rows of the document RerunOf.
	Scope   Scope
	RerunOf string // key of a document; "" means that this is no rerun
	// Limited means that the document does not list all differing rows. A rerun of the
	// document covers only the rows that the document lists.
	Limited bool
}

// summary has the members of the summary of a comparison that this package uses.
type summary struct {
	UnsettledRows int64 `json:"unsettled_rows"`
	Limited       bool  `json:"diff_row_limit_reached"`
}

// ComparisonOf returns the numbers of a task. ok is false if the task is not a completed
// comparison, or if its record cannot be decoded.
func ComparisonOf(rec task.Record) (c Comparison, ok bool) {
	isRerun := rec.Type == task.TableRerun
	if rec.Status != task.Completed || rec.Document == nil || rec.FinishedAt == nil || !isRerun && rec.Type != task.TableDiff {
		return Comparison{}, false
	}
	var result api.DiffResult
	var details summary
	if json.Unmarshal(rec.Result, &result) != nil || json.Unmarshal(result.Summary, &details) != nil || result.Verdict == "" {
		return Comparison{}, false
	}

	c = Comparison{
		ClusterName: rec.ClusterName, DBName: rec.DBName, TableName: rec.TableName,
		FinishedAt: *rec.FinishedAt, Verdict: result.Verdict, DifferingRows: result.MismatchedRows, UnsettledRows: details.UnsettledRows,
		Document: rec.Document.Key, Limited: details.Limited,
	}
	if isRerun {
		if rec.Input == nil {
			return Comparison{}, false
		}
		c.RerunOf = rec.Input.Key
		return c, true
	}
	c.Scope, ok = scopeOf(rec.Parameters)
	return c, ok
}

// scopeOf returns the scope of a table-diff with these parameters.
func scopeOf(parameters json.RawMessage) (Scope, bool) {
	var req api.TableDiffRequest
	if json.Unmarshal(parameters, &req) != nil {
		return "", false
	}
	if req.TableFilter != "" || len(req.IgnoreColumns) > 0 || len(req.Nodes) > 0 {
		return Partial, true
	}
	return Full, true
}
