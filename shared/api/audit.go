package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"time"
)

// The outcomes of an entry of the audit log.
const (
	AuditAccepted   = "accepted"
	AuditRefused    = "refused"
	AuditUnreadable = "unreadable" // the entry in the archive is damaged
)

const (
	// maxCallerName is the maximum number of bytes of the name of a caller. The name may be
	// the ARN of an AWS identity, which is longer than a name in the callers file.
	maxCallerName = 512

	allowedCaller     = "a name of 1 to 512 bytes"
	patternAuditAfter = `^[0-9]{13}-[0-9a-z]{0,26}$`
)

var auditAfterPattern = regexp.MustCompile(patternAuditAfter)

// AuditRequest asks for a page of the audit log, the newest entry first. An empty field
// does not filter.
type AuditRequest struct {
	Caller      string
	ClusterName string
	Since       time.Time // only entries of this time or later
	Until       time.Time // only entries before this time
	Limit       int
	After       string // AuditList.Next of the previous page; empty for the first page
}

// AuditList is a page of the audit log. A page may have fewer entries than the limit, or
// none, even if it is not the last. Next is empty on the last page.
type AuditList struct {
	Entries []AuditEntry `json:"entries"`
	Next    string       `json:"next,omitempty"` // the parameter after of the next page
}

// AuditEntry is an entry of the audit log. It is stored before the action takes effect.
type AuditEntry struct {
	Format string `json:"format"` // ace-audit/1
	ID     string `json:"id"`
	At     Time   `json:"at"`
	// Action is the operation, such as table-diff, table-repair or task-cancel. It is diffs
	// if a document was imported, and rules if a rules document was stored.
	Action  string `json:"action"`
	Outcome string `json:"outcome"` // accepted, refused, or unreadable if the entry is damaged
	// RequestedBy has no caller if the token of the request was wrong.
	RequestedBy RequestedBy `json:"requested_by"`
	ClusterName string      `json:"cluster_name,omitempty"`
	DBName      string      `json:"dbname,omitempty"`
	TableName   string      `json:"table_name,omitempty"`
	TaskID      string      `json:"task_id,omitempty"` // the task that was started or cancelled
	// Existing reports that the request started no task, because an identical task had not
	// ended. TaskID is the id of the identical task.
	Existing bool `json:"existing,omitempty"`
	// Parameters is the request. Instead of the text of table_filter, which may hold data,
	// it has the length of the text.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Object     string          `json:"object,omitempty"` // the key of the stored document or rules
	Reason     string          `json:"reason,omitempty"` // why the request was refused
	// Unrecorded is the number of requests that were refused before this one, but were too
	// many to get an entry each.
	Unrecorded int64 `json:"unrecorded,omitempty"`
}

// DecodeAudit decodes and validates the parameters of the audit log.
func DecodeAudit(p Params) (AuditRequest, error) {
	r := newReader(p)
	req := AuditRequest{
		Caller:      r.text("caller", ""),
		ClusterName: r.text("cluster_name", ""),
		Since:       parseWith(r, "since", parseMoment),
		Until:       parseWith(r, "until", parseMoment),
		Limit:       int(parse(r, "limit", defaultLimit, limitRange().String(), parseInt64)),
		After:       r.text("after", ""),
	}
	return req, r.finish(req.problems())
}

func (r AuditRequest) problems() problems {
	var found problems
	if len(r.Caller) > maxCallerName {
		found.add("caller", fmt.Sprintf("caller has %d bytes; it must be %s", len(r.Caller), allowedCaller))
	}
	if r.ClusterName != "" {
		found.add("cluster_name", clusterNameProblem(r.ClusterName))
	}
	if !r.Since.IsZero() && !r.Until.IsZero() && !r.Since.Before(r.Until) {
		found.add("until", "until is "+At(r.Until).String()+"; it must be a time after since ("+At(r.Since).String()+")")
	}
	found.add("limit", limitRange().problem("limit", int64(r.Limit)))
	if r.After != "" && !auditAfterPattern.MatchString(r.After) {
		found.add("after", notAllowed("after", r.After, allowedAfter))
	}
	return found
}

// IsAuditCursor reports whether text has the form of AuditList.Next.
func IsAuditCursor(text string) bool { return auditAfterPattern.MatchString(text) }

func auditParams() []Param {
	limit, after := listParams()
	after.Example = "8203984432879-"
	after.Values = Values{Pattern: patternAuditAfter}
	return []Param{
		{Name: "caller", Kind: KindText, Purpose: "only what this caller requested", Example: "ci", Values: Values{MaxBytes: maxCallerName}},
		onlyCluster(),
		{
			Name: "since", Kind: KindText, Purpose: "only entries of this time or later", Allowed: allowedMoment,
			Example: "2024-03-01", Values: Values{Pattern: patternMoment},
		},
		{
			Name: "until", Kind: KindText, Purpose: "only entries before this time", Allowed: allowedMoment,
			Example: "2024-04-01", Values: Values{Pattern: patternMoment},
		},
		limit, after,
	}
}
