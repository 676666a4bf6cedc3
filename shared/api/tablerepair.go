package api

import (
	"fmt"
	"slices"
	"strings"
)

const allowedTargets = `"all" or different nodes of the cluster other than source_of_truth, separated by commas`

// TableRepairRequest asks to make the rows that a diff document lists equal on all nodes:
// to the row of the source of truth, or to the version that a rule chooses. The JSON form
// of the request is stored as the parameters of the task.
type TableRepairRequest struct {
	ClusterName   string   `json:"cluster_name"`
	DiffFile      DiffFile `json:"diff_file"`
	SourceOfTruth string   `json:"source_of_truth,omitempty"`
	// Resolve is what decides which version of a row is right; "" means source_of_truth.
	Resolve string `json:"resolve,omitempty"`
	// Rules is the SHA-256 of a rules document. It is set only if Resolve is rules.
	Rules string `json:"rules,omitempty"`
	// Missing and MaxClockSkew are set only if Resolve is newest or rules.
	Missing        string    `json:"missing,omitempty"`
	MaxClockSkew   *Duration `json:"max_clock_skew,omitempty"`
	Table          TableName `json:"table_name"`
	DBName         string    `json:"dbname,omitempty"` // "" means the first database of the cluster
	DryRun         bool      `json:"dry_run"`
	Quiet          bool      `json:"quiet"`
	GenerateReport bool      `json:"generate_report"`
	GenerateSQL    bool      `json:"generate_sql,omitempty"`   // with dry_run: write a script for psql that makes the changes
	UpsertOnly     bool      `json:"upsert_only"`              // delete no rows
	InsertOnly     bool      `json:"insert_only"`              // neither update nor delete rows
	Nodes          []string  `json:"nodes,omitempty"`          // nodes to repair; nil means all nodes of the document except the source
	FireTriggers   bool      `json:"fire_triggers"`            // triggers and foreign keys work as in any other session
	AllowCascade   bool      `json:"allow_cascade"`            // with fire_triggers: a delete may cascade to other tables
	AllowLag       bool      `json:"allow_lag"`                // repair even if replication from the source lags or is off
	AllowConflict  bool      `json:"allow_conflict,omitempty"` // repair even if a subscription fails already, or will stop at a row that the repair inserts
}

// DecodeTableRepair decodes and validates the parameters of table-repair. It returns all
// problems in one fault with code Invalid.
func DecodeTableRepair(p Params) (TableRepairRequest, error) {
	r := newReader(p)
	req := TableRepairRequest{
		ClusterName:    r.text("cluster_name", ""),
		DiffFile:       parseWith(r, "diff_file", ParseDiffFile),
		SourceOfTruth:  r.text("source_of_truth", ""),
		Resolve:        parse(r, "resolve", "", allowedResolve(), parseResolve),
		Rules:          parseWith(r, "rules", parseRules),
		Missing:        parse(r, "missing", "", allowedMissing(), parseMissing),
		MaxClockSkew:   parse(r, "max_clock_skew", nil, allowedDelay, parseClockSkew),
		Table:          parseWith(r, "table_name", ParseTableName),
		DBName:         r.text("dbname", ""),
		DryRun:         r.flag("dry_run"),
		Quiet:          r.flag("quiet"),
		GenerateReport: r.flag("generate_report"),
		GenerateSQL:    r.flag("generate_sql"),
		UpsertOnly:     r.flag("upsert_only"),
		InsertOnly:     r.flag("insert_only"),
		Nodes:          parse(r, "nodes", nil, allowedTargets, parseNodes),
		FireTriggers:   r.flag("fire_triggers"),
		AllowCascade:   r.flag("allow_cascade"),
		AllowLag:       r.flag("allow_lag"),
		AllowConflict:  r.flag("allow_conflict"),
	}
	req.addRuleDefaults()
	return req, r.finish(req.problems())
}

// Validate returns all problems of the request in one fault with code Invalid.
func (r TableRepairRequest) Validate() error { return r.problems().err() }

