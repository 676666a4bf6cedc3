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
	"ace/shared/retry"
)

// errBusy means that AWS rejected the invocation for now: too many are running, or AWS is
// still preparing the function (see isBusy). A later invocation may be accepted.
var errBusy = errors.New("too many invocations at once")

// errFailed means that the function was invoked but did not reply: it crashed or reached
// its time limit.
var errFailed = errors.New("the function did not reply")

// notInvoked converts err, the Lambda client's error for an invocation that was not
// accepted.
func notInvoked(ctx context.Context, function string, err error) error {
	var missing *types.ResourceNotFoundException
	var api smithy.APIError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &missing):
		return fault.Wrap(err, fault.Internal, "function %q does not exist", function)
	case isBusy(err):
		busy := fault.Wrap(errors.Join(errBusy, err), fault.Unavailable, "function %q is busy: too many invocations at once", function)
		return retry.WithDelay(busy, retryAfter(err))
	case errors.As(err, &api) && api.ErrorFault() == smithy.FaultClient && status(err) != http.StatusRequestTimeout:
		return fault.Wrap(err, fault.Internal, "function %q cannot be invoked: %s", function, api.ErrorCode())
	}
	return fault.Wrap(err, fault.Unavailable, "function %q cannot be invoked", function)
}

// isBusy reports whether AWS throttles the function, or is still preparing its network or
// its new version.
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

// retryAfter returns the value of the header Retry-After of the response that caused err,
// or "".
func retryAfter(err error) string {
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) && answered.Response != nil {
		return answered.Response.Header.Get("Retry-After")
	}
	return ""
}

// status returns the HTTP status of the response that caused err, or 0 if there was no
// response.
func status(err error) int {
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) {
		return answered.HTTPStatusCode()
	}
	return 0
}

// functionFailed returns the error of a function that did not reply. Lambda's message can
// contain anything, so it becomes the cause of the error, which is shown only in the log.
func functionFailed(function string, payload []byte) error {
	var reason struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}
	_ = json.Unmarshal(payload, &reason) // the cause has the payload even if it is not JSON
	cause := errors.Join(errFailed, errors.New(string(payload)))
	if strings.Contains(reason.Message, "Task timed out") || reason.Type == "Sandbox.Timedout" {
		return fault.Wrap(cause, fault.Unavailable, "function %q reached its time limit", function)
	}
	return fault.Wrap(cause, fault.Unavailable, "function %q failed without a response", function)
}
