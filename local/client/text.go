package client

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize"
)

// write writes text for people. It ignores errors, because they change nothing about the
// task.
func write(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

// writeLine writes a line for people. It escapes the line with safe.
func writeLine(w io.Writer, format string, args ...any) {
	write(w, safe(fmt.Sprintf(format, args...))+"\n")
}

// safe replaces the characters with which a value from a database or a server could move
// the cursor, change colors or reorder the text of a line: control characters and
// characters that format text. It writes them as a Go string does, such as \u202e.
func safe(text string) string {
	if strings.IndexFunc(text, isUnsafe) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if isUnsafe(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isUnsafe(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar
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
