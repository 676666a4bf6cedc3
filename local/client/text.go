package client

import (
	"fmt"
	"io"

	"github.com/dustin/go-humanize"

	"ace/shared/visible"
)

// write writes text for people. It ignores errors, because they change nothing about the
// task.
func write(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

// writeLine writes a line for people. It escapes the line with safe.
func writeLine(w io.Writer, format string, args ...any) {
	write(w, safe(fmt.Sprintf(format, args...))+"\n")
}

// safe escapes the characters with which a value from a database or a server could move
// the cursor, change colors or reorder the text of a line.
func safe(text string) string { return visible.Line(text) }

// writeJSON writes an answer of the server. Its unsafe characters are escaped, which does
// not change its meaning.
func writeJSON(w io.Writer, raw []byte) { write(w, string(visible.JSON(raw))) }

// screen returns a writer to out for a text that need not be safe. If out is a terminal,
// the writer escapes the text; otherwise it writes each byte as it is. The caller must
// call done at the end.
func screen(out io.Writer) (w io.Writer, done func() error) {
	if !isTerminal(out) {
		return out, func() error { return nil }
	}
	escaping := visible.NewWriter(out)
	return escaping, escaping.Close
}

// cut returns text if it has at most the given number of characters. Otherwise it returns
// the beginning of text and an ellipsis, which together have this number of characters.
func cut(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

// countRows formats a number of rows: "1 row", "2 rows".
func countRows(n int64) string { return count(n, "row") }

// count formats a number of things: "1 finding", "2 findings".
func count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return humanize.Comma(n) + " " + thing + "s"
}
