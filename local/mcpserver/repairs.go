package mcpserver

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"ace/shared/api"
	"ace/shared/fault"
)

// maxAge is the maximum age of a dry run whose repair an agent may run. The age is
// counted from the submission of the dry run.
const maxAge = time.Hour

func (t *tools) addRepairs(server *mcp.Server) {
	add(t, server, mcp.Tool{
		Name: "dry_run_repair", Annotations: startsTask(),
		Description: "Reports what a repair would change: for each node, how many rows would be inserted, updated and deleted so that it has the rows of source_of_truth. " +
			"Only the rows of the comparison's document are considered. Changes nothing. Which node is right is the user's decision.",
	}, t.dryRunRepair)
	if !t.AllowRepair {
		return
	}
	add(t, server, mcp.Tool{
		Name: "run_repair", Annotations: changesRows(),
		Description: "CHANGES ROWS in databases: runs the repair of a dry run. Ask the user first, with the counts of each node. " +
			"changes must repeat the counts of the dry run, which must be COMPLETED and at most an hour old. " +
			"The rows are read again, so the result may differ from the dry run if rows were written meanwhile; compare the counts. " +
			"A person can undo the repair with: ace table-undo <task_id>.",
	}, t.runRepair)
}

type dryRunInput struct {
	TaskID        string   `json:"task_id" jsonschema:"the id of a table-diff or table-rerun whose rows are to be repaired"`
	SourceOfTruth string   `json:"source_of_truth" jsonschema:"the node whose rows are right"`
	Nodes         []string `json:"nodes,omitempty" jsonschema:"the nodes to repair; all other nodes of the document by default"`
	UpsertOnly    bool     `json:"upsert_only,omitempty" jsonschema:"delete no rows"`
	InsertOnly    bool     `json:"insert_only,omitempty" jsonschema:"neither update nor delete rows"`
	WaitSeconds   int      `json:"wait_seconds,omitempty" jsonschema:"how long to wait for the end, at most 50; 30 by default"`
}

// defaultWait is the number of seconds that a tool waits for the end of a repair or dry
// run if the agent has set no wait_seconds.
const defaultWait = 30

func (t *tools) dryRunRepair(ctx context.Context, in dryRunInput) (any, error) {
	compared, err := t.task(ctx, in.TaskID)
	if err != nil {
		return nil, err
	}
	if compared.TaskType != api.TypeTableDiff && compared.TaskType != api.TypeTableRerun {
		return nil, fault.New(fault.Invalid, "task %s is a %s; only a table-diff or table-rerun has a document", in.TaskID, compared.TaskType)
	}
	var of struct {
		DBName string `json:"dbname"`
	}
	if err := json.Unmarshal(compared.Parameters, &of); err != nil {
		return nil, fault.New(fault.Unavailable, "the parameters of task %s cannot be read", in.TaskID)
	}

	params := url.Values{
		"cluster_name": {compared.ClusterName}, "table_name": {compared.TableName}, "diff_file": {in.TaskID},
		"source_of_truth": {in.SourceOfTruth}, "dry_run": {"true"},
		"upsert_only": {strconv.FormatBool(in.UpsertOnly)}, "insert_only": {strconv.FormatBool(in.InsertOnly)},
	}
	set(params, "dbname", of.DBName)
	set(params, "nodes", strings.Join(in.Nodes, ","))
	id, err := t.Service.Submit(ctx, api.RouteTableRepair, params)
	if err != nil {
		return nil, err
	}
	return t.status(ctx, id, orDefault(in.WaitSeconds))
}

func orDefault(seconds int) int {
	if seconds == 0 {
		return defaultWait
	}
	return seconds
}

type repairInput struct {
	DryRunID    string             `json:"dry_run_id" jsonschema:"the task id that dry_run_repair returned"`
	Changes     map[string]changes `json:"changes" jsonschema:"for each node of the dry run's result, its counts"`
	WaitSeconds int                `json:"wait_seconds,omitempty" jsonschema:"how long to wait for the end, at most 50; 30 by default"`
}

// changes are the counts of the rows that a repair changes on one node.
type changes struct {
	Inserted int64 `json:"inserted"`
	Updated  int64 `json:"updated"`
	Deleted  int64 `json:"deleted"`
}

