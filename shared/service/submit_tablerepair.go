package service

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/cluster"
	"ace/shared/diffarchive"
	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

// SubmitTableRepair checks a request against the cluster's definition and the document's
// summary, and submits a table-repair task. If an identical task is QUEUED or RUNNING, it
// returns that task. If another repair or undo of the table is QUEUED or RUNNING, the
// error is a Conflict.
func (s *Service) SubmitTableRepair(ctx context.Context, req api.TableRepairRequest) (api.Submitted, error) {
	if err := table.CheckWritable(req.Table.Schema, req.Table.Name); err != nil {
		return api.Submitted{}, err
	}

	definition, err := s.cluster(ctx, req.ClusterName)
	if err != nil {
		return api.Submitted{}, err
	}

	database, err := definition.Database(req.DBName)
	if err != nil {
		return api.Submitted{}, err
	}

	input, summary, err := s.open(ctx, req.DiffFile, diffarchive.Subject{
		Cluster: req.ClusterName, Database: database.Name, Schema: req.Table.Schema, Table: req.Table.Name,
	})
	if err != nil {
		return api.Submitted{}, err
	}

	if err := checkNodes(definition, summary.Nodes, req); err != nil {
		return api.Submitted{}, err
	}

	if err := tablerepair.CheckScripts(req.GenerateSQL, summary.Redact); err != nil {
		return api.Submitted{}, err
	}

	if req.Rules != "" {
		if _, err := readRules(ctx, s.Store, req.Rules); err != nil {
			return api.Submitted{}, err
		}
	}

	// Requests are identical even if they name the document or the database in different
	// ways.
	normalized := req
	normalized.DiffFile = api.DiffFile{Key: input.Key}
	normalized.DBName = database.Name
	return s.submitExclusive(ctx, task.New{
		Type: task.TableRepair, ClusterName: req.ClusterName, DBName: database.Name, TableName: req.Table.String(), Input: &input,
	}, req, normalized)
}

// checkNodes returns an error unless all nodes of a repair are nodes of the document and
// of the cluster. documented has the names of the document's nodes. It is nil for a
// document that another tool wrote, whose nodes are known only when the task reads it.
func checkNodes(definition cluster.Cluster, documented []string, req api.TableRepairRequest) error {
	if documented == nil {
		documented = definition.NodeNames()
	}

	if !slices.Contains(documented, req.SourceOfTruth) && (!req.ByRule() || req.SourceOfTruth != "") {
		return fault.New(fault.Invalid, "source_of_truth is %.100q; it must be a node of diff_file: %s", req.SourceOfTruth, strings.Join(documented, ", "))
	}

	for _, node := range req.Nodes {
		if !slices.Contains(documented, node) {
			return fault.New(fault.Invalid, "nodes has %.100q; it must have only nodes of diff_file: %s", node, strings.Join(documented, ", "))
		}
	}

	repaired := documented
	if req.Nodes != nil && !req.ByRule() { // a repair by rule reads all nodes
		repaired = append([]string{req.SourceOfTruth}, req.Nodes...)
	}
	return diffarchive.CheckNodes(repaired, definition.Name, definition.NodeNames())
}

// submitExclusive submits a task that acquires the table lock. request is stored as the
// task's parameters. normalized is the request in a form that is equal for identical
// requests.
func (s *Service) submitExclusive(ctx context.Context, n task.New, request, normalized any) (api.Submitted, error) {
	text, err := json.Marshal(normalized)
	if err != nil {
		return api.Submitted{}, fault.Wrap(err, fault.Internal, "the parameters cannot be encoded")
	}
	n.Exclusive = string(n.Type) + " " + string(text)
	return s.submit(ctx, n, request)
}
