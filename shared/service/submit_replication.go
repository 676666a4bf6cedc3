package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/task"
)

// replicationSubject is the table_name of a replication-diff, which is about no table. It
// is not empty, so that lists of tasks have a text to show. It cannot be the name of a
// table, because it has no schema.
const replicationSubject = "(replication)"

// SubmitReplicationDiff checks a request against the cluster's definition and submits a
// replication-diff task.
func (s *Service) SubmitReplicationDiff(ctx context.Context, req api.ReplicationDiffRequest) (api.Submitted, error) {
	return s.submitComparison(ctx, task.New{
		Type: task.ReplicationDiff, ClusterName: req.ClusterName, DBName: req.DBName, TableName: replicationSubject,
	}, req.Nodes, req)
}
