package endpoint

import (
	"context"
	"log/slog"
	"time"

	"ace/shared/api"
	"ace/shared/caller"
)

// The requests that a RequestLog logs.
const (
	LogAll     = "all"     // every request
	LogChanges = "changes" // requests that start or change something, or that failed
	LogNone    = "none"
)

// RequestLog logs one line for each request: who sent it, what it was about, and how it
// ended. A line has no parameter of the request, because a table_filter may hold data,
// and no token. It has the path only as the pattern of its route.
type RequestLog struct {
	log   *slog.Logger
	which string
}

// NewRequestLog returns a RequestLog that logs to log. which is LogAll, LogChanges or
// LogNone.
func NewRequestLog(log *slog.Logger, which string) *RequestLog { return &RequestLog{log, which} }

// Trace collects what the line about a request contains. Only the goroutine that handles
// the request uses it.
type Trace struct {
	Identity caller.Identity
	Route    string // the pattern of the path; "" if there is no such path
	TaskID   string // the task that the request was about, or that it started
	Changes  bool   // the request starts or changes something

	begun time.Time
}

type traceKey struct{}

// Begin returns the context in which a request must be handled, and its Trace.
func (l *RequestLog) Begin(ctx context.Context) (context.Context, *Trace) {
	t := &Trace{begun: time.Now()}
	return context.WithValue(ctx, traceKey{}, t), t
}

// TraceOf returns the Trace of the request. If nothing logs the request, the Trace is a
// new one that is not used.
func TraceOf(ctx context.Context) *Trace {
	if t, ok := ctx.Value(traceKey{}).(*Trace); ok {
		return t
	}
	return &Trace{}
}

// End logs a request that was answered with status.
func (l *RequestLog) End(ctx context.Context, t *Trace, method string, status int) {
	if l.which == LogNone || l.which == LogChanges && !t.Changes && status < 400 {
		return
	}
	route := t.Route
	if route == "" {
		route = "unknown"
	}
	by := t.Identity.RequestedBy
	attrs := []slog.Attr{slog.String("caller", by.Caller), slog.String("from", by.From), slog.String("via", by.Via)}
	attrs = append(attrs,
		slog.String("method", caller.Clean(method)), slog.String("route", route), slog.Int("status", status),
		slog.Duration("duration", time.Since(t.begun).Round(time.Microsecond)))
	if t.TaskID != "" {
		attrs = append(attrs, slog.String("task_id", t.TaskID))
	}
	l.log.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
}

// Note records in the Trace of a request its route and task id, and whether it changes
// something.
func (m *Mux) Note(ctx context.Context, req Request) {
	e, arg, err := m.find(req.Path)
	if err != nil {
		return
	}
	t := TraceOf(ctx)
	if t.Route == "" {
		t.Route = string(e.Route)
	}
	t.Changes = t.Changes || m.Changes(req.Method, req.Path)
	if id, err := api.ParseTaskID(arg); err == nil && t.TaskID == "" {
		t.TaskID = id
	}
}
