package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/runner"
	"ace/shared/setdiff"
)

// repsetDiff executes a repset-diff task.
func (e *Executor) repsetDiff(ctx context.Context, x execution) (runner.Outcome, error) {
	var req api.RepsetDiffRequest
	if err := readRequest(x.rec, &req); err != nil {
		return runner.Outcome{}, err
	}

	definition, err := e.loadCluster(ctx, x, req.ClusterName)
	if err != nil {
		return runner.Outcome{}, err
	}
	_, targets, err := comparedTargets(definition, req.DBName, req.Nodes)
	if err != nil {
		return runner.Outcome{}, err
	}

	summary := setSummary(x.rec, req.SetRequest, targets)
	return e.compareSet(ctx, x, setComparison{
		Request: setdiff.Request{
			Parent: x.rec, Source: repsetTables{replication: e.Replication, nodes: e.Nodes, targets: targets, request: req}, TableDiff: req.TableDiff,
			Summary: summary, AtOnce: req.MaxTablesAtOnce, FailFast: req.FailFast, Patience: x.patience,
		},
		output: req.Output, quiet: req.Quiet,
	})
}
