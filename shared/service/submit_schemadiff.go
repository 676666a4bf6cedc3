package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/structure"
	"ace/shared/task"
)

// SubmitSchemaDiff checks a request against the cluster's definition and submits a
// schema-diff task.
func (s *Service) SubmitSchemaDiff(ctx context.Context, req api.SchemaDiffRequest) (api.Submitted, error) {
	if err := structure.CheckIgnore(req.Ignore); err != nil {
		return api.Submitted{}, err
	}
	definition, err := s.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return api.Submitted{}, err
	}
	database, _, err := schemaNodes(definition, req)
	if err != nil {
		return api.Submitted{}, err
	}
	return s.submit(ctx, task.New{
		Type: task.SchemaDiff, ClusterName: req.ClusterName, DBName: database, TableName: req.Name(),
	}, req)
}

// schemaNodes returns the name of the database and the targets to compare, in the order
// of the cluster's definition. Fewer than two nodes are an error.
func schemaNodes(definition cluster.Cluster, req api.SchemaDiffRequest) (database string, targets []cluster.Target, err error) {
	db, err := definition.Database(req.DBName)
	if err != nil {
		return "", nil, err
	}
	if targets, err = definition.Targets(req.DBName, req.Nodes); err != nil {
		return "", nil, err
	}
	if len(targets) < 2 {
		return "", nil, fault.New(fault.Invalid, "cluster %s has %d active node: a comparison needs at least two", definition.Name, len(targets))
	}
	return db.Name, targets, nil
}
