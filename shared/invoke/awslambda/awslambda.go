// Package awslambda has tasks started and units done by AWS Lambda functions. It is the only user of the Lambda client.
//
// What travels is what package invoke defines: a task's id, or a unit and its totals. A start is an asynchronous
// invocation, which AWS delivers at least once; a unit is a synchronous one. Both may be repeated at will.
package awslambda

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"ace/shared/fault"
	"ace/shared/invoke"
	"ace/shared/tablediff"
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

// Connect makes an invoker with the AWS configuration of the environment.
func Connect(ctx context.Context, taskRunner, blockWorker string) (*Invoker, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the AWS configuration cannot be read")
	}
	return New(lambda.NewFromConfig(c), taskRunner, blockWorker), nil
}

// Submit has a task created and started. There is always room: AWS queues asynchronous invocations.
func (i *Invoker) Submit(ctx context.Context, create func(context.Context) (taskID string, err error)) error {
	taskID, err := create(ctx)
	if err != nil {
		return err
	}
	return i.Start(ctx, taskID)
}

// Start has the task runner invoked for a task, soon.
func (i *Invoker) Start(ctx context.Context, taskID string) error {
	payload, err := json.Marshal(invoke.TaskStart{TaskID: taskID})
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the start of task %s cannot be written", taskID)
	}
	_, err = i.call(ctx, i.taskRunner, types.InvocationTypeEvent, payload)
	return err
}

// Drop does nothing: a function started for a task that has ended ends at once.
func (i *Invoker) Drop(string) {}

// Invoke has one unit done by the block worker and waits for its totals.
func (i *Invoker) Invoke(ctx context.Context, u tablediff.Unit) (tablediff.Totals, error) {
	return invoke.Call[tablediff.Unit, tablediff.Totals](ctx, func(ctx context.Context, payload []byte) ([]byte, error) {
		return i.call(ctx, i.blockWorker, types.InvocationTypeRequestResponse, payload)
	}, u)
}

// call invokes a function. A function that failed, or that there was no room for, may do better later.
func (i *Invoker) call(ctx context.Context, function string, how types.InvocationType, payload []byte) ([]byte, error) {
	out, err := i.client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(function), InvocationType: how, Payload: payload,
	})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return nil, fault.Wrap(err, fault.Internal, "function %q does not exist", function)
	case err != nil:
		return nil, fault.Wrap(err, fault.Unavailable, "function %q cannot be invoked", function)
	case out.FunctionError != nil:
		return nil, fault.Wrap(errors.New(string(out.Payload)), fault.Unavailable, "function %q failed (%s)", function, *out.FunctionError)
	}
	return out.Payload, nil
}
