package service

import (
	"context"
	"encoding/json"

	"ace/shared/api"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/task"
)

// submit stores a new task with its request and starts it, unless the queue is full.
func (s *Service) submit(ctx context.Context, n task.New, request any) (api.Submitted, error) {
	var err error
	n.Scheduled = s.Scheduled
	if n.Parameters, err = json.Marshal(request); err != nil {
		return api.Submitted{}, fault.Wrap(err, fault.Internal, "the parameters cannot be encoded")
	}

	var rec task.Record
	n = s.recorded(ctx, n)
	err = s.Starter.Submit(ctx, func(ctx context.Context) (_ string, err error) {
		rec, err = s.Tasks.Create(ctx, n)
		return rec.TaskID, err
	})

	if rec.TaskID == "" {
		return api.Submitted{}, err
	}
	if err != nil { // the task exists, so the response must have its id
		s.Log.WarnContext(ctx, "task created but not started; the sweep will start it", "task_id", rec.TaskID, "error", err)
	}
	return api.Submitted{TaskID: rec.TaskID, SubmittedAt: api.At(rec.SubmittedAt)}, nil
}

// submitComparison checks against the cluster's definition which nodes are compared, and
// submits the task. An empty n.DBName means the default database of the cluster.
func (s *Service) submitComparison(ctx context.Context, n task.New, nodes []string, request any) (api.Submitted, error) {
	definition, err := s.cluster(ctx, n.ClusterName)
	if err != nil {
		return api.Submitted{}, err
	}
	n.DBName, _, err = comparedTargets(definition, n.DBName, nodes)
	if err != nil {
		return api.Submitted{}, err
	}
	return s.submit(ctx, n, request)
}

// comparedTargets returns the name of the database and the nodes to compare, in the order
// of the cluster's definition. Fewer than two nodes are an error.
func comparedTargets(definition cluster.Cluster, dbname string, nodes []string) (database string, targets []cluster.Target, err error) {
	db, err := definition.Database(dbname)
	if err != nil {
		return "", nil, err
	}

	targets, err = definition.Targets(dbname, nodes)
	if err != nil {
		return "", nil, err
	}
	if len(targets) < 2 {
		return "", nil, fault.New(fault.Invalid, "cluster %s has %d active node: a comparison needs at least two", definition.Name, len(targets))
	}
	return db.Name, targets, nil
}

// nodeNames returns the names of the nodes in targets.
func nodeNames(targets []cluster.Target) []string {
	names := make([]string, 0, len(targets))
	for _, target := range targets {
		names = append(names, target.Node)
	}
	return names
}
