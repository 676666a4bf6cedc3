package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/cluster"
	"ace/shared/runner"
	"ace/shared/setdiff"
)

// repsetDiff executes a repset-diff task.
func (e *Executor) repsetDiff(ctx context.Context, x execution) (runner.Outcome, error) {
	var req api.RepsetDiffRequest
	if err := readRequest(x.rec, &req); err != nil {
		return runner.Outcome{}, err
	}

	return e.compareSet(ctx, x, req.SetRequest, func(targets []cluster.Target) setdiff.Source {
		return repsetTables{replication: e.Replication, nodes: e.Nodes, targets: targets, request: req}
	})
}
