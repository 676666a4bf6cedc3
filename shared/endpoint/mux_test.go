package endpoint_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/endpoint"
	"ace/shared/fault"
)

func newMux(t *testing.T, endpoints ...endpoint.Endpoint) *endpoint.Mux {
	t.Helper()
	mux, _ := loggedMux(t, endpoints...)
	return mux
}

// loggedMux returns a mux and its log.
func loggedMux(t *testing.T, endpoints ...endpoint.Endpoint) (*endpoint.Mux, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	mux, err := endpoint.New(endpoint.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, endpoints...)
	if err != nil {
		t.Fatal(err)
	}
	return mux, &log
}

const internal = `{"error":"internal error; the server's log has the details"}` + "\n"

func TestHandle_AnUnknownErrorIsLoggedOnceAndHiddenFromTheUser(t *testing.T) {
	mux, log := loggedMux(t, endpoint.JSON(api.RouteTaskStatus, func(p api.Params) (string, error) { return p.Arg(), nil },
		func(context.Context, string) (api.TaskStatus, error) {
			return api.TaskStatus{}, errors.New("disk on fire")
		}))
	resp := mux.Handle(caller.AsService(t.Context()), request("/ace/task-status/td_20240315_123456", "table_filter=secret"))
	if resp.Status != 500 || string(resp.Body) != internal {
		t.Errorf("got %d %s", resp.Status, resp.Body)
	}
	text := log.String()
	for _, want := range []string{"disk on fire", "/ace/task-status/td_20240315_123456", "task_id=td_20240315_123456", "level=ERROR"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q: %s", want, text)
		}
	}
	if strings.Contains(text, "secret") || strings.Count(text, "\n") != 1 {
		t.Errorf("the log holds the query string or more than one line: %s", text)
	}
}

func TestHandle_APanicIsAnInternalErrorWithItsStackInTheLog(t *testing.T) {
	mux, log := loggedMux(t, endpoint.JSON(api.RouteHealth, api.DecodeHealth,
		func(context.Context, api.HealthRequest) (api.Health, error) { panic("out of cheese") }))
	resp := mux.Handle(t.Context(), request("/healthz", ""))
	if resp.Status != 500 || string(resp.Body) != internal {
		t.Errorf("got %d %s", resp.Status, resp.Body)
	}
	if text := log.String(); strings.Count(text, "out of cheese") != 1 || !strings.Contains(text, "mux_test.go") {
		t.Errorf("the log lacks the panic or its stack: %s", text)
	}
}

func TestHandle_AnAnswerThatCannotBeEncodedIsAnInternalError(t *testing.T) {
	mux, log := loggedMux(t, endpoint.JSON(api.RouteHealth, api.DecodeHealth,
		func(context.Context, api.HealthRequest) (float64, error) { return math.NaN(), nil }))
	resp := mux.Handle(t.Context(), request("/healthz", ""))
	if resp.Status != 500 || string(resp.Body) != internal || !strings.Contains(log.String(), "NaN") {
		t.Errorf("got %d %s, log %s", resp.Status, resp.Body, log)
	}
}

func TestHandle_ErrorsOfTheUserAreNotLogged(t *testing.T) {
	mux, log := loggedMux(t, failing(fault.New(fault.Conflict, "busy")))
	mux.Handle(t.Context(), request("/healthz", ""))
	mux.Handle(t.Context(), request("/nowhere", ""))
	if log.Len() > 0 {
		t.Errorf("logged: %s", log)
	}
}

func TestNew_RejectsTwoEndpointsOnOneRoute(t *testing.T) {
	if _, err := endpoint.New(endpoint.Options{}, failing(nil), failing(nil)); err == nil {
		t.Error("two endpoints on one route are accepted")
	}
}
