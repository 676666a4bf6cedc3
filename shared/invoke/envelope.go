package invoke

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"ace/shared/fault"
)

// TaskStart is the payload that starts a task.
type TaskStart struct {
	TaskID string `json:"task_id"`
}

// Handler does a unit of work: bytes in, bytes out.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// envelope is an answer on its way back: a value, or an error's code and public message.
type envelope struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error *failure        `json:"error,omitempty"`
}

type failure struct {
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
}

// Handle makes a handler of a function. An error of the work is an answer like any other; the handler itself only
// fails when the payload or the answer is no JSON.
func Handle[Q, A any](work func(ctx context.Context, q Q) (A, error), onError func(ctx context.Context, err error)) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var q Q
		if err := decodeStrict(payload, &q); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "a unit of work cannot be read")
		}
		answer, err := guarded(ctx, work, q)
		if err != nil {
			onError(ctx, err)
			return json.Marshal(envelope{Error: &failure{Code: fault.CodeOf(err), Message: fault.PublicMessage(err)}})
		}
		value, err := json.Marshal(answer)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "the answer of a unit of work cannot be written")
		}
		return json.Marshal(envelope{Value: value})
	}
}

// guarded turns a panic of the work into an error: one defective unit must not end the process and every task in it.
func guarded[Q, A any](ctx context.Context, work func(context.Context, Q) (A, error), q Q) (answer A, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fault.Wrap(fmt.Errorf("panic: %v\n%s", cause, debug.Stack()), fault.Internal, "a unit of work failed: this is a defect; the log has the details")
		}
	}()
	answer, err = work(ctx, q)
	if err != nil && ctx.Err() != nil { // what the work says when it is cut short is only an echo of why
		err = context.Cause(ctx)
	}
	return answer, err
}

// Call sends a question through a handler's bytes and reads the answer.
func Call[Q, A any](ctx context.Context, handler Handler, q Q) (A, error) {
	var answer A
	payload, err := json.Marshal(q)
	if err != nil {
		return answer, fault.Wrap(err, fault.Internal, "a unit of work cannot be written")
	}
	reply, err := handler(ctx, payload)
	if err != nil {
		return answer, err
	}
	var e envelope
	if err := decodeStrict(reply, &e); err != nil {
		return answer, fault.Wrap(err, fault.Internal, "the answer of a unit of work cannot be read")
	}
	if e.Error != nil {
		return answer, fault.New(cmp.Or(e.Error.Code, fault.Internal), "%s", e.Error.Message)
	}
	if err := decodeStrict(e.Value, &answer); err != nil {
		return answer, fault.Wrap(err, fault.Internal, "the answer of a unit of work is of another kind")
	}
	return answer, nil
}

// decodeStrict reads one JSON value and nothing but it: a field that only one side knows would be lost in silence.
func decodeStrict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON value")
	}
	return nil
}