func (r TableRepairRequest) problems() problems {
	var found problems
	found.add("cluster_name", clusterNameProblem(r.ClusterName))
	found.add("diff_file", diffFileProblem(r.DiffFile))
	r.addRuleProblems(&found)
	found.add("table_name", tableNameProblem(r.Table))
	if r.UpsertOnly && r.InsertOnly {
		found.add("insert_only", "insert_only and upsert_only are both true; set only one of them")
	}
	source := r.SourceOfTruth
	if r.ByRule() { // with a rule, source_of_truth only breaks ties, so it may be repaired too
		source = ""
	}
	found.add("nodes", targetsProblem(r.Nodes, source))
	found.add("generate_sql", scriptProblem(r.GenerateSQL, r.DryRun))
	return found
}

// scriptProblem returns the problem with generate_sql, or "". A script must contain
// changes that have not been made yet.
func scriptProblem(script, dryRun bool) string {
	if script && !dryRun {
		return "generate_sql needs dry_run=true: without it, the changes are made"
	}
	return ""
}

func targetsProblem(names []string, source string) string {
	if name, twice := repeated(names); twice {
		return fmt.Sprintf("nodes names %s twice; it must be %s", quote(name), allowedTargets)
	}
	if names != nil && len(names) == 0 || slices.Contains(names, source) {
		return notAllowed("nodes", strings.Join(names, ","), allowedTargets)
	}
	return ""
}

// The outcomes of the repair of one node.
const (
	OutcomeCommitted  = "committed"
	OutcomeRolledBack = "rolled_back" // nothing was written
	OutcomeUnknown    = "unknown"     // the node did not answer whether the transaction was committed
)

// RepairResult is the result of a repair.
type RepairResult struct {
	SourceOfTruth string `json:"source_of_truth,omitempty"`
	// Resolve is the parameter resolve of the request. If source_of_truth decided, Resolve
	// and the following members, up to Rules, are empty.
	Resolve string `json:"resolve,omitempty"`
	// Undecided counts the keys without a winner, which are not changed on any node. It also
	// counts the rows that are not repaired on a node because they changed after the
	// decision.
	Undecided     *int64         `json:"undecided,omitempty"`
	UndecidedKeys []UndecidedKey `json:"undecided_keys,omitempty"` // the first hundred of them
	// Rules counts the keys by the number and the name of the rule that decided. It counts
	// the keys that no rule matched under "otherwise".
	Rules map[string]int64 `json:"rules,omitempty"`
	// ClockDifferences has, for resolve=newest, each node's clock minus that of the
	// service.
	ClockDifferences map[string]Seconds    `json:"clock_differences,omitempty"`
	DryRun           bool                  `json:"dry_run"`
	Nodes            map[string]NodeRepair `json:"nodes"`                 // the result on each repaired node, by the name of the node
	ReportFile       string                `json:"report_file,omitempty"` // the key of the report in the archive
	Warnings         []string              `json:"warnings,omitempty"`
}

// NodeRepair counts the rows of one node by what the repair did to them, or in a dry run
// would do.
type NodeRepair struct {
	Inserted  int64  `json:"inserted"`
	Updated   int64  `json:"updated"`
	Deleted   int64  `json:"deleted"`
	Unchanged int64  `json:"unchanged"`         // already equal to the source's row when the repair read both
	Skipped   int64  `json:"skipped"`           // not changed although they differ, for example because of upsert_only
	Outcome   string `json:"outcome,omitempty"` // empty in a dry run
	Error     string `json:"error,omitempty"`   // the reason why this node was not repaired
	// SQLFile is the key, in the archive, of the script that makes the changes of the dry
	// run.
	SQLFile string `json:"sql_file,omitempty"`
	// MissingPrivileges are the SQL statements that grant what the role lacks for the
	// repair. After a dry run, they grant what the role lacks for the same repair without
	// dry_run.
	MissingPrivileges []string `json:"missing_privileges,omitempty"`

	// Unrepairable counts the rows that differ from the source's rows after the repair,
	// because no repair can make them equal. They may also count as inserted or updated.
	Unrepairable int64 `json:"unrepairable,omitempty"`
	// UnrepairableKeys has the keys of the first hundred of these rows.
	UnrepairableKeys [][]string `json:"unrepairable_keys,omitempty"`
}
