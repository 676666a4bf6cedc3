package cluster

import (
	"fmt"
	"io"
	"log/slog"
)

const hidden = "****"

// Secret is a text that logs, errors and JSON do not show. Only an exported field may
// have this type: package fmt does not call the methods of unexported fields, and so
// would print the text.
type Secret string

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// String returns a placeholder.
func (Secret) String() string { return hidden }

// GoString returns a placeholder.
func (Secret) GoString() string { return hidden }

// Format writes a placeholder for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue returns a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns a placeholder, so encoding/json never writes the secret either.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
