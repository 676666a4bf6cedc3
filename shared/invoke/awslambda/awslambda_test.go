package awslambda_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"go.uber.org/goleak"

	"ace/infra/lambda/emulator"
	"ace/shared/fault"
	"ace/shared/invoke/awslambda"
	"ace/shared/tablediff/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// invoker returns an Invoker of a Lambda that has only the given functions.
func invoker(t *testing.T, functions ...emulator.Function) *awslambda.Invoker {
	t.Helper()
	e, err := emulator.Start(emulator.Options{Functions: functions, Output: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return awslambda.New(lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(e.URL()), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	}), "runner", "worker")
}

func TestStart_AMissingFunctionIsAnInternalErrorWithoutRetry(t *testing.T) {
	begun := time.Now()
	err := invoker(t).Start(t.Context(), "td_20240315_123456")
	if want := `function "runner" does not exist`; fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestStart_RejectsAPayloadThatIsTooLargeForLambda(t *testing.T) {
	err := invoker(t).Start(t.Context(), strings.Repeat("x", 1<<20))
	if fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), "Lambda accepts at most 1048576") {
		t.Errorf("got %v", err)
	}
}

func TestDispatch_FailsIfAWorkerNeverReplies(t *testing.T) {
	i := invoker(t, emulator.Function{Name: "worker", Binary: "/bin/true", Timeout: time.Second})
	d := i.Dispatch(make(chan struct{}))
	_, err := d.Invoke(t.Context(), plan.Unit{TaskID: "td_20240315_123456"})
	if want := `function "worker" failed without a response`; fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if !d.Idle() {
		t.Error("a unit counts as done")
	}
}

func TestDispatch_WaitsForCapacityUntilItsContextEnds(t *testing.T) {
	i := invoker(t, emulator.Function{Name: "worker", Binary: "/bin/true", Timeout: time.Second, Faults: emulator.Faults{Throttle: 1}})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, fault.New(fault.Cancelled, "the caller has had enough"))
	defer cancel()
	_, err := i.Dispatch(make(chan struct{})).Invoke(ctx, plan.Unit{TaskID: "td_20240315_123456"})
	if fault.CodeOf(err) != fault.Cancelled {
		t.Errorf("got %v", err)
	}
}

func TestDispatch_RejectsUnitsOnceStopped(t *testing.T) {
	stopped := make(chan struct{})
	close(stopped)
	_, err := invoker(t).Dispatch(stopped).Invoke(t.Context(), plan.Unit{TaskID: "td_20240315_123456"})
	if err == nil || !strings.Contains(err.Error(), awslambda.ErrStopped.Error()) {
		t.Errorf("got %v, want %v", err, awslambda.ErrStopped)
	}
}

// AWS states by Retry-After when it accepts another invocation. The first wait without a
// statement is at most 50 ms.
func TestInvoke_WaitsAsLongAsAWSAsks(t *testing.T) {
	const wait = time.Second
	for name, request := range map[string]func(*awslambda.Invoker) error{
		"a task": func(i *awslambda.Invoker) error { return i.Start(t.Context(), "td_20240315_123456") },
		"a unit": func(i *awslambda.Invoker) error {
			_, err := i.Dispatch(make(chan struct{})).Invoke(t.Context(), plan.Unit{TaskID: "td_20240315_123456"})
			return err
		},
	} {
		var calls []time.Time
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls = append(calls, time.Now()); len(calls) == 1 {
				w.Header().Set("Retry-After", fmt.Sprint(wait.Seconds()))
				w.Header().Set("X-Amzn-ErrorType", "TooManyRequestsException")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException") // is not repeated
			w.WriteHeader(http.StatusNotFound)
		}))
		i := awslambda.New(lambda.New(lambda.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(server.URL), Retryer: aws.NopRetryer{},
			Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""), HTTPClient: server.Client(),
		}), "runner", "worker")
		err := request(i)
		server.Close()
		if fault.CodeOf(err) != fault.Internal || len(calls) != 2 || calls[1].Sub(calls[0]) < wait {
			t.Errorf("%s: %v after invocations at %v, want two that are %s apart", name, err, calls, wait)
		}
	}
}
