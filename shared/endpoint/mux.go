package endpoint

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"ace/shared/api"
	"ace/shared/fault"
)

const defaultBodyLimit = 1 << 20

// Options are what a Mux may be told. The zero value is usable.
type Options struct {
	Logger    *slog.Logger // nil is slog.Default()
	BodyLimit int          // bytes; 0 is 1 MiB
}

// Mux finds the endpoint for a request. It may be used concurrently.
type Mux struct {
	endpoints []Endpoint
	log       *slog.Logger
	bodyLimit int
}

// New makes a Mux. Two endpoints on one route are an error.
func New(opts Options, endpoints ...Endpoint) (*Mux, error) {
	seen := make(map[api.Route]bool, len(endpoints))
	for _, e := range endpoints {
		if seen[e.Route] {
			return nil, fault.New(fault.Internal, "route %s has two endpoints", e.Route)
		}
		seen[e.Route] = true
	}
	m := &Mux{endpoints: slices.Clone(endpoints), log: opts.Logger, bodyLimit: opts.BodyLimit}
	if m.log == nil {
		m.log = slog.Default()
	}
	if m.bodyLimit == 0 {
		m.bodyLimit = defaultBodyLimit
	}
	return m, nil
}

// BodyLimit is the most bytes a request body may have. A transport need not read further than one byte more.
func (m *Mux) BodyLimit() int { return m.bodyLimit }

// Streams says whether the body of such a request is read as a stream, and how many bytes it may have. A transport that
// cannot stream reads the body as any other.
func (m *Mux) Streams(method, path string) (maxBody int64, ok bool) {
	e, _, err := m.find(path)
	return e.MaxBody, err == nil && method == "POST" && e.Receive != nil
}

// Changes reports whether such a request starts or changes something. Where it leads to no endpoint it does not.
func (m *Mux) Changes(method, path string) bool {
	e, _, err := m.find(path)
	return err == nil && (!e.Route.IsReadOnly() || method == "POST" && e.Receive != nil)
}

// Handle answers a request. It does not panic and starts nothing that outlives it.
func (m *Mux) Handle(ctx context.Context, req Request) (resp Response) {
	defer func() {
		if cause := recover(); cause != nil {
			err := fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
			resp = m.Fail(ctx, req, err)
		}
	}()
	answer, err := m.serve(ctx, req)
	if err != nil {
		return m.Fail(ctx, req, err)
	}
	if file, ok := answer.(*api.File); ok {
		return Response{Status: 200, Header: headers(file.ContentType), File: file}
	}
	body, err := encode(answer)
	if err != nil {
		return m.Fail(ctx, req, err)
	}
	return Response{Status: 200, Header: headers(contentTypeJSON), Body: body}
}

// Fail is the answer to a request that ended with this error. What the user cannot help is logged, here and only here.
func (m *Mux) Fail(ctx context.Context, req Request, err error) Response {
	resp := ErrorResponse(err)
	if resp.Status == 405 {
		e, _, _ := m.find(req.Path) // a path without an endpoint is not found, whatever the method
		resp.Header["Allow"] = allowedMethods(e.Route)
	}
	if resp.Status >= 500 {
		m.logFailure(ctx, req, err)
	}
	return resp
}

// serve finds the endpoint and gives its answer.
func (m *Mux) serve(ctx context.Context, req Request) (any, error) {
	endpoint, arg, err := m.find(req.Path)
	if err != nil {
		return nil, err
	}
	if _, ok := m.Streams(req.Method, req.Path); ok {
		return receive(ctx, endpoint, req)
	}
	if err := m.check(req, endpoint.Route); err != nil {
		return nil, err
	}
	params, err := api.ParseParams(req.RawQuery, req.Header.Get("Content-Type"), req.Body)
	if err != nil {
		return nil, err
	}
	return endpoint.Serve(ctx, params.WithArg(arg))
}

// receive hands the body on unread.
func receive(ctx context.Context, endpoint Endpoint, req Request) (any, error) {
	params, err := api.ParseParams(req.RawQuery, "", nil)
	if err != nil {
		return nil, err
	}
	if coding := req.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return nil, fault.New(fault.Invalid, "Content-Encoding is %.40q, allowed is none", coding)
	}
	body := req.Stream
	if body == nil {
		if int64(len(req.Body)) > endpoint.MaxBody {
			return nil, api.BodyTooLarge(endpoint.MaxBody)
		}
		body = bytes.NewReader(req.Body)
	}
	return endpoint.Receive(ctx, params, body)
}

func (m *Mux) find(path string) (Endpoint, string, error) {
	for _, e := range m.endpoints {
		if arg, ok := e.Route.Match(path); ok {
			return e, arg, nil
		}
	}
	hint := ""
	if near := api.NearestRoute(path); near != "" {
		hint = fmt.Sprintf(", did you mean %s?", near)
	}
	return Endpoint{}, "", fault.New(fault.NotFound, "there is no path %.100q%s", path, hint)
}

// check looks at the method and the body. A body where nobody would read it is refused: a filter in it that had no
// effect would compare everything.
func (m *Mux) check(req Request, route api.Route) error {
	switch {
	case req.Method == "POST":
	case req.Method == "GET", req.Method == "HEAD" && route.IsReadOnly():
		if len(req.Body) > 0 {
			return fault.New(fault.Invalid,
				"a %s request has its parameters in the query string and no body; send a body with POST", req.Method)
		}
	default:
		return fault.New(fault.Method, "method %.20q is not supported, allowed are %s", req.Method, allowedMethods(route))
	}
	if len(req.Body) > m.bodyLimit {
		return api.BodyTooLarge(int64(m.bodyLimit))
	}
	return nil
}

func allowedMethods(route api.Route) string {
	if route.IsReadOnly() {
		return "GET, HEAD, POST"
	}
	return "GET, POST"
}

// logFailure never logs the query string: a table_filter may hold data.
func (m *Mux) logFailure(ctx context.Context, req Request, err error) {
	attrs := []slog.Attr{
		slog.String("method", req.Method),
		slog.String("path", req.Path),
		slog.String("code", string(fault.CodeOf(err))),
		slog.Any("error", err),
	}
	if id := m.taskID(req.Path); id != "" {
		attrs = append(attrs, slog.String("task_id", id))
	}
	level := slog.LevelError
	if fault.Retryable(err) {
		level = slog.LevelWarn
	}
	m.log.LogAttrs(ctx, level, "request failed", attrs...)
}

// taskID is the task id in the path, "" if there is none.
func (m *Mux) taskID(path string) string {
	_, arg, err := m.find(path)
	if err != nil {
		return ""
	}
	id, err := api.ParseTaskID(arg)
	if err != nil {
		return ""
	}
	return id
}
