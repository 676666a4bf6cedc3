// Package visible makes text safe to look at. Values, names and messages of servers can
// contain characters that move the cursor, write to the clipboard, reorder a line or hide
// a part of it. The package replaces these characters by escapes that a reader sees, such
// as \x1b and \u202e. It never removes a character. The package imports only the standard
// library.
package visible

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// IsUnsafe reports whether a terminal or an editor may not show a character as one mark
// on its line: control characters (C0, DEL and C1), characters that format text (such as
// the bidirectional and zero-width ones), and separators of lines.
func IsUnsafe(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// Line returns text as one line. It escapes newlines, too, and writes a byte that is not
// UTF-8 as the escape \ufffd.
func Line(text string) string {
	return escape(text, func(r rune) bool { return IsUnsafe(r) || r == utf8.RuneError })
}

// Block returns text of several lines. It is like Line, but keeps newlines and tabs. Each
// line after the first begins with indent unless it begins with a space, so that it
// cannot be read as a message of its own.
func Block(text, indent string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = escape(line, func(r rune) bool { return r != '\t' && (IsUnsafe(r) || r == utf8.RuneError) })
		if i > 0 && line != "" && line[0] != ' ' {
			line = indent + line
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

func escape(text string, unsafe func(rune) bool) string {
	if strings.IndexFunc(text, unsafe) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unsafe(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// JSON returns a JSON text that has the same meaning as raw and in which unsafe
// characters are escaped. A valid JSON text has them only in strings, apart from the
// white space, which it keeps.
func JSON(raw []byte) []byte {
	if !mayNeedEscape(raw) {
		return raw
	}
	out := make([]byte, 0, len(raw)+64)
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		switch {
		case r < ' ' || !IsUnsafe(r):
			out = append(out, raw[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		raw = raw[size:]
	}
	return out
}

// mayNeedEscape reports whether raw has a byte that is not ASCII, or DEL. Most texts have
// none.
func mayNeedEscape(raw []byte) bool {
	for _, b := range raw {
		if b >= 0x7f {
			return true
		}
	}
	return false
}

// JSONWriter returns a writer that applies JSON to what is written to it. Each Write must
// have whole characters.
func JSONWriter(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ out io.Writer }

func (w jsonWriter) Write(p []byte) (int, error) {
	if _, err := w.out.Write(JSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Writer escapes the text that is written to it, as Block does without an indent. A
// character may be split between two calls of Write; Close writes an incomplete last
// character.
type Writer struct {
	out  io.Writer
	rest []byte // the beginning of a character
}

// NewWriter returns a writer that writes to out. The caller must call Close.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Write writes p up to the last whole character.
func (w *Writer) Write(p []byte) (int, error) {
	text := append(w.rest, p...)
	whole := len(text)
	for i := max(0, len(text)-utf8.UTFMax+1); i < len(text); i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			whole = i
			break
		}
	}
	w.rest = bytes.Clone(text[whole:])
	if _, err := io.WriteString(w.out, Block(string(text[:whole]), "")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what is left. It does not close the writer below.
func (w *Writer) Close() error {
	_, err := io.WriteString(w.out, Line(string(w.rest)))
	w.rest = nil
	return err
}
