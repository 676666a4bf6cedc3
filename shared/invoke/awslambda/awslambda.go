// Package awslambda starts tasks and runs units of work in AWS Lambda functions. It is
// the only user of the Lambda client.
//
// The payloads are those of package invoke: the id of a task, or a unit of work. The
// reply to a unit of work is its totals. A task is started by an asynchronous
// invocation, which AWS delivers at least once. A unit is done by a synchronous
// invocation. Both can be repeated safely, so Start and Dispatcher repeat an invocation
// that failed. The client's own retries are disabled, because they do not distinguish a
// function that is busy for a while from one that fails.
package awslambda

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"ace/shared/fault"
	"ace/shared/invoke"
	"ace/shared/retry"
)

// Client is the part of the Lambda client that this package uses.
type Client interface {
	Invoke(ctx context.Context, in *lambda.InvokeInput, options ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Invoker invokes functions.
type Invoker struct {
	client      Client
	taskRunner  string
	blockWorker string
}

// New returns an invoker of the functions with these names.
func New(client Client, taskRunner, blockWorker string) *Invoker {
	return &Invoker{client: client, taskRunner: taskRunner, blockWorker: blockWorker}
}

// Connect returns an invoker that uses the AWS configuration of the environment. parallel
// is the maximum number of connections to AWS. They are reused.
func Connect(ctx context.Context, taskRunner, blockWorker string, parallel int) (*Invoker, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the AWS configuration cannot be read")
	}
	client := lambda.NewFromConfig(c, func(o *lambda.Options) {
		o.Retryer = aws.NopRetryer{}
		o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = parallel
			t.MaxConnsPerHost = parallel
		})
	})
	return New(client, taskRunner, blockWorker), nil
}

// Submit calls create, which stores a new task, and starts the task. The number of
// waiting tasks is not limited, because AWS queues asynchronous invocations.
func (i *Invoker) Submit(ctx context.Context, create func(context.Context) (taskID string, err error)) error {
	taskID, err := create(ctx)
	if err != nil {
		return err
	}
	return i.Start(ctx, taskID)
}

// startAttempts is the maximum number of attempts to invoke the task runner for a task.
// If all attempts fail, a later sweep starts the task.
const startAttempts = 4

// maxStartDelay bounds the wait between two attempts that AWS asks for. The client waits
// for the answer to its request meanwhile.
const maxStartDelay = 5 * time.Second

// Start invokes the task runner for a task asynchronously.
func (i *Invoker) Start(ctx context.Context, taskID string) error {
	payload, err := json.Marshal(invoke.TaskStart{TaskID: taskID})
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the start of task %s cannot be encoded", taskID)
	}
	policy := retry.Policy{Backoff: backoff(), Tries: startAttempts, MaxDelay: maxStartDelay, Retryable: fault.Retryable}
	return policy.Do(ctx, func() error {
		_, err := i.call(ctx, i.taskRunner, types.InvocationTypeEvent, payload)
		return err
	})
}

// Accepts returns nil, because the number of waiting tasks is not limited (see Submit).
func (i *Invoker) Accepts() error { return nil }

// Drop does nothing. A task that was cancelled while it waited may stay in the queue of
// AWS, because the function that AWS starts for it returns at once.
func (i *Invoker) Drop(string) {}

// The maximum sizes of a payload that Lambda accepts, in bytes.
const (
	maxSync  = 6 << 20
	maxAsync = 1 << 20
)

// call invokes a function once and returns the payload of the response. An error that
// wraps errBusy means that AWS rejected the invocation for now. An error that wraps
// errFailed means that the function did not reply. If ctx has ended, the error is the
// cause of its end. After any other error, the invocation should be repeated only if the
// code of the error is Unavailable.
func (i *Invoker) call(ctx context.Context, function string, how types.InvocationType, payload []byte) ([]byte, error) {
	limit := maxSync
	if how == types.InvocationTypeEvent {
		limit = maxAsync
	}

	if len(payload) > limit {
		return nil, fault.New(fault.Internal, "the payload for function %q has %d bytes; Lambda accepts at most %d", function, len(payload), limit)
	}

	out, err := i.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(function), InvocationType: how, Payload: payload})
	if err != nil {
		return nil, notInvoked(ctx, function, err)
	}

	if out.FunctionError != nil {
		return nil, functionFailed(function, out.Payload)
	}
	return out.Payload, nil
}
