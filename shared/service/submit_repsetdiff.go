package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/structure"
	"ace/shared/task"
)

// SubmitRepsetDiff checks a request against the cluster's definition and submits a
// repset-diff task.
func (s *Service) SubmitRepsetDiff(ctx context.Context, req api.RepsetDiffRequest) (api.Submitted, error) {
	if err := structure.CheckIgnore(req.Ignore); err != nil {
		return api.Submitted{}, err
	}
	definition, err := s.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return api.Submitted{}, err
	}
	database, _, err := comparedTargets(definition, req.DBName, req.Nodes)
	if err != nil {
		return api.Submitted{}, err
	}
	return s.submit(ctx, task.New{
		Type: task.RepsetDiff, ClusterName: req.ClusterName, DBName: database, TableName: req.Name(),
	}, req)
}
