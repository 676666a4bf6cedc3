// Package function puts the service together inside an AWS Lambda function, out of the function's environment.
package function

import (
	"context"
	"log/slog"
	"os"

	"ace/shared/app"
	"ace/shared/archive/s3"
	"ace/shared/cluster"
	"ace/shared/config"
	"ace/shared/endpoint"
	"ace/shared/fault"
	"ace/shared/invoke/awslambda"
	"ace/shared/obs"
)

// workerConns: a function does one unit at a time, which takes one connection to each node.
const workerConns = 1

// Function is the service's parts inside a function. They live as long as the execution environment, so connections
// stay warm between invocations.
type Function struct {
	*app.App
	Invoker *awslambda.Invoker
	log     *slog.Logger
}

// New makes them out of the environment.
func New(ctx context.Context) (*Function, error) {
	c, err := config.Load(config.Environ(os.Environ()))
	if err != nil {
		return nil, err
	}
	if c.Store.Embedded {
		return nil, fault.New(fault.Invalid, "ACE_STORE is %q: a function keeps nothing, it needs s3://bucket/prefix", c.Store)
	}
	log := obs.NewLogger(os.Stderr, c.LogLevel, c.LogFormat)
	store, err := s3.Open(ctx, app.BucketOptions(c.Store))
	if err != nil {
		return nil, err
	}
	invoker, err := awslambda.Connect(ctx, c.TaskRunnerFunction, c.BlockWorkerFunction)
	if err != nil {
		return nil, err
	}
	return &Function{
		App: app.New(app.Options{
			Store: store, Location: store.Location(), Clusters: cluster.NewSource(cluster.Options{Path: c.Clusters, ServiceFiles: c.ServiceFiles(), PasswordFile: c.PasswordFile()}),
			MaxConns: workerConns, StatementTimeout: c.StatementTimeout, SnapshotMax: c.SnapshotMax,
			MaxImport: c.MaxImport(), Log: log,
		}),
		Invoker: invoker,
		log:     log,
	}, nil
}

// Mux answers the API.
func (f *Function) Mux() (*endpoint.Mux, error) {
	return endpoint.New(endpoint.Options{Logger: f.log}, f.Endpoints(f.Invoker)...)
}
