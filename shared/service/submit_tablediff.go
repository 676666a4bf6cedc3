package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/task"
)

// SubmitTableDiff checks a request against the cluster's definition and submits a
// table-diff task.
func (s *Service) SubmitTableDiff(ctx context.Context, req api.TableDiffRequest) (api.Submitted, error) {
	return s.submitComparison(ctx, task.New{
		Type: task.TableDiff, ClusterName: req.ClusterName, DBName: req.DBName, TableName: req.Table.String(),
	}, req.Nodes, req)
}
