package invoke_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/fault"
	"ace/shared/invoke"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

type question struct {
	ID int `json:"id"`
}

type answer struct {
	Rows int64 `json:"rows"`
}

// ignore is an onError for tests that check the reply.
func ignore(context.Context, error) {}

func answering(a answer, err error) invoke.Handler {
	return invoke.Handle(func(context.Context, question) (answer, error) { return a, err }, ignore)
}

func TestCall_ReturnsTheReply(t *testing.T) {
	double := invoke.Handle(func(_ context.Context, q question) (answer, error) { return answer{int64(2 * q.ID)}, nil }, ignore)
	got, err := invoke.Call[question, answer](t.Context(), double, question{21})
	if err != nil || got.Rows != 42 {
		t.Errorf("got %+v, error %v; want 42", got, err)
	}
}

func TestCall_ReturnsOnlyTheCodeAndPublicMessageOfAnError(t *testing.T) {
	codes := []fault.Code{
		fault.Invalid, fault.Forbidden, fault.NotFound, fault.Method, fault.Conflict, fault.TooLarge, fault.Unavailable,
		fault.Cancelled, fault.Internal,
	}
	for _, code := range codes {
		cause := errors.New("secret cause")
		_, err := invoke.Call[question, answer](t.Context(), answering(answer{}, fault.Wrap(cause, code, "100%% of node %q", "n1")), question{})
		if fault.CodeOf(err) != code || fault.PublicMessage(err) != `100% of node "n1"` {
			t.Errorf("%s became %s: %v", code, fault.CodeOf(err), err)
		}
		if strings.Contains(err.Error(), "secret") || fault.Retryable(err) != (code == fault.Unavailable) {
			t.Errorf("%s arrived as %v", code, err)
		}
	}
	for name, tt := range map[string]struct {
		err  error
		code fault.Code
	}{
		"an error that is not a fault":    {io.ErrUnexpectedEOF, fault.Internal},
		"the end of the caller's context": {context.Canceled, fault.Cancelled},
		"time that ran out":               {context.DeadlineExceeded, fault.Unavailable},
		"a wrapped fault":                 {errors.Join(nil, fault.New(fault.Conflict, "no")), fault.Conflict},
	} {
		if _, err := invoke.Call[question, answer](t.Context(), answering(answer{}, tt.err), question{}); fault.CodeOf(err) != tt.code {
			t.Errorf("%s became %s", name, fault.CodeOf(err))
		}
	}
}

func TestHandle_ReportsEveryErrorWithItsCause(t *testing.T) {
	cause := errors.New("the cause")
	var reported error
	h := invoke.Handle(func(context.Context, question) (answer, error) {
		return answer{}, fault.Wrap(cause, fault.Internal, "no")
	}, func(_ context.Context, err error) { reported = err })
	if _, err := h(t.Context(), []byte(`{"id":1}`)); err != nil || !errors.Is(reported, cause) {
		t.Errorf("the handler returned %v and onError got %v, want nil and the cause", err, reported)
	}
}

func TestHandle_APanicIsAnInternalErrorWithItsStackOnlyInTheLog(t *testing.T) {
	var reported error
	h := invoke.Handle(func(_ context.Context, q question) (answer, error) {
		return []answer{}[q.ID], nil
	}, func(_ context.Context, err error) { reported = err })
	_, err := invoke.Call[question, answer](t.Context(), h, question{})
	if fault.CodeOf(err) != fault.Internal || strings.Contains(err.Error(), "index out of range") {
		t.Errorf("a panic arrives as %v, want an Internal error without its text", err)
	}
	if reported == nil || !strings.Contains(reported.Error(), "index out of range") || !strings.Contains(reported.Error(), "envelope_test.go") {
		t.Errorf("onError got %v, want the panic and where it was", reported)
	}
}

