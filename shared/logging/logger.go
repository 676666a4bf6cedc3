// Package logging sets up what the service says about itself while it runs. It holds no state: a logger is made once, by
// the composition root, and handed to those who log.
package logging

import (
	"io"
	"log/slog"

	"ace/shared/fault"
)

// New returns a logger that writes records of at least this level to w, as JSON if format is "json", else as text.
// Times are UTC.
func New(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: replace}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// replace writes times in UTC, and long texts shortened. The text of an error is bounded where it is made, but for that
// of a panic, which has a stack.
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
