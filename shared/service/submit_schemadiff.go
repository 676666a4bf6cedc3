package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/structure"
	"ace/shared/task"
)

// SubmitSchemaDiff checks a request against the cluster's definition and submits a
// schema-diff task.
func (s *Service) SubmitSchemaDiff(ctx context.Context, req api.SchemaDiffRequest) (api.Submitted, error) {
	if err := structure.CheckIgnore(req.Ignore); err != nil {
		return api.Submitted{}, err
	}
	return s.submitComparison(ctx, task.New{
		Type: task.SchemaDiff, ClusterName: req.ClusterName, DBName: req.DBName, TableName: req.Name(),
	}, req.Nodes, req)
}
