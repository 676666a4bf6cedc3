package api

import (
	"slices"
	"strconv"
	"strings"
)

// Operation describes a route for people and for generated clients: what the route does
// and which parameters it accepts. Tests compare it with the Decode functions and with
// docs/API.md.
type Operation struct {
	Name    string // the path without /ace/ and without the argument, such as table-diff
	Route   Route
	Purpose string // a phrase without a full stop, such as "lists tasks, newest first"
	Arg     *Param // the argument in the path; nil if there is none
	Params  []Param
	Upload  bool // the body is a document, and the parameters are in the query string
}

// Operations returns the operations of all routes, in the order of the API reference
// (docs/API.md). The parameters are in the order in which errors list them.
func Operations() []Operation {
	return slices.Concat(starting(), following(), describing())
}

// starting returns the operations that start tasks.
func starting() []Operation {
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
		{Name: "replication-diff", Route: RouteReplicationDiff, Purpose: "compares how the nodes of a cluster replicate", Params: replicationDiffParams()},
		{
			Name: "schema-diff", Route: RouteSchemaDiff, Purpose: "compares all tables of one or more schemas",
			Params: schemaDiffParams(),
		},
		{
			Name: "repset-diff", Route: RouteRepsetDiff, Purpose: "compares the tables of a publication or of a replication set",
			Params: repsetDiffParams(),
		},
	}
}

// following returns the operations about tasks and what they have stored.
func following() []Operation {
	return []Operation{
		{
			Name: "task-status", Route: RouteTaskStatus, Purpose: "reports on a task", Arg: taskArg(),
		},
		{
			Name: "task-cancel", Route: RouteTaskCancel, Purpose: "cancels a task and returns its status", Arg: taskArg(),
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
			Name: "diffs", Route: RouteDiffs, Purpose: "imports a document", Upload: true,
			Params: importParams(),
		},
		{
			Name: "diffs", Route: RouteDiff, Purpose: "downloads the document of a comparison",
			Arg: taskArg(), Params: diffParams(),
		},
		{Name: "reports", Route: RouteReport, Purpose: "downloads the report of a repair: what it changed", Arg: taskArg(), Params: reportParams()},
		{Name: "before-images", Route: RouteBefore, Purpose: "downloads the rows as they were before a repair or an undo", Arg: taskArg()},
		{
			Name: "rules", Route: RouteRules, Purpose: "returns a stored rules document",
			Params: []Param{rulesParam(true, "the document")},
		},
		{Name: "rules", Route: RouteRules, Purpose: "checks a rules document and stores it", Upload: true},
		{Name: "schedules", Route: RouteSchedules, Purpose: "lists the scheduled comparisons (not in the Lambda functions)"},
		{Name: "audit", Route: RouteAudit, Purpose: "lists who started, cancelled or changed something, newest first", Params: auditParams()},
		{Name: "backup", Route: RouteBackup, Purpose: "downloads a backup of the archive (only of an archive in a directory)"},
	}
}

// describing returns the operations about clusters and the service.
func describing() []Operation {
	return []Operation{
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
		{Name: "healthz", Route: RouteHealth, Purpose: "reports that the service answers"},
		{Name: "readyz", Route: RouteReady, Purpose: "reports whether the service accepts tasks"},
		{Name: "openapi.json", Route: RouteOpenAPI, Purpose: "returns the OpenAPI description of this API"},
	}
}

// The examples that several parameters share.
const (
	exampleCluster  = "demo"
	exampleTable    = "public.users"
	exampleDiffID   = "td_20240315_123456"
	exampleRepairID = "tr_20240315_123456"
	exampleSchemaID = "sd_20240315_123456"
)

func taskArg() *Param {
	return &Param{
		Name: "task_id", Kind: KindText, Required: true, Purpose: "the id of the task", Example: exampleDiffID,
		Values: Values{Pattern: "^" + TaskIDForm + "$"},
	}
}

func nameValues() Values { return Values{Pattern: "^" + nameForm + "$"} }

func clusterParam() Param {
	return Param{Name: "cluster_name", Kind: KindText, Required: true, Purpose: "a cluster definition", Allowed: AllowedName, Example: exampleCluster, Values: nameValues()}
}

func tableParam() Param {
	return Param{
		Name: "table_name", Kind: KindText, Required: true, Purpose: `schema.table, quoted as in SQL: "My Schema"."a.b"`,
		Example: exampleTable, Values: Values{Pattern: patternTable},
	}
}

func diffFileParam() Param {
	return Param{
		Name: "diff_file", Kind: KindText, Required: true, Purpose: "the document", Allowed: "a task id, or the diff_file of a task's result or an import",
		Example: exampleDiffID, Values: Values{Pattern: patternDiffFile, MaxBytes: maxPath},
	}
}

