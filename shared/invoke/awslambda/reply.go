package awslambda

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"ace/shared/fault"
)

// errBusy: the function was not invoked because there is no room for another invocation now. There will be.
var errBusy = errors.New("too many invocations at once")

// errFailed: the function was invoked and gave no answer: it crashed, or was killed at its time limit.
var errFailed = errors.New("the function gave no answer")

// notInvoked says why an invocation was not accepted.
func notInvoked(ctx context.Context, function string, err error) error {
	var missing *types.ResourceNotFoundException
	var api smithy.APIError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &missing):
		return fault.Wrap(err, fault.Internal, "function %q does not exist", function)
	case isBusy(err):
		return fault.Wrap(errors.Join(errBusy, err), fault.Unavailable, "function %q is busy: too many invocations at once", function)
	case errors.As(err, &api) && api.ErrorFault() == smithy.FaultClient && status(err) != http.StatusRequestTimeout:
		return fault.Wrap(err, fault.Internal, "function %q cannot be invoked: %s", function, api.ErrorCode())
	}
	return fault.Wrap(err, fault.Unavailable, "function %q cannot be invoked", function)
}

// isBusy knows throttling, and a function that is being made ready, whose network or whose new version is under way.
func isBusy(err error) bool {
	if status(err) == http.StatusTooManyRequests {
		return true
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "TooManyRequestsException", "ThrottlingException", "EC2ThrottledException", "ENILimitReachedException",
		"ResourceNotReadyException", "ResourceConflictException", "SubnetIPAddressLimitReachedException":
		return true
	}
	return false
}

// status is the HTTP status of an answer, 0 if there was none.
func status(err error) int {
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) {
		return answered.HTTPStatusCode()
	}
	return 0
}

// functionFailed words what Lambda says of a function that gave no answer. Its message may hold anything: it is for the
// log only.
func functionFailed(function string, payload []byte) error {
	var told struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}
	_ = json.Unmarshal(payload, &told) // what is no JSON is told as it is
	cause := errors.Join(errFailed, errors.New(string(payload)))
	if strings.Contains(told.Message, "Task timed out") || told.Type == "Sandbox.Timedout" {
		return fault.Wrap(cause, fault.Unavailable, "function %q was ended at its time limit", function)
	}
	return fault.Wrap(cause, fault.Unavailable, "function %q broke off", function)
}
