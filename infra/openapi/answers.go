package openapi

import (
	"reflect"

	"ace/shared/api"
	"ace/shared/difffile"
	"ace/shared/finding"
	"ace/shared/replication"
	"ace/shared/setfile"
	"ace/shared/tablerepair"
)

// The service writes the documents below as streams, so no Go type of the service has all
// their members. These types list the members for the description.
type (
	// DiffDocument is the document of a comparison or rerun.
	DiffDocument struct {
		Format  string           `json:"format"`
		Summary difffile.Summary `json:"summary"`
		// Diffs has the differing rows by pair of nodes, such as n1/n2, and by node, in the
		// order of the key. Pairs without differences are absent.
		Diffs map[string]map[string][]row `json:"diffs"`
		// Unsettled has, by pair, the keys of reported rows that were still changing when they
		// were last read. It is absent if there are none.
		Unsettled map[string][][]string `json:"unsettled,omitempty"`
		// KeyVariants has, by pair, keys whose text differs although the index considers them
		// equal. It is absent if there are none.
		KeyVariants map[string][][][]string `json:"key_variants,omitempty"`
		// Written has, by pair and by node of commit_times, the last write of each row in
		// diffs: a list of the row's key, the time of the commit and the replication origin. A
		// time that is not known is absent, and so is the origin of a local transaction.
		Written map[string]map[string][][]any `json:"written,omitempty"`
	}

	// RepairReport is the report of a repair: each row before and after it.
	RepairReport struct {
		tablerepair.ReportHead
		Changes map[string]RepairReportNode `json:"changes"` // the changes on each node, by the name of the node
	}

	// RepairReportNode is what a repair changed on one node. In a dry run, the names of the
	// lists begin with would_.
	RepairReportNode struct {
		tablerepair.ReportNode
		UpsertedRows      []ChangedRow `json:"upserted_rows,omitempty"`
		DeletedRows       []ChangedRow `json:"deleted_rows,omitempty"`
		WouldUpsertedRows []ChangedRow `json:"would_upserted_rows,omitempty"`
		WouldDeletedRows  []ChangedRow `json:"would_deleted_rows,omitempty"`
	}

	// ChangedRow is a row before and after a change. Null stands for no row.
	ChangedRow struct {
		Before *row `json:"before"`
		After  *row `json:"after"`
		// Rule and Reason state why a repair by rule made the change. Rule is the number of the
		// rule, and is absent if there are no rules.
		Rule   int    `json:"rule,omitempty"`
		Reason string `json:"reason,omitempty"`
	}

	// BeforeImages has the rows as they were before a repair or an undo.
	BeforeImages struct {
		tablerepair.BeforeHead
		Nodes []BeforeImagesNode `json:"nodes"`
	}

	// BeforeImagesNode has the rows of one node.
	BeforeImagesNode struct {
		tablerepair.BeforeNode
		Rows []BeforeImage `json:"rows"`
	}

	// BeforeImage is one row.
	BeforeImage struct {
		Op     string   `json:"op"`     // what the repair did to the row: insert, update or delete
		Key    []string `json:"key"`    // the texts of the key columns
		Before *row     `json:"before"` // null for an inserted row
	}

	// row is a row by column. NULL, booleans and integers are JSON values of these types.
	// All other values are strings with PostgreSQL's text output.
	row map[string]value

	// value is the value of a column.
	value any
)

// known returns the schemas of members whose Go types say too little, such as a string
// with fixed values. They replace the schemas made from the Go types. The keys are the
// name of the component and the JSON name of the member, such as "TaskStatus.task_type".
func known() map[string]*Schema {
	taskType := &Schema{Type: "string", Enum: paramOf(api.RouteTasks, "task_type").Values.OneOf}
	status := &Schema{Type: "string", Enum: paramOf(api.RouteTasks, "status").Values.OneOf}
	verdict := &Schema{Type: "string", Enum: paramOf(api.RouteDiffs, "verdict").Values.OneOf}
	runVerdict := &Schema{Type: "string", Enum: []string{api.VerdictMatch, api.VerdictDiffer, api.VerdictIncomplete, api.VerdictFailed}}
	outcome := &Schema{Type: "string", Enum: []string{api.OutcomeCommitted, api.OutcomeRolledBack, api.OutcomeUnknown}}
	return map[string]*Schema{
		"TaskStatus.task_type":       taskType,
		"TaskStatus.status":          status,
		"TaskStatus.result":          {AnyOf: []*Schema{ref("DiffResult"), ref("RepairResult"), ref("UndoResult"), ref("SetResult"), ref("ReplicationResult")}},
		"TaskStatus.parameters":      {Type: "object"},
		"ArchivedDiff.task_type":     taskType,
		"ArchivedDiff.verdict":       verdict,
		"LastComparison.task_type":   taskType,
		"LastComparison.verdict":     verdict,
		"DiffResult.verdict":         verdict,
		"DiffResult.summary":         ref("Summary"),
		"SetResult.verdict":          verdict,
		"SetResult.summary":          ref("SetSummary"),
		"SetSummary.verdict":         verdict,
		"SetTable.verdict":           {Type: "string", Enum: api.SetVerdicts()},
		"SetDocument.format":         {Type: "string", Const: setfile.Format},
		"ReplicationResult.verdict":  verdict,
		"ReplicationSummary.verdict": verdict,
		"ReplicationDocument.format": {Type: "string", Const: replication.Format},
		"Finding.rank":               {Type: "string", Enum: ranks()},
		"ScheduledRun.verdict":       runVerdict,
		"ScheduledTask.status":       status,
		"ScheduledTask.verdict":      verdict,
		"NodeRepair.outcome":         outcome,
		"ReportNode.outcome":         outcome,
		"ReportHead.operation":       {Type: "string", Const: "table-repair"},
		"ReportHead.arguments":       {Type: "object"},
		"BeforeNode.outcome":         outcome,
		"BeforeHead.format":          {Type: "string", Const: tablerepair.BeforeFormat},
		"BeforeImage.op":             {Type: "string", Enum: []string{"insert", "update", "delete"}},
		"DiffDocument.format":        {Type: "string", Const: difffile.Format},
		"Health.status":              {Type: "string", Const: "ok"},
	}
}

// resultTypes returns the types of a task's result, and those of the summaries in these
// results. The API's type TaskStatus contains a result only as raw JSON, so no type that
// is described already refers to them.
func resultTypes() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[api.DiffResult](), reflect.TypeFor[api.RepairResult](), reflect.TypeFor[api.UndoResult](), reflect.TypeFor[difffile.Summary](),
		reflect.TypeFor[api.SetResult](), reflect.TypeFor[setfile.Summary](),
		reflect.TypeFor[api.ReplicationResult](),
	}
}

func ranks() []string {
	var words []string
	for _, rank := range finding.Ranks() {
		words = append(words, string(rank))
	}
	return words
}

// files returns the JSON documents that the routes with downloads return.
func files() map[api.Route][]reflect.Type {
	return map[api.Route][]reflect.Type{
		api.RouteDiff:   {reflect.TypeFor[DiffDocument](), reflect.TypeFor[setfile.Document]()},
		api.RouteReport: {reflect.TypeFor[RepairReport](), reflect.TypeFor[replication.Document]()},
		api.RouteBefore: {reflect.TypeFor[BeforeImages]()},
	}
}

// paramOf returns the description of a parameter.
func paramOf(route api.Route, name string) api.Param {
	for _, o := range api.Operations() {
		for _, p := range o.Params {
			if o.Route == route && p.Name == name {
				return p
			}
		}
	}
	return api.Param{}
}
