package api

import (
	"fmt"
	"slices"
	"strings"
)

const allowedTargets = `"all" or different nodes of the cluster but source_of_truth, separated by commas`

// TableRepairRequest asks to make the rows of a diff document on other nodes equal to those of the source of truth. Its
// JSON form is what a task stores as its parameters.
type TableRepairRequest struct {
	ClusterName    string    `json:"cluster_name"`
	DiffFile       DiffFile  `json:"diff_file"`
	SourceOfTruth  string    `json:"source_of_truth"`
	Table          TableName `json:"table_name"`
	DBName         string    `json:"dbname,omitempty"` // "" is the first database of the cluster
	DryRun         bool      `json:"dry_run"`
	Quiet          bool      `json:"quiet"`
	GenerateReport bool      `json:"generate_report"`
	UpsertOnly     bool      `json:"upsert_only"`     // deletes nothing
	InsertOnly     bool      `json:"insert_only"`     // neither updates nor deletes
	Nodes          []string  `json:"nodes,omitempty"` // those to repair; nil is all of the document but the source
	FireTriggers   bool      `json:"fire_triggers"`   // triggers and foreign keys act as in any other session
	AllowCascade   bool      `json:"allow_cascade"`   // with fire_triggers: deletions may reach other tables
	AllowLag       bool      `json:"allow_lag"`       // although replication from the source is behind or off
}

// DecodeTableRepair reads and validates the parameters of table-repair. All problems come in one fault with code
// Invalid.
func DecodeTableRepair(p Params) (TableRepairRequest, error) {
	r := newReader(p)
	req := TableRepairRequest{
		ClusterName:    r.text("cluster_name", ""),
		DiffFile:       worded(r, "diff_file", ParseDiffFile),
		SourceOfTruth:  r.text("source_of_truth", ""),
		Table:          worded(r, "table_name", ParseTableName),
		DBName:         r.text("dbname", ""),
		DryRun:         r.flag("dry_run"),
		Quiet:          r.flag("quiet"),
		GenerateReport: r.flag("generate_report"),
		UpsertOnly:     r.flag("upsert_only"),
		InsertOnly:     r.flag("insert_only"),
		Nodes:          parsed(r, "nodes", nil, allowedTargets, parseNodes),
		FireTriggers:   r.flag("fire_triggers"),
		AllowCascade:   r.flag("allow_cascade"),
		AllowLag:       r.flag("allow_lag"),
	}
	return req, r.finish(req.problems())
}

// Validate gives one fault with code Invalid for everything that is wrong with the request.
func (r TableRepairRequest) Validate() error { return r.problems().err() }

func (r TableRepairRequest) problems() problems {
	var found problems
	found.add("cluster_name", clusterNameProblem(r.ClusterName))
	found.add("diff_file", diffFileProblem(r.DiffFile))
	if r.SourceOfTruth == "" {
		found.add("source_of_truth", "source_of_truth is required")
	}
	found.add("table_name", tableNameProblem(r.Table))
	if r.UpsertOnly && r.InsertOnly {
		found.add("insert_only", "insert_only and upsert_only are both true, allowed is one of them")
	}
	found.add("nodes", targetsProblem(r.Nodes, r.SourceOfTruth))
	return found
}

func targetsProblem(names []string, source string) string {
	if name, twice := repeated(names); twice {
		return fmt.Sprintf("nodes names %s twice, allowed is %s", shown(name), allowedTargets)
	}
	if names != nil && len(names) == 0 || slices.Contains(names, source) {
		return notAllowed("nodes", strings.Join(names, ","), allowedTargets)
	}
	return ""
}

// The ways the repair of one node ends.
const (
	OutcomeCommitted  = "committed"
	OutcomeRolledBack = "rolled_back" // nothing of it was written
	OutcomeUnknown    = "unknown"     // the node could not be asked whether the commit arrived
)

// RepairResult is the result of a repair.
type RepairResult struct {
	SourceOfTruth string                `json:"source_of_truth"`
	DryRun        bool                  `json:"dry_run"`
	Nodes         map[string]NodeRepair `json:"nodes"`                 // by the name of the node repaired
	ReportFile    string                `json:"report_file,omitempty"` // key in the archive
	Warnings      []string              `json:"warnings,omitempty"`
}

// NodeRepair counts what a repair, or in a dry run what one would, do to the rows of one node.
type NodeRepair struct {
	Inserted  int64  `json:"inserted"`
	Updated   int64  `json:"updated"`
	Deleted   int64  `json:"deleted"`
	Unchanged int64  `json:"unchanged"`         // equal to the source's when looked at
	Skipped   int64  `json:"skipped"`           // left alone because of upsert_only or insert_only
	Unequal   int64  `json:"unequal,omitempty"` // differ only in generated columns, so that no repair can make them equal
	Outcome   string `json:"outcome,omitempty"` // none in a dry run
	Error     string `json:"error,omitempty"`   // why this node was not repaired
}
