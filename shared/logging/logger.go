// Package logging creates the service's logger. It holds no state: the program creates
// one logger and passes it to the packages that log.
package logging

import (
	"io"
	"log/slog"

	"ace/shared/fault"
	"ace/shared/taskid"
	"ace/shared/visible"
)

// New returns a logger that writes records of at least the given level to w, as JSON if
// format is "json", otherwise as text. Times are in UTC. Both formats escape the
// characters that could move the cursor of a terminal or forge a line. A line that is
// logged with the context of a task has the task's id.
func New(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: replace}
	if format == "json" {
		return slog.New(taskid.Handler(slog.NewJSONHandler(visible.JSONWriter(w), opts)))
	}
	return slog.New(taskid.Handler(slog.NewTextHandler(w, opts)))
}

// replace converts times to UTC and shortens long texts. The text of most errors has a
// bounded length, but the error for a panic contains a stack trace.
func replace(groups []string, attr slog.Attr) slog.Attr {
	switch {
	case len(groups) == 0 && attr.Key == slog.TimeKey:
		attr.Value = slog.TimeValue(attr.Value.Time().UTC())
	case attr.Value.Kind() == slog.KindString:
		attr.Value = slog.StringValue(fault.Short(attr.Value.String()))
	case attr.Value.Kind() == slog.KindAny:
		if err, ok := attr.Value.Any().(error); ok {
			attr.Value = slog.StringValue(fault.LogText(err))
		}
	}
	return attr
}