// runRepair runs the repair that a dry run has tried. The agent must repeat the counts of
// the dry run, which proves that it has read them and could show them to its user.
func (t *tools) runRepair(ctx context.Context, in repairInput) (any, error) {
	dryRun, err := t.task(ctx, in.DryRunID)
	if err != nil {
		return nil, err
	}
	req, err := repairOf(dryRun, time.Now())
	if err != nil {
		return nil, err
	}
	if err := checkChanges(dryRun, in.Changes); err != nil {
		return nil, err
	}

	params := url.Values{
		"cluster_name": {req.ClusterName}, "table_name": {req.Table.String()}, "diff_file": {req.DiffFile.String()},
		"upsert_only": {strconv.FormatBool(req.UpsertOnly)}, "insert_only": {strconv.FormatBool(req.InsertOnly)},
		"generate_report": {"true"}, // so that a person can see what the agent changed
	}
	set(params, "dbname", req.DBName)
	set(params, "nodes", strings.Join(req.Nodes, ","))
	set(params, "source_of_truth", req.SourceOfTruth)
	set(params, "resolve", req.Resolve)
	set(params, "missing", req.Missing)
	if req.MaxClockSkew != nil {
		set(params, "max_clock_skew", req.MaxClockSkew.String())
	}
	id, err := t.Service.Submit(ctx, api.RouteTableRepair, params)
	if err != nil {
		return nil, err
	}
	return t.status(ctx, id, orDefault(in.WaitSeconds))
}

// repairOf returns the request with which a dry run was submitted. It returns an error if
// an agent must not run the repair. That includes a dry run with fire_triggers or an
// allow_ option: dry_run_repair sets none of them, so a person has made the dry run and
// must also decide about the repair.
func repairOf(dryRun api.TaskStatus, now time.Time) (req api.TableRepairRequest, err error) {
	if dryRun.TaskType != api.TypeTableRepair {
		return req, fault.New(fault.Invalid, "task %s is a %s; dry_run_id must be that of dry_run_repair", dryRun.TaskID, dryRun.TaskType)
	}
	if err := json.Unmarshal(dryRun.Parameters, &req); err != nil {
		return req, fault.New(fault.Unavailable, "the parameters of task %s cannot be read", dryRun.TaskID)
	}
	switch {
	case !req.DryRun:
		return req, fault.New(fault.Invalid, "task %s is no dry run", dryRun.TaskID)
	case dryRun.Status != api.StatusCompleted:
		return req, fault.New(fault.Invalid, "the dry run %s is %s; only the repair of a COMPLETED one can be run", dryRun.TaskID, dryRun.Status)
	case now.Sub(dryRun.SubmittedAt.Time) > maxAge:
		return req, fault.New(fault.Invalid, "the dry run %s is more than an hour old: make another one", dryRun.TaskID)
	case req.FireTriggers || req.AllowCascade || req.AllowLag || req.AllowConflict:
		return req, fault.New(fault.Invalid, "the dry run %s was made with fire_triggers or an allow_ option: a person has to run its repair, with ace table-repair", dryRun.TaskID)
	}
	return req, nil
}

// checkChanges returns an error if the dry run found nothing to change, or if the
// repeated counts are not those of its result.
func checkChanges(dryRun api.TaskStatus, repeated map[string]changes) error {
	var result struct {
		Nodes map[string]changes `json:"nodes"`
	}
	if err := json.Unmarshal(dryRun.Result, &result); err != nil || len(result.Nodes) == 0 {
		return fault.New(fault.Unavailable, "the result of task %s cannot be read", dryRun.TaskID)
	}
	if !maps.Equal(result.Nodes, repeated) {
		return fault.New(fault.Invalid, "changes does not repeat the counts of the dry run %s: nothing was changed; read its result with task_status, for each node inserted, updated and deleted", dryRun.TaskID)
	}
	for _, node := range result.Nodes {
		if node != (changes{}) {
			return nil
		}
	}
	return fault.New(fault.Invalid, "the dry run %s found nothing to change", dryRun.TaskID)
}
