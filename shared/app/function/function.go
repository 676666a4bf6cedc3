// Package function runs the service in AWS Lambda functions, configured by the
// environment: the API (ServeAPI), the task runner (ServeTasks), the block worker
// (ServeUnits) and the sweep (ServeSweep). The main of each function calls one of them.
//
// A handler starts no goroutine that outlives its call, because Lambda freezes a function
// after its response. Connections stay open for the next invocation. Every handler may be
// called again with the same event.
package function

import (
	"context"
	"log/slog"
	"os"
	"time"

	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/archive/s3"
	"ace/shared/config"
	"ace/shared/emf"
	"ace/shared/endpoint"
	"ace/shared/endpoint/lambdax"
	"ace/shared/fault"
	"ace/shared/invoke"
	"ace/shared/invoke/awslambda"
	"ace/shared/logging"
)

// The maximum number of connections of one function to one node. A unit of a comparison
// uses one connection. The task runner uses more, because a repair also reads outside the
// transaction that writes.
const (
	workerConns = 1
	runnerConns = 4
)

// definitionAge is how long a block worker uses a cluster definition without reading the
// bucket again. A unit takes seconds at most.
const definitionAge = 10 * time.Second

// Function holds what the invocations of one Lambda function share. It lives as long as
// the function's execution environment.
type Function struct {
	*app.App
	Invoker *awslambda.Invoker
	config  config.Config
	worker  invoke.Handler
	log     *slog.Logger
	metrics *emf.Writer
}

// New returns the Function of a Lambda function that serves the API, does units of work
// or sweeps.
func New(ctx context.Context) (*Function, error) { return newFunction(ctx, workerConns) }

// NewRunner returns the Function of the task runner.
func NewRunner(ctx context.Context) (*Function, error) { return newFunction(ctx, runnerConns) }

func newFunction(ctx context.Context, conns int) (*Function, error) {
	c, err := config.Load(config.Environ(os.Environ()))
	if err != nil {
		return nil, err
	}

	if c.Store.Embedded {
		return nil, fault.New(fault.Invalid, "ACE_STORE is %q; in a function it must be s3://bucket/prefix", c.Store)
	}

	log := logging.New(os.Stderr, c.LogLevel, c.LogFormat)
	ignored, err := app.IgnoreVariables()
	if err != nil {
		return nil, err
	}
	if len(ignored) > 0 {
		log.WarnContext(ctx, app.VariablesIgnored, "variables", ignored)
	}

	store, err := s3.Open(ctx, app.BucketOptions(c.Store))
	if err != nil {
		return nil, err
	}

	invoker, err := awslambda.Connect(ctx, c.TaskRunnerFunction, c.BlockWorkerFunction, c.MaxInvocations)
	if err != nil {
		return nil, err
	}

	clusters, _, err := app.Clusters(ctx, c, c.ServiceFiles()) // never closed: it lives as long as the process
	if err != nil {
		return nil, err
	}

	sender, err := eventBus(ctx, c.EventBus)
	if err != nil {
		return nil, err
	}

	var published *emf.Writer // a nil Writer writes nothing
	if c.Metrics {
		published = emf.New(os.Stderr, c.MetricsNamespace)
	}
	a := app.New(app.Options{
		Store: store, Location: store.Location(), Clusters: clusters, DefinitionAge: definitionAge,
		MaxConns: conns, StatementTimeout: c.StatementTimeout, RepairAnswerTimeout: c.RepairAnswer, SnapshotMax: c.SnapshotMax, UnitTimeout: c.UnitTimeout, Lease: c.Lease, Patience: c.Patience,
		MaxImport: c.MaxImport(), Sender: sender, EventTypes: api.EventTypes(), Observer: published, Log: log,
	})
	return &Function{App: a, Invoker: invoker, config: c, worker: a.Worker(), log: log, metrics: published}, nil
}

// Handler returns the handler of API events. It logs each request.
func (f *Function) Handler() (func(context.Context, lambdax.Event) (lambdax.Answer, error), error) {
	mux, err := f.Mux()
	if err != nil {
		return nil, err
	}
	return lambdax.Logged(lambdax.Handler(mux), endpoint.NewRequestLog(f.log, f.config.RequestLog)), nil
}

// Mux returns the mux of the API.
func (f *Function) Mux() (*endpoint.Mux, error) {
	return endpoint.New(endpoint.Options{Logger: f.log, Refused: f.Refused}, f.Endpoints(f.Invoker)...)
}
