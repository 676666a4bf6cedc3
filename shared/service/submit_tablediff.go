package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/task"
)

// SubmitTableDiff checks a request against the cluster's definition and submits a
// table-diff task.
func (s *Service) SubmitTableDiff(ctx context.Context, req api.TableDiffRequest) (api.Submitted, error) {
	definition, err := s.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return api.Submitted{}, err
	}
	database, _, err := comparedTargets(definition, req.DBName, req.Nodes)
	if err != nil {
		return api.Submitted{}, err
	}
	return s.submit(ctx, task.New{
		Type: task.TableDiff, ClusterName: req.ClusterName, DBName: database, TableName: req.Table.String(),
	}, req)
}