func dbnameParam() Param {
	return Param{Name: "dbname", Kind: KindText, Purpose: "a database of the definition; the first one by default", Example: "shop"}
}

func flagParam(name, purpose string) Param {
	return Param{Name: name, Kind: KindFlag, Default: "false", Purpose: purpose, Allowed: allowedBool}
}

func quietParam() Param {
	return flagParam("quiet", "log no progress on the server")
}

func outputParam(byDefault string) Param {
	return Param{Name: "output", Kind: KindText, Default: byDefault, Purpose: "the format that diff_file names", Allowed: joinOr(formats()), Values: valuesOf(formats()...)}
}

func cpuRatioParam(byDefault float64) Param {
	return Param{
		Name: "max_cpu_ratio", Kind: KindNumber, Default: strconv.FormatFloat(byDefault, 'g', -1, 64),
		Purpose: "the share of the service's CPUs to use", Allowed: allowedRatio,
		Values: Values{Above: "0", To: "1"},
	}
}

func maxDiffRowsParam(byDefault int64) Param {
	return Param{
		Name: "max_diff_rows", Kind: KindInteger, Default: strconv.FormatInt(byDefault, 10),
		Purpose: "the number of rows that the document lists per pair of nodes; further rows are only counted", Allowed: maxDiffRowsRange().String(),
		Values: maxDiffRowsRange().values(),
	}
}

func confirmDelayParam(byDefault Duration) Param {
	return Param{
		Name: "confirm_delay", Kind: KindText, Default: byDefault.String(),
		Purpose: "how long after its first reading a differing row is read again", Allowed: allowedDelay,
		Values: Values{Pattern: patternDelay},
	}
}

func checksumParam(byDefault string) Param {
	return Param{
		Name: "checksum", Kind: KindText, Default: byDefault,
		Purpose: "how rows are digested; sha256 is slower, for auditors", Allowed: joinOr([]string{ChecksumAuto, ChecksumSHA256}),
		Values: valuesOf(ChecksumAuto, ChecksumSHA256),
	}
}

func sequentialScanParam() Param {
	return Param{
		Name: "sequential_scan", Kind: KindText, Default: SequentialScanNever,
		Purpose: "whether to read a table by one sequential scan per node, which leaves the shared buffers to other sessions",
		Allowed: allowedSequentialScan(), Values: valuesOf(sequentialScans()...),
	}
}

func redactParam(purpose string) Param {
	return Param{
		Name: "redact", Kind: KindText, Purpose: purpose, Allowed: allowedColumns,
		Example: "ssn,email", Values: Values{Pattern: patternColumns},
	}
}

func tableFilterParam() Param {
	return Param{
		Name: "table_filter", Kind: KindText, Purpose: "one boolean SQL expression; only rows for which it is true are compared",
		Example: "created_at > '2024-01-01'", Values: Values{MaxBytes: maxTableFilter},
	}
}

func ignoreColumnsParam() Param {
	return Param{
		Name: "ignore_columns", Kind: KindText, Purpose: "columns that are not compared", Allowed: allowedColumns,
		Example: "updated_at,last_login", Values: Values{Pattern: patternColumns},
	}
}

func tableDiffParams() []Param {
	req := NewTableDiffRequest()
	return []Param{
		clusterParam(), tableParam(), dbnameParam(),
		{Name: "block_rows", Kind: KindInteger, Default: strconv.Itoa(req.BlockRows), Purpose: "rows per block", Allowed: allowedCount, Values: count()},
		cpuRatioParam(req.MaxCPURatio), outputParam(req.Output),
		{
			Name: "nodes", Kind: KindList, Default: allNodes, Purpose: "the nodes to compare", Allowed: allowedNodes,
			Example: "n1,n3", Values: Values{MinItems: 2, All: true},
		},
		{Name: "batch_size", Kind: KindInteger, Default: strconv.Itoa(req.BatchSize), Purpose: "blocks per unit of work", Allowed: allowedCount, Values: count()},
		tableFilterParam(), quietParam(), maxDiffRowsParam(req.MaxDiffRows), ignoreColumnsParam(),
		confirmDelayParam(req.ConfirmDelay), checksumParam(req.Checksum),
		{
			Name: "baseline", Kind: KindText, Default: baselineNone, Purpose: "compare only what may have changed since this comparison",
			Allowed: allowedBaseline, Values: Values{Pattern: patternBaseline},
		},
		redactParam("columns whose values the document shows only as keyed hashes"), sequentialScanParam(),
	}
}

func schemaDiffParams() []Param {
	return setParams(Param{
		Name: "schema_name", Kind: KindText, Required: true, Purpose: "the schemas", Allowed: allowedSchemas,
		Example: "public", Values: Values{Pattern: patternSchemas},
	})
}

