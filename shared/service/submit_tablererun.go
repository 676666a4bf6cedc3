package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/diffarchive"
	"ace/shared/task"
)

// SubmitTableRerun checks a request against the cluster's definition and the document's
// summary, and submits a table-rerun task.
func (s *Service) SubmitTableRerun(ctx context.Context, req api.TableRerunRequest) (api.Submitted, error) {
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

	if err := diffarchive.CheckNodes(summary.Nodes, definition.Name, definition.NodeNames()); err != nil {
		return api.Submitted{}, err
	}
	return s.submit(ctx, task.New{
		Type: task.TableRerun, ClusterName: req.ClusterName, DBName: database.Name, TableName: req.Table.String(), Input: &input,
	}, req)
}
