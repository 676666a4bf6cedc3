package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/fault"
)

const defaultBodyLimit = 1 << 20

// Options configure a Mux. The zero value is usable.
type Options struct {
	Logger    *slog.Logger // nil means slog.Default()
	BodyLimit int          // maximum number of bytes of a body; 0 means 1 MiB
	// Refused is called for each request that its caller may not make. It may be nil. action
	// is the name of the operation, such as table-repair.
	Refused func(ctx context.Context, action string, refusal *caller.RefusalError)
}

// Mux dispatches requests to endpoints. It is safe for concurrent use.
type Mux struct {
	endpoints []Endpoint
	log       *slog.Logger
	bodyLimit int
	refused   func(ctx context.Context, action string, refusal *caller.RefusalError)
}

// New returns a Mux of the endpoints. It returns an error if two endpoints have the same
// route.
func New(opts Options, endpoints ...Endpoint) (*Mux, error) {
	seen := make(map[api.Route]bool, len(endpoints))
	for _, e := range endpoints {
		if seen[e.Route] {
			return nil, fault.New(fault.Internal, "route %s has two endpoints", e.Route)
		}
		seen[e.Route] = true
	}

	m := &Mux{endpoints: slices.Clone(endpoints), log: opts.Logger, bodyLimit: opts.BodyLimit, refused: opts.Refused}
	if m.log == nil {
		m.log = slog.Default()
	}

	if m.bodyLimit == 0 {
		m.bodyLimit = defaultBodyLimit
	}
	return m, nil
}

// BodyLimit returns the maximum number of bytes of a request body. A transport need not
// read more than one byte beyond it, because with that byte the Mux already refuses the
// request.
func (m *Mux) BodyLimit() int { return m.bodyLimit }

// Streams reports whether the endpoint reads the body of such a request as a stream, and
// returns the maximum number of bytes of the body. A transport that cannot stream may set
// Request.Body instead.
func (m *Mux) Streams(method, path string) (maxBody int64, ok bool) {
	e, _, err := m.find(path)
	return e.MaxBody, err == nil && method == methodPost && e.Receive != nil
}

// Changes reports whether a request with this method and path starts or changes
// something. It returns false if there is no endpoint for the path.
func (m *Mux) Changes(method, path string) bool {
	e, _, err := m.find(path)
	return err == nil && (!e.Route.IsReadOnly() || method == methodPost && e.Receive != nil)
}

// Handle answers a request. ctx must carry the caller of the request (see package
// caller); otherwise only the routes that need no right are served. It does not panic,
// and it starts no goroutine that outlives the call.
func (m *Mux) Handle(ctx context.Context, req Request) (resp Response) {
	defer func() {
		if cause := recover(); cause != nil {
			err := fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
			resp = m.Fail(ctx, req, err)
		}
	}()

	m.Note(ctx, req)
	answer, err := m.answer(ctx, req)
	if err != nil {
		return m.Fail(ctx, req, err)
	}

	if submitted, ok := answer.(api.Submitted); ok {
		TraceOf(ctx).TaskID = submitted.TaskID
	}

	if file, ok := answer.(*api.File); ok {
		return Response{Status: statusOK, Header: headers(file.ContentType), File: file}
	}
	if stream, ok := answer.(*api.Stream); ok {
		return Response{Status: statusOK, Header: headers(stream.ContentType), Stream: stream}
	}

	body, err := encode(answer)
	if err != nil {
		return m.Fail(ctx, req, err)
	}
	return Response{Status: statusOK, Header: headers(contentTypeJSON), Body: body}
}

// Fail returns the response to a request that failed with err. It is the only function
// that logs errors with a status of 500 and above.
func (m *Mux) Fail(ctx context.Context, req Request, err error) Response {
	resp := ErrorResponse(err)
	if resp.Status == statusMethodNotAllowed {
		e, _, _ := m.find(req.Path) // cannot fail: the status is 405, and a path without an endpoint has the status 404
		resp.Header["Allow"] = allowedMethods(e.Route)
	}
	var refusal *caller.RefusalError
	if errors.As(err, &refusal) && m.refused != nil {
		m.refused(ctx, m.action(req.Path), refusal)
	}
	if resp.Status >= statusInternal {
		m.logFailure(ctx, req, err)
	}
	return resp
}

// action returns the name of the operation of a path, such as table-repair.
func (m *Mux) action(path string) string {
	e, _, _ := m.find(path) // the Mux has refused the request, so the path has an endpoint
	return e.Route.Name()
}

// checkRight returns an error if the caller of the request lacks the right that the route
// needs.
func checkRight(ctx context.Context, route api.Route, method string) error {
	right := route.Right(method)
	if right == api.RightNone {
		return nil
	}
	id, ok := caller.FromContext(ctx)
	if !ok {
		return fault.New(fault.Internal, "the transport has not identified the caller of the request")
	}
	return id.Check(right)
}

// answer calls the endpoint of the request and returns its answer.
func (m *Mux) answer(ctx context.Context, req Request) (any, error) {
	endpoint, arg, err := m.find(req.Path)
	if err != nil {
		return nil, err
	}

	if err := checkRight(ctx, endpoint.Route, req.Method); err != nil {
		return nil, err
	}

	if _, ok := m.Streams(req.Method, req.Path); ok {
		return answerStream(ctx, endpoint, req)
	}

	if err := m.checkMethodAndBody(req, endpoint.Route); err != nil {
		return nil, err
	}

	params, err := api.ParseParams(req.RawQuery, req.Header.Get("Content-Type"), req.Body)
	if err != nil {
		return nil, err
	}
	return endpoint.Serve(ctx, params.WithArg(arg))
}

// answerStream calls Receive with the body as a stream.
func answerStream(ctx context.Context, endpoint Endpoint, req Request) (any, error) {
	params, err := api.ParseParams(req.RawQuery, "", nil)
	if err != nil {
		return nil, err
	}

	if coding := req.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return nil, fault.New(fault.Invalid, "Content-Encoding is %.40q; the body must not be encoded", coding)
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

// checkMethodAndBody returns an error if the route does not support the method, if the
// body is too large, or if a GET or HEAD request has a body. Such a body would be
// ignored: a filter in it would have no effect, and the task would compare the whole
// table.
func (m *Mux) checkMethodAndBody(req Request, route api.Route) error {
	switch {
	case req.Method == methodPost: // a POST may have a body
	case req.Method == methodGet, req.Method == methodHead && route.IsReadOnly():
		if len(req.Body) > 0 {
			return fault.New(fault.Invalid,
				"a %s request must not have a body: put its parameters in the query string, or send them with POST", req.Method)
		}
	default:
		return fault.New(fault.Method, "method %.20q is not supported; use %s", req.Method, allowedMethods(route))
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

// logFailure logs a failed request. It does not log the query string, because a
// table_filter may hold data.
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

// taskID returns the task id in a path, or "" if there is none.
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
