package cluster

import (
	"fmt"
	"io"
	"log/slog"
)

const hidden = "****"

// Secret is a text that never shows itself in a log, an error or JSON. Keep it in exported fields only: package fmt
// prints an unexported field without asking its methods.
type Secret string

// Reveal gives the text itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the text.
func (Secret) String() string { return hidden }

// GoString hides the text.
func (Secret) GoString() string { return hidden }

// Format hides the text under every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the text.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the text, in JSON too.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
