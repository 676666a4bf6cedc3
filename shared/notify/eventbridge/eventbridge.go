// Package eventbridge publishes events to a bus of Amazon EventBridge. It implements
// notify.Sender and is the only package that uses EventBridge.
//
// The detail type of an entry is the type of the event, its source is "ace", and its
// detail is the whole event, with the id by which a consumer recognizes a repetition.
package eventbridge

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"ace/shared/api"
	"ace/shared/fault"
)

// Source is the source of all entries.
const Source = "ace"

// Bus is one event bus. It is safe for concurrent use.
type Bus struct {
	client *eventbridge.Client
	name   string // the name or the ARN of the bus
}

// Connect returns the bus with this name or ARN. It uses the AWS configuration of the
// environment and does not contact AWS.
func Connect(ctx context.Context, name string) (*Bus, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the AWS configuration cannot be read")
	}
	return &Bus{client: eventbridge.NewFromConfig(c), name: name}, nil
}

// Send implements notify.Sender. The AWS client itself retries a request that AWS could
// not serve, as long as ctx has not ended.
func (b *Bus) Send(ctx context.Context, event api.Event) error {
	detail, err := json.Marshal(event)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the event cannot be encoded")
	}

	out, err := b.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: aws.String(b.name),
		Source:       aws.String(Source),
		DetailType:   aws.String(event.Type),
		Detail:       aws.String(string(detail)),
		Time:         aws.Time(event.Time.Time),
	}}})
	if err != nil {
		return b.failed(err)
	}

	// The response is 200 even if AWS has not accepted the entry.
	if out.FailedEntryCount > 0 || len(out.Entries) != 1 {
		reason := ""
		if len(out.Entries) > 0 {
			reason = aws.ToString(out.Entries[0].ErrorCode)
		}
		return fault.New(codeOf(reason), "the event bus %s has not accepted the event: %s", b.name, reason)
	}
	return nil
}

// failed returns the fault for a request that failed.
func (b *Bus) failed(err error) error {
	var answered smithy.APIError
	if errors.As(err, &answered) {
		reason := answered.ErrorCode()
		return fault.Wrap(err, codeOf(reason), "the event bus %s cannot be used: %s", b.name, reason)
	}
	return fault.Wrap(err, fault.Unavailable, "the event bus %s cannot be reached", b.name)
}

// codeOf returns Invalid for a reason that concerns only this event, and Unavailable for
// one that other events share, such as a missing permission.
func codeOf(reason string) fault.Code {
	switch reason {
	case "MalformedDetail", "InvalidArgument", "ValidationException":
		return fault.Invalid
	}
	return fault.Unavailable
}
