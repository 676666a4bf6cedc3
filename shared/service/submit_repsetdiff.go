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
	return s.submitComparison(ctx, task.New{
		Type: task.RepsetDiff, ClusterName: req.ClusterName, DBName: req.DBName, TableName: req.Name(),
	}, req.Nodes, req)
}
