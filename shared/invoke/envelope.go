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

// Handler does a unit of work. Payload and reply are JSON.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// envelope is a reply: a value, or the code and public message of an error.
type envelope struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error *failure        `json:"error,omitempty"`
}

type failure struct {
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
}

// Handle returns a handler that calls work. If work fails, the handler calls onError and
// returns the error in its reply. The handler itself fails only if the payload cannot be
// decoded or the result cannot be encoded.
func Handle[Q, A any](work func(ctx context.Context, q Q) (A, error), onError func(ctx context.Context, err error)) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var q Q
		if err := decodeStrict(payload, &q); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "a unit of work cannot be decoded")
		}
		answer, err := callGuarded(ctx, work, q)
		if err != nil {
			onError(ctx, err)
			return json.Marshal(envelope{Error: &failure{Code: fault.CodeOf(err), Message: fault.PublicMessage(err)}})
		}
		value, err := json.Marshal(answer)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "the result of a unit of work cannot be encoded")
		}
		return json.Marshal(envelope{Value: value})
	}
}

// callGuarded calls work and converts a panic to an error, because a panic would end the
// process and every task in it.
func callGuarded[Q, A any](ctx context.Context, work func(context.Context, Q) (A, error), q Q) (answer A, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fault.Wrap(fmt.Errorf("panic: %v\n%s", cause, debug.Stack()), fault.Internal, "a unit of work failed because of a defect in ACE; the log has the details")
		}
	}()
	answer, err = work(ctx, q)
	if err != nil && ctx.Err() != nil { // the error is only a consequence of the end of the context
		err = context.Cause(ctx)
	}
	return answer, err
}

// Call encodes q, calls the handler and decodes its reply.
func Call[Q, A any](ctx context.Context, handler Handler, q Q) (A, error) {
	var answer A
	payload, err := json.Marshal(q)
	if err != nil {
		return answer, fault.Wrap(err, fault.Internal, "a unit of work cannot be encoded")
	}

	reply, err := handler(ctx, payload)
	if err != nil {
		return answer, err
	}

	var e envelope
	if err := decodeStrict(reply, &e); err != nil {
		return answer, fault.Wrap(err, fault.Internal, "the result of a unit of work cannot be decoded")
	}

	if e.Error != nil {
		return answer, fault.New(cmp.Or(e.Error.Code, fault.Internal), "%s", e.Error.Message)
	}

	if err := decodeStrict(e.Value, &answer); err != nil {
		return answer, fault.Wrap(err, fault.Internal, "the result of a unit of work has an unexpected type")
	}
	return answer, nil
}

// decodeStrict decodes exactly one JSON value. It rejects unknown fields, because their
// values would be lost without notice.
func decodeStrict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("unexpected data after the JSON value")
	}
	return nil
}