func repsetDiffParams() []Param {
	return setParams(Param{
		Name: "repset_name", Kind: KindText, Required: true, Example: "publication:orders", Values: Values{MaxBytes: maxRepset},
		Purpose: "the name of a publication or replication set; publication:, pglogical: or spock: before it selects the system",
	})
}

// setParams returns the parameters of a comparison of several tables. The argument which
// is the parameter that selects the tables.
func setParams(which Param) []Param {
	req := newSetRequest()
	patterns := Values{Pattern: patternPatterns}
	return []Param{
		clusterParam(), which,
		dbnameParam(),
		{
			Name: "nodes", Kind: KindList, Default: allNodes, Purpose: "the nodes to compare", Allowed: allowedNodes,
			Example: "n1,n3", Values: Values{MinItems: 2, All: true},
		},
		{
			Name: "compare", Kind: KindText, Default: strings.Join(req.Compare, ","), Purpose: "what to compare", Allowed: allowedComparison,
			Values: Values{Pattern: patternComparison},
		},
		{
			Name: "ignore", Kind: KindText, Purpose: "findings about structure to leave out", Allowed: allowedIgnored,
			Example: "index,owner", Values: Values{Pattern: patternWords},
		},
		{Name: "tables", Kind: KindText, Purpose: "only tables that match", Allowed: allowedPatterns, Example: "orders*", Values: patterns},
		{Name: "skip_tables", Kind: KindText, Purpose: "tables that are not compared", Allowed: allowedPatterns, Example: "audit_*,*_old", Values: patterns},
		{
			Name: "max_tables_at_once", Kind: KindInteger, Default: strconv.Itoa(req.MaxTablesAtOnce), Purpose: "how many tables are compared at the same time",
			Allowed: tablesAtOnceRange().String(), Values: tablesAtOnceRange().values(),
		},
		flagParam("fail_fast", "stop at the first table that differs or cannot be compared"),
		{Name: "block_rows", Kind: KindInteger, Default: strconv.Itoa(req.BlockRows), Purpose: "rows per block", Allowed: allowedCount, Values: count()},
		cpuRatioParam(req.MaxCPURatio), outputParam(req.Output),
		{Name: "batch_size", Kind: KindInteger, Default: strconv.Itoa(req.BatchSize), Purpose: "blocks per unit of work", Allowed: allowedCount, Values: count()},
		quietParam(), maxDiffRowsParam(req.MaxDiffRows), confirmDelayParam(req.ConfirmDelay), checksumParam(req.Checksum),
		{
			Name: "baseline", Kind: KindText, Default: baselineNone, Purpose: "last compares only what may have changed since the last comparison of each table",
			Allowed: allowedBaselines, Values: valuesOf(baselineNone, BaselineLast),
		},
		tableFilterParam(), ignoreColumnsParam(), redactParam("columns whose values the documents show only as keyed hashes"), sequentialScanParam(),
	}
}

func tableRerunParams() []Param {
	req := NewTableRerunRequest()
	return []Param{
		clusterParam(), diffFileParam(), tableParam(), dbnameParam(), quietParam(),
		{
			Name: "behavior", Kind: KindText, Default: req.Behavior, Purpose: "how the rows are read; the result is the same",
			Allowed: joinOr([]string{BehaviorMultiprocessing, BehaviorHostDB}), Values: valuesOf(BehaviorMultiprocessing, BehaviorHostDB),
		},
		cpuRatioParam(req.MaxCPURatio), outputParam(req.Output), maxDiffRowsParam(req.MaxDiffRows),
		confirmDelayParam(req.ConfirmDelay), checksumParam(req.Checksum),
		redactParam("columns whose values the document shows only as keyed hashes, in addition to those of diff_file"),
	}
}

func tableRepairParams() []Param {
	return slices.Concat([]Param{
		clusterParam(), diffFileParam(),
		{Name: "source_of_truth", Kind: KindText, Purpose: "the node whose rows are right; with resolve=newest or rules, the tie-breaker", Example: "n1"},
	}, resolveParams(), []Param{
		tableParam(), dbnameParam(),
		flagParam("dry_run", "change nothing; report what would be changed"),
		quietParam(),
		flagParam("generate_report", "store a report with each row before and after"),
		flagParam("generate_sql", "with dry_run, store for each node a script for psql that makes the changes"),
		flagParam("upsert_only", "delete no rows"),
		flagParam("insert_only", "neither update nor delete rows"),
		{
			Name: "nodes", Kind: KindList, Default: allNodes, Purpose: "the nodes to repair", Allowed: allowedTargets,
			Example: "n2", Values: Values{MinItems: 1, All: true},
		},
		flagParam("fire_triggers", "let triggers and foreign keys work as in any other session"),
		flagParam("allow_cascade", "with fire_triggers, let a deletion cascade to other tables"),
		flagParam("allow_lag", "repair even if replication from the source lags or is off"),
		flagParam("allow_conflict", "repair even if a subscription fails already, or will stop at an inserted row"),
	})
}

