package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/task"
)

// replicationSubject is the table_name of a replication-diff, which is about no table. It
// is not empty, so that lists of tasks have a text to show. It cannot be the name of a
// table, because it has no schema.
const replicationSubject = "(replication)"

// SubmitReplicationDiff checks a request against the cluster's definition and submits a
// replication-diff task.
func (s *Service) SubmitReplicationDiff(ctx context.Context, req api.ReplicationDiffRequest) (api.Submitted, error) {
	definition, err := s.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return api.Submitted{}, err
	}
	database, _, err := replicationTargets(definition, req)
	if err != nil {
		return api.Submitted{}, err
	}
	return s.submit(ctx, task.New{
		Type: task.ReplicationDiff, ClusterName: req.ClusterName, DBName: database, TableName: replicationSubject,
	}, req)
}

// replicationTargets returns the name of the database and the nodes to compare, in the
// order of the cluster's definition. Fewer than two nodes are an error.
func replicationTargets(definition cluster.Cluster, req api.ReplicationDiffRequest) (database string, targets []cluster.Target, err error) {
	db, err := definition.Database(req.DBName)
	if err != nil {
		return "", nil, err
	}
	targets, err = definition.Targets(req.DBName, req.Nodes)
	if err != nil {
		return "", nil, err
	}
	if len(targets) < 2 {
		return "", nil, fault.New(fault.Invalid, "cluster %s has %d active node: a comparison needs at least two", definition.Name, len(targets))
	}
	return db.Name, targets, nil
}
