// Package awslambda has tasks started and units done by AWS Lambda functions. It is the only user of the Lambda client.
//
// What travels is what package invoke defines: a task's id, or a unit and its totals. A start is an asynchronous
// invocation, which AWS delivers at least once; a unit is a synchronous one. Both may be repeated at will, so whatever
// fails without an answer is simply sent again. The client's own retries are off: they would not tell a function that is
// busy, which is worth waiting for, from one that fails.
package awslambda

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"ace/shared/fault"
	"ace/shared/invoke"
	"ace/shared/retry"
)

// Client is the part of the Lambda client that is needed.
type Client interface {
	Invoke(ctx context.Context, in *lambda.InvokeInput, options ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Invoker invokes functions.
type Invoker struct {
	client      Client
	taskRunner  string
	blockWorker string
}

// New makes an invoker of the functions of these names.
func New(client Client, taskRunner, blockWorker string) *Invoker {
	return &Invoker{client: client, taskRunner: taskRunner, blockWorker: blockWorker}
}

// Connect makes an invoker with the AWS configuration of the environment. It keeps at most parallel connections, and
// keeps them warm.
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

// Submit has a task created and started. There is always room: AWS queues asynchronous invocations.
func (i *Invoker) Submit(ctx context.Context, create func(context.Context) (taskID string, err error)) error {
	taskID, err := create(ctx)
	if err != nil {
		return err
	}
	return i.Start(ctx, taskID)
}

// startAttempts bounds how often a start is sent: the sweep makes good what fails.
const startAttempts = 4

// Start has the task runner invoked for a task, soon.
func (i *Invoker) Start(ctx context.Context, taskID string) error {
	payload, err := json.Marshal(invoke.TaskStart{TaskID: taskID})
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the start of task %s cannot be written", taskID)
	}
	policy := retry.Policy{Backoff: backoff(), Tries: startAttempts, Retryable: fault.Retryable}
	return policy.Do(ctx, func() error {
		_, err := i.call(ctx, i.taskRunner, types.InvocationTypeEvent, payload)
		return err
	})
}

// Drop does nothing: a function started for a task that has ended ends at once.
func (i *Invoker) Drop(string) {}

// Most bytes of a payload that Lambda takes.
const (
	maxSync  = 6 << 20
	maxAsync = 1 << 20
)

// call invokes a function once. Errors are those of reply.go.
func (i *Invoker) call(ctx context.Context, function string, how types.InvocationType, payload []byte) ([]byte, error) {
	limit := maxSync
	if how == types.InvocationTypeEvent {
		limit = maxAsync
	}
	if len(payload) > limit {
		return nil, fault.New(fault.Internal, "a payload of %d bytes for function %q: Lambda takes %d", len(payload), function, limit)
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
