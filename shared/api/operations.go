package api

import (
	"strconv"
)

// Operation describes a route for people and for generated clients: what the route does
// and which parameters it accepts. Tests compare it with the Decode functions and with
// docs/API.md.
type Operation struct {
	Name    string // the last part of the path, such as table-diff
	Route   Route
	Purpose string // a phrase without a full stop, such as "lists tasks, newest first"
	Params  []Param
}

// Param describes a parameter of an operation.
type Param struct {
	Name     string
	Kind     Kind
	Required bool
	Default  string // the value that is used if the parameter is absent; "" if there is none
	Purpose  string // a phrase without a full stop
	Allowed  string // the values that are allowed, as in errors; "" if the purpose states them
}

// Kind is the type of a parameter's value.
type Kind string

// The kinds.
const (
	KindText    Kind = "string"
	KindFlag    Kind = "boolean"
	KindInteger Kind = "integer"
	KindNumber  Kind = "number"
)

// Operations returns the operations that start a task, list something or check clusters,
// in the order of the API reference (docs/API.md). The parameters are in the order in
// which errors list them.
func Operations() []Operation {
	return []Operation{
		{
			Name: "table-diff", Route: RouteTableDiff, Purpose: "compares a table on all nodes, or on some",
			Params: tableDiffParams(),
		},
		{
			Name: "table-rerun", Route: RouteTableRerun, Purpose: "compares the rows of a document again",
			Params: tableRerunParams(),
		},
		{
			Name: "table-repair", Route: RouteTableRepair, Purpose: "makes rows on other nodes equal to those of one node",
			Params: tableRepairParams(),
		},
		{
			Name: "table-undo", Route: RouteTableUndo, Purpose: "restores what a repair changed",
			Params: tableUndoParams(),
		},
		{
			Name: "tasks", Route: RouteTasks, Purpose: "lists tasks, newest first",
			Params: tasksParams(),
		},
		{
			Name: "diffs", Route: RouteDiffs, Purpose: "lists archived documents, newest first",
			Params: diffsParams(),
		},
		{
			Name: "clusters", Route: RouteClusters, Purpose: "lists cluster definitions, without connecting to a node",
			Params: []Param{onlyCluster()},
		},
		{
			Name: "cluster-check", Route: RouteClusterCheck, Purpose: "connects to every node and reports what can be done there",
			Params: []Param{onlyCluster()},
		},
		{
			Name: "tables", Route: RouteTables, Purpose: "lists tables, their keys and their last comparisons",
			Params: tablesParams(),
		},
	}
}

func clusterParam() Param {
	return Param{Name: "cluster_name", Kind: KindText, Required: true, Purpose: "a cluster definition", Allowed: AllowedName}
}

func tableParam() Param {
	return Param{Name: "table_name", Kind: KindText, Required: true, Purpose: `schema.table, quoted as in SQL: "My Schema"."a.b"`}
}

func diffFileParam() Param {
	return Param{Name: "diff_file", Kind: KindText, Required: true, Purpose: "the document", Allowed: "a task id, or the diff_file of a task's result or an import"}
}

func dbnameParam() Param {
	return Param{Name: "dbname", Kind: KindText, Purpose: "a database of the definition; the first one by default"}
}

func flagParam(name, purpose string) Param {
	return Param{Name: name, Kind: KindFlag, Default: "false", Purpose: purpose, Allowed: allowedBool}
}

func quietParam() Param {
	return flagParam("quiet", "log no progress on the server")
}

func outputParam(byDefault string) Param {
	return Param{Name: "output", Kind: KindText, Default: byDefault, Purpose: "the format that diff_file names", Allowed: joinOr(formats())}
}

func cpuRatioParam(byDefault float64) Param {
	return Param{
		Name: "max_cpu_ratio", Kind: KindNumber, Default: strconv.FormatFloat(byDefault, 'g', -1, 64),
		Purpose: "the share of the service's CPUs to use", Allowed: allowedRatio,
	}
}

func maxDiffRowsParam(byDefault int64) Param {
	return Param{
		Name: "max_diff_rows", Kind: KindInteger, Default: strconv.FormatInt(byDefault, 10),
		Purpose: "the number of rows that the document lists per pair of nodes; further rows are only counted", Allowed: maxDiffRowsRange().String(),
	}
}

func confirmDelayParam(byDefault Duration) Param {
	return Param{
		Name: "confirm_delay", Kind: KindText, Default: byDefault.String(),
		Purpose: "how long after its first reading a differing row is read again", Allowed: allowedDelay,
	}
}

func checksumParam(byDefault string) Param {
	return Param{
		Name: "checksum", Kind: KindText, Default: byDefault,
		Purpose: "how rows are digested; sha256 is slower, for auditors", Allowed: joinOr([]string{ChecksumAuto, ChecksumSHA256}),
	}
}

