package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/task"
)

// SubmitTableDiff checks a request against the cluster's definition and submits a
// table-diff task.
func (s *Service) SubmitTableDiff(ctx context.Context, req api.TableDiffRequest) (api.Submitted, error) {
	definition, err := s.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return api.Submitted{}, err
	}
	database, _, err := comparedNodes(definition, req)
	if err != nil {
		return api.Submitted{}, err
	}
	return s.submit(ctx, task.New{
		Type: task.TableDiff, ClusterName: req.ClusterName, DBName: database, TableName: req.Table.String(),
	}, req)
}

// comparedNodes returns the names of the database and of the nodes to compare, in the
// order of the cluster's definition. Fewer than two nodes are an error.
func comparedNodes(definition cluster.Cluster, req api.TableDiffRequest) (database string, nodes []string, err error) {
	db, err := definition.Database(req.DBName)
	if err != nil {
		return "", nil, err
	}

	targets, err := definition.Targets(req.DBName, req.Nodes)
	if err != nil {
		return "", nil, err
	}

	for _, target := range targets {
		nodes = append(nodes, target.Node)
	}

	if len(nodes) < 2 {
		return "", nil, fault.New(fault.Invalid, "cluster %s has %d active node: a comparison needs at least two", definition.Name, len(nodes))
	}
	return db.Name, nodes, nil
}
