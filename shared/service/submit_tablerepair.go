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
	"ace/shared/task"
)

// SubmitTableRepair checks a request against the cluster's definition and the document's head, and stores it as a task.
// The same request, repeated while its task is QUEUED or RUNNING, is answered with that task; another one for the table
// is a Conflict.
func (s *Service) SubmitTableRepair(ctx context.Context, req api.TableRepairRequest) (api.Submitted, error) {
	if err := table.CheckWritable(req.Table.Schema, req.Table.Name); err != nil {
		return api.Submitted{}, err
	}
	definition, err := s.Clusters.Load(ctx, req.ClusterName)
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
	if err := checkRepaired(definition, summary.Nodes, req); err != nil {
		return api.Submitted{}, err
	}
	asked := req // what is asked does not depend on how the document and the database were named
	asked.DiffFile, asked.DBName = api.DiffFile{Key: input.Key}, database.Name
	return s.submitExclusive(ctx, task.New{
		Type: task.TableRepair, ClusterName: req.ClusterName, DBName: database.Name, TableName: req.Table.String(), Input: &input,
	}, req, asked)
}

// checkRepaired makes sure that a repair names nodes of the document, and that all of them can still be reached. Which
// nodes a document in the peer's layouts is about is not known yet: it then has none.
func checkRepaired(definition cluster.Cluster, documented []string, req api.TableRepairRequest) error {
	if documented == nil {
		documented = definition.NodeNames()
	}
	if !slices.Contains(documented, req.SourceOfTruth) {
		return fault.New(fault.Invalid, "source_of_truth is %.100q, diff_file is of the nodes %s", req.SourceOfTruth, strings.Join(documented, ", "))
	}
	for _, node := range req.Nodes {
		if !slices.Contains(documented, node) {
			return fault.New(fault.Invalid, "nodes names %.100q, diff_file is of the nodes %s", node, strings.Join(documented, ", "))
		}
	}
	repaired := documented
	if req.Nodes != nil {
		repaired = append([]string{req.SourceOfTruth}, req.Nodes...)
	}
	return diffarchive.CheckNodes(repaired, definition.Name, definition.NodeNames())
}

// submitExclusive is submit for tasks of which a table has one at a time.
func (s *Service) submitExclusive(ctx context.Context, n task.New, request, asked any) (api.Submitted, error) {
	text, err := json.Marshal(asked)
	if err != nil {
		return api.Submitted{}, fault.Wrap(err, fault.Internal, "the parameters cannot be stored")
	}
	n.Exclusive = string(n.Type) + " " + string(text)
	return s.submit(ctx, n, request)
}