func TestHandle_RejectsPayloadsThatItCannotDecodeCompletely(t *testing.T) {
	ran := false
	h := invoke.Handle(func(context.Context, question) (answer, error) { ran = true; return answer{}, nil }, ignore)
	for name, payload := range map[string]string{
		"nothing":               ``,
		"no JSON":               `id=1`,
		"half of it":            `{"id":`,
		"an unknown field":      `{"id":1,"idd":2}`,
		"another type":          `{"id":"one"}`,
		"a list":                `[1]`,
		"something after it":    `{"id":1}{"id":2}`,
		"a bracket after it":    `{"id":1}]`,
		"a number out of range": `{"id":1e400}`,
	} {
		if reply, err := h(t.Context(), []byte(payload)); fault.CodeOf(err) != fault.Internal || ran {
			t.Errorf("%s: reply %s, error %v, ran %v; want an Internal error before the work", name, reply, err, ran)
		}
	}
}

func TestCall_RejectsAnUnexpectedReply(t *testing.T) {
	for name, reply := range map[string]string{
		"nothing":                        ``,
		"null":                           `null`,
		"an empty object":                `{}`,
		"a Lambda error":                 `{"errorMessage":"x","errorType":"y"}`,
		"half an answer":                 `{"value":{"rows":1`,
		"an answer of another kind":      `{"value":[]}`,
		"an answer with another field":   `{"value":{"rowz":1}}`,
		"the answer without an envelope": `{"rows":1}`,
		"two answers":                    `{"value":{"rows":1}}{"value":{"rows":2}}`,
		"an error without a code":        `{"error":{"message":"no"}}`,
		"an HTML page":                   `<html>`,
	} {
		handler := func(context.Context, []byte) ([]byte, error) { return []byte(reply), nil }
		if got, err := invoke.Call[question, answer](t.Context(), handler, question{}); fault.CodeOf(err) != fault.Internal {
			t.Errorf("%s: answer %+v, error %v; want an Internal error", name, got, err)
		}
	}
}

func TestCall_FailsForAValueThatIsNotJSON(t *testing.T) {
	handler := func(context.Context, []byte) ([]byte, error) { t.Error("the handler was called"); return nil, nil }
	if _, err := invoke.Call[func(), answer](t.Context(), handler, func() {}); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a question that is not JSON returned %v, want an Internal error", err)
	}
	h := invoke.Handle(func(context.Context, question) (func(), error) { return func() {}, nil }, ignore)
	if _, err := h(t.Context(), []byte(`{}`)); fault.CodeOf(err) != fault.Internal {
		t.Errorf("an answer that is not JSON returned %v, want an Internal error", err)
	}
}

func TestInProcess_EncodesUnitAndTotals(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		unit := plan.Unit{TaskID: "td_1", Phase: "compare", Index: rapid.Int().Draw(rt, "index"), To: 3, Chunks: []int{1}, Rows: []int64{1 << 60}}
		totals := plan.Totals{To: 3, Range: table.Range{Hi: table.Key{rapid.String().Draw(rt, "bound")}}, Keys: rapid.Int64().Draw(rt, "keys")}
		var got plan.Unit
		p := invoke.NewInProcess(invoke.Handle(func(_ context.Context, u plan.Unit) (plan.Totals, error) {
			got = u
			return totals, nil
		}, ignore))
		back, err := p.Invoke(t.Context(), unit)
		if err != nil || got.Index != unit.Index || got.Rows[0] != 1<<60 {
			rt.Fatalf("unit %+v arrived as %+v, error %v", unit, got, err)
		}
		if back.Keys != totals.Keys || back.Range.Hi[0] != totals.Range.Hi[0] || back.Range.Lo != nil {
			rt.Fatalf("totals %+v came back as %+v", totals, back)
		}
	})
}

func FuzzHandle(f *testing.F) {
	for _, seed := range []string{`{"id":1}`, `{"id":1,"x":2}`, `{}`, `null`, `{"id":1} `, "{\"id\":1}\n", `{"id":1}x`, ``} {
		f.Add([]byte(seed))
	}
	h := answering(answer{Rows: 1}, nil)
	f.Fuzz(func(t *testing.T, payload []byte) {
		reply, err := h(t.Context(), payload)
		if err == nil && !bytes.Equal(reply, []byte(`{"value":{"rows":1}}`)) {
			t.Errorf("payload %q is answered with %s", payload, reply)
		}
		if err != nil && fault.CodeOf(err) != fault.Internal {
			t.Errorf("payload %q is refused with %v", payload, err)
		}
	})
}
