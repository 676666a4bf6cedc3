// Package obs sets up what the service says about itself while it runs. It holds no state: a logger is made once, by
// the composition root, and handed to those who log.
package obs

import (
	"io"
	"log/slog"
)

// NewLogger makes a logger that writes records of at least this level to w, as JSON if format is "json", else as text.
// Times are UTC.
func NewLogger(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: inUTC}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

func inUTC(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.TimeKey {
		attr.Value = slog.TimeValue(attr.Value.Time().UTC())
	}
	return attr
}