func tableUndoParams() []Param {
	return []Param{
		{Name: "task_id", Kind: KindText, Required: true, Purpose: "the repair to undo", Allowed: allowedRepairID, Example: exampleRepairID, Values: Values{Pattern: "^" + repairIDForm + "$"}},
		flagParam("dry_run", "change nothing; report what would be restored"),
		quietParam(),
		flagParam("generate_sql", "with dry_run, store for each node a script for psql that makes the changes"),
		flagParam("fire_triggers", "let triggers and foreign keys work as in any other session"),
		flagParam("allow_cascade", "with fire_triggers, let a deletion cascade to other tables"),
		flagParam("allow_lag", "accepted without effect, because an undo does not wait for replication"),
	}
}

func listParams() (limit, after Param) {
	limit = Param{
		Name: "limit", Kind: KindInteger, Default: strconv.Itoa(defaultLimit), Purpose: "the length of a page", Allowed: limitRange().String(),
		Values: limitRange().values(),
	}
	after = Param{
		Name: "after", Kind: KindText, Purpose: "the page to continue after", Allowed: allowedAfter,
		Example: "8203984432879-td_20240315_123456", Values: Values{Pattern: "^" + afterForm + "$"},
	}
	return limit, after
}

func onlyCluster() Param {
	return Param{
		Name: "cluster_name", Kind: KindText, Purpose: "only those of this cluster", Allowed: AllowedName,
		Example: exampleCluster, Values: nameValues(),
	}
}

func onlyTable() Param {
	return Param{Name: "table_name", Kind: KindText, Purpose: "only those of this table", Example: exampleTable, Values: Values{Pattern: patternTable}}
}

func tasksParams() []Param {
	limit, after := listParams()
	return []Param{
		onlyCluster(), onlyTable(),
		{Name: "task_type", Kind: KindText, Purpose: "only those of this type", Allowed: joinOr(taskTypes()), Example: TypeTableDiff, Values: valuesOf(taskTypes()...)},
		{Name: "status", Kind: KindText, Purpose: "only those in this state", Allowed: joinOr(statuses()), Example: StatusFailed, Values: valuesOf(statuses()...)},
		{
			Name: "parent", Kind: KindText, Purpose: "only those that this task has submitted, or that no other task has", Allowed: allowedParent,
			Example: exampleSchemaID, Values: Values{Pattern: "^(" + NoParent + "|" + TaskIDForm + ")$"},
		},
		limit, after,
	}
}

func diffsParams() []Param {
	limit, after := listParams()
	return []Param{
		onlyCluster(), onlyTable(),
		{Name: "verdict", Kind: KindText, Purpose: "only those with this verdict", Allowed: joinOr(verdicts()), Example: VerdictDiffer, Values: valuesOf(verdicts()...)},
		{
			Name: "since", Kind: KindText, Purpose: "only those finished at this time or later", Allowed: allowedMoment,
			Example: "2024-03-01", Values: Values{Pattern: patternMoment},
		},
		{
			Name: "until", Kind: KindText, Purpose: "only those finished before this time", Allowed: allowedMoment,
			Example: "2024-04-01", Values: Values{Pattern: patternMoment},
		},
		limit, after,
	}
}

func tablesParams() []Param {
	limit, after := listParams()
	after.Example = TableCursor(TableName{"public", "users"})
	after.Values = Values{Pattern: patternCursor}
	return []Param{
		clusterParam(), dbnameParam(),
		{
			Name: "schema", Kind: KindText, Purpose: "only tables of this schema", Allowed: allowedSchema,
			Example: "public", Values: Values{Pattern: patternSchema},
		},
		limit, after,
	}
}

func importParams() []Param {
	return []Param{{
		Name: "upload", Kind: KindText, Allowed: allowedUpload, Example: UploadNew, Values: Values{Pattern: "^(" + UploadNew + "|" + uploadForm + ")$"},
		Purpose: "upload the document to the bucket first: new returns a link, and the upload of its answer imports the document",
	}}
}

func diffParams() []Param {
	return []Param{
		{
			Name: "format", Kind: KindText, Default: FormatJSON, Purpose: "the format of the download",
			Allowed: joinOr(formats()), Values: valuesOf(formats()...),
		},
		flagParam("download", "let a browser save the page instead of showing it"),
	}
}

func reportParams() []Param {
	return []Param{
		{
			Name: "format", Kind: KindText, Default: FormatJSON, Purpose: "the report, or the script of a dry run with generate_sql",
			Allowed: joinOr([]string{FormatJSON, FormatSQL}), Values: valuesOf(FormatJSON, FormatSQL),
		},
		{Name: "node", Kind: KindText, Purpose: "with format=sql: the node whose script to download", Example: "n2"},
	}
}
