package api

import (
	"errors"
	"time"
)

const allowedMoment = "a date such as 2024-03-15 or a time such as 2024-03-15T12:34:56Z"

// DiffsRequest asks for a page of the list of archived diff documents, the most recently
// finished first. An empty field does not filter.
type DiffsRequest struct {
	ClusterName string
	TableName   TableName
	Verdict     string
	Since       time.Time // only documents of tasks that finished at this time or later
	Until       time.Time // only documents of tasks that finished before this time
	Limit       int
	After       string // DiffList.Next of the previous page; empty for the first page
}

// DiffList is a page of the list of documents. Next is empty on the last page.
type DiffList struct {
	Diffs []ArchivedDiff `json:"diffs"`
	// Unreadable are tasks of this part of the list whose entries and records are damaged.
	// Their documents may or may not pass the filter.
	Unreadable []UnreadableTask `json:"unreadable,omitempty"`
	Next       string           `json:"next,omitempty"` // the parameter after of the next page
}

// ArchivedDiff is one document in the archive.
type ArchivedDiff struct {
	TaskID         string `json:"task_id"`
	TaskType       string `json:"task_type"`
	ClusterName    string `json:"cluster_name"`
	DBName         string `json:"dbname"`
	TableName      string `json:"table_name"`
	Parent         string `json:"parent,omitempty"` // id of the schema-diff or repset-diff that submitted this task; absent for all other tasks
	FinishedAt     Time   `json:"finished_at"`
	Verdict        string `json:"verdict,omitempty"` // absent if a comparison of several tables found no difference, but could not compare all of them
	TotalRows      int64  `json:"total_rows"`
	MismatchedRows int64  `json:"mismatched_rows"`
	DiffFile       string `json:"diff_file"` // the key of the document in the archive
	Size           int64  `json:"size"`      // bytes of the JSON document
	// TableFilter, Nodes and IgnoreColumns are parameters of the comparison. If one of
	// them is present, the verdict is only about some of the rows, nodes or columns.
	TableFilter   string   `json:"table_filter,omitempty"`
	Nodes         []string `json:"nodes,omitempty"`
	IgnoreColumns []string `json:"ignore_columns,omitempty"`
}

// DecodeDiffs decodes and validates the parameters of the list of documents.
func DecodeDiffs(p Params) (DiffsRequest, error) {
	r := newReader(p)
	req := DiffsRequest{
		ClusterName: r.text("cluster_name", ""),
		TableName:   parseWith(r, "table_name", ParseTableName),
		Verdict:     r.text("verdict", ""),
		Since:       parseWith(r, "since", parseMoment),
		Until:       parseWith(r, "until", parseMoment),
		Limit:       int(parse(r, "limit", defaultLimit, limitRange().String(), parseInt64)),
		After:       r.text("after", ""),
	}
	return req, r.finish(req.problems())
}

func (r DiffsRequest) problems() problems {
	var found problems
	if r.ClusterName != "" {
		found.add("cluster_name", clusterNameProblem(r.ClusterName))
	}
	if r.Verdict != "" {
		found.add("verdict", oneOf("verdict", r.Verdict, verdicts()...))
	}
	if !r.Since.IsZero() && !r.Until.IsZero() && !r.Since.Before(r.Until) {
		found.add("until", "until is "+At(r.Until).String()+"; it must be a time after since ("+At(r.Since).String()+")")
	}
	found.add("limit", limitRange().problem("limit", int64(r.Limit)))
	if r.After != "" && !afterPattern.MatchString(r.After) {
		found.add("after", notAllowed("after", r.After, allowedAfter))
	}
	return found
}

// parseMoment parses a time or a date. A date stands for its first moment in UTC.
func parseMoment(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("it must be " + allowedMoment)
}
