// Package function is the service inside an AWS Lambda function, put together out of the function's environment: the
// API (Mux), the task runner (RunTask), the block worker (DoUnit) and the sweep (Sweep). Each function's main calls one.
//
// Nothing it starts outlives the call of a handler, since a function is frozen after its answer; connections stay open
// for the next invocation. Every handler may be called again with the same event.
package function

import (
	"context"
	"log/slog"
	"os"

	"ace/shared/app"
	"ace/shared/archive/s3"
	"ace/shared/config"
	"ace/shared/endpoint"
	"ace/shared/fault"
	"ace/shared/invoke"
	"ace/shared/invoke/awslambda"
	"ace/shared/logging"
)

// Most connections to one node. A unit takes one; a repair reads beside the transaction that writes.
const (
	workerConns = 1
	runnerConns = 4
)

// Function is the service's parts inside a function. They live as long as the execution environment.
type Function struct {
	*app.App
	Invoker *awslambda.Invoker
	config  config.Config
	worker  invoke.Handler
	log     *slog.Logger
}

// New makes the parts of a function that answers the API, does units or sweeps.
func New(ctx context.Context) (*Function, error) { return newFunction(ctx, workerConns) }

// NewRunner makes those of the task runner.
func NewRunner(ctx context.Context) (*Function, error) { return newFunction(ctx, runnerConns) }

func newFunction(ctx context.Context, conns int) (*Function, error) {
	c, err := config.Load(config.Environ(os.Environ()))
	if err != nil {
		return nil, err
	}
	if c.Store.Embedded {
		return nil, fault.New(fault.Invalid, "ACE_STORE is %q: a function keeps nothing, it needs s3://bucket/prefix", c.Store)
	}
	log := logging.New(os.Stderr, c.LogLevel, c.LogFormat)
	store, err := s3.Open(ctx, app.BucketOptions(c.Store))
	if err != nil {
		return nil, err
	}
	invoker, err := awslambda.Connect(ctx, c.TaskRunnerFunction, c.BlockWorkerFunction, c.MaxInvocations)
	if err != nil {
		return nil, err
	}
	clusters, _, err := app.Clusters(ctx, c, c.ServiceFiles()) // for the life of the execution environment
	if err != nil {
		return nil, err
	}
	a := app.New(app.Options{
		Store: store, Location: store.Location(), Clusters: clusters,
		MaxConns: conns, StatementTimeout: c.StatementTimeout, SnapshotMax: c.SnapshotMax, Lease: c.Lease,
		MaxImport: c.MaxImport(), Log: log,
	})
	return &Function{App: a, Invoker: invoker, config: c, worker: a.Worker(), log: log}, nil
}

// Mux answers the API.
func (f *Function) Mux() (*endpoint.Mux, error) {
	return endpoint.New(endpoint.Options{Logger: f.log}, f.Endpoints(f.Invoker)...)
}
