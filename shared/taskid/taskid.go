// Package taskid stores the id of a task in the context of its work. The connections to
// the nodes and the log show it. It has no other effect.
package taskid

import (
	"context"
	"log/slog"
)

type key struct{}

// With returns a context for work on a task.
func With(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, key{}, id)
}

// Of returns the id of the task that a context works for, or "" if there is none.
func Of(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string)
	return id
}

// Field is the name of the field of a log line that has the id.
const Field = "task_id"

// Handler returns a handler that adds the id of the context's task to each log line that
// has none.
func Handler(next slog.Handler) slog.Handler { return handler{next: next} }

// handler adds the id of a task to log lines.
type handler struct {
	next  slog.Handler
	known bool // the logger has the id already
}

// Enabled implements slog.Handler.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, line slog.Record) error {
	known := h.known
	line.Attrs(func(attr slog.Attr) bool {
		known = known || attr.Key == Field
		return !known
	})
	if id := Of(ctx); id != "" && !known {
		line = line.Clone()
		line.AddAttrs(slog.String(Field, id))
	}
	return h.next.Handle(ctx, line)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	known := h.known
	for _, attr := range attrs {
		known = known || attr.Key == Field
	}
	return handler{next: h.next.WithAttrs(attrs), known: known}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{next: h.next.WithGroup(name), known: h.known}
}