func tableDiffParams() []Param {
	req := NewTableDiffRequest()
	return []Param{
		clusterParam(), tableParam(), dbnameParam(),
		{Name: "block_rows", Kind: KindInteger, Default: strconv.Itoa(req.BlockRows), Purpose: "rows per block", Allowed: allowedCount},
		cpuRatioParam(req.MaxCPURatio), outputParam(req.Output),
		{Name: "nodes", Kind: KindText, Default: allNodes, Purpose: "the nodes to compare", Allowed: allowedNodes},
		{Name: "batch_size", Kind: KindInteger, Default: strconv.Itoa(req.BatchSize), Purpose: "blocks per unit of work", Allowed: allowedCount},
		{Name: "table_filter", Kind: KindText, Purpose: "one boolean SQL expression; only rows for which it is true are compared"},
		quietParam(), maxDiffRowsParam(req.MaxDiffRows),
		{Name: "ignore_columns", Kind: KindText, Purpose: "columns that are not compared", Allowed: allowedColumns},
		confirmDelayParam(req.ConfirmDelay), checksumParam(req.Checksum),
		{Name: "baseline", Kind: KindText, Default: baselineNone, Purpose: "compare only what may have changed since this comparison", Allowed: allowedBaseline},
	}
}

func tableRerunParams() []Param {
	req := NewTableRerunRequest()
	return []Param{
		clusterParam(), diffFileParam(), tableParam(), dbnameParam(), quietParam(),
		{
			Name: "behavior", Kind: KindText, Default: req.Behavior, Purpose: "how the rows are read; the result is the same",
			Allowed: joinOr([]string{BehaviorMultiprocessing, BehaviorHostDB}),
		},
		cpuRatioParam(req.MaxCPURatio), outputParam(req.Output), maxDiffRowsParam(req.MaxDiffRows),
		confirmDelayParam(req.ConfirmDelay), checksumParam(req.Checksum),
	}
}

func tableRepairParams() []Param {
	return []Param{
		clusterParam(), diffFileParam(),
		{Name: "source_of_truth", Kind: KindText, Required: true, Purpose: "the node whose rows are right"},
		tableParam(), dbnameParam(),
		flagParam("dry_run", "change nothing; report what would be changed"),
		quietParam(),
		flagParam("generate_report", "store a report with each row before and after"),
		flagParam("upsert_only", "delete no rows"),
		flagParam("insert_only", "neither update nor delete rows"),
		{Name: "nodes", Kind: KindText, Default: allNodes, Purpose: "the nodes to repair", Allowed: allowedTargets},
		flagParam("fire_triggers", "let triggers and foreign keys work as in any other session"),
		flagParam("allow_cascade", "with fire_triggers, let a deletion cascade to other tables"),
		flagParam("allow_lag", "repair even if replication from the source lags or is off"),
		flagParam("allow_conflict", "repair even if a subscription fails already, or will stop at an inserted row"),
	}
}

func tableUndoParams() []Param {
	return []Param{
		{Name: "task_id", Kind: KindText, Required: true, Purpose: "the repair to undo", Allowed: allowedRepairID},
		flagParam("dry_run", "change nothing; report what would be restored"),
		quietParam(),
		flagParam("fire_triggers", "let triggers and foreign keys work as in any other session"),
		flagParam("allow_cascade", "with fire_triggers, let a deletion cascade to other tables"),
		flagParam("allow_lag", "accepted without effect, because an undo does not wait for replication"),
	}
}

func listParams() (limit, after Param) {
	return Param{Name: "limit", Kind: KindInteger, Default: strconv.Itoa(defaultLimit), Purpose: "the length of a page", Allowed: limitRange().String()},
		Param{Name: "after", Kind: KindText, Purpose: "the page to continue after", Allowed: allowedAfter}
}

func onlyCluster() Param {
	return Param{Name: "cluster_name", Kind: KindText, Purpose: "only those of this cluster", Allowed: AllowedName}
}

func onlyTable() Param {
	return Param{Name: "table_name", Kind: KindText, Purpose: "only those of this table"}
}

func tasksParams() []Param {
	limit, after := listParams()
	return []Param{
		onlyCluster(), onlyTable(),
		{Name: "task_type", Kind: KindText, Purpose: "only those of this type", Allowed: joinOr(taskTypes())},
		{Name: "status", Kind: KindText, Purpose: "only those in this state", Allowed: joinOr(statuses())},
		limit, after,
	}
}

func diffsParams() []Param {
	limit, after := listParams()
	return []Param{
		onlyCluster(), onlyTable(),
		{Name: "verdict", Kind: KindText, Purpose: "only those with this verdict", Allowed: joinOr(verdicts())},
		{Name: "since", Kind: KindText, Purpose: "only those finished at this time or later", Allowed: allowedMoment},
		{Name: "until", Kind: KindText, Purpose: "only those finished before this time", Allowed: allowedMoment},
		limit, after,
	}
}

func tablesParams() []Param {
	limit, after := listParams()
	return []Param{
		clusterParam(), dbnameParam(),
		{Name: "schema", Kind: KindText, Purpose: "only tables of this schema", Allowed: allowedSchema},
		limit, after,
	}
}
