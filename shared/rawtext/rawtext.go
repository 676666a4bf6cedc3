// Package rawtext converts any sequence of bytes to valid UTF-8 text, and converts such a
// text back to the bytes. A database with the encoding SQL_ASCII stores bytes that may be
// invalid in every encoding, but parts and documents, in which keys and values are
// stored, are UTF-8.
//
// A byte that is not part of valid UTF-8 is written as U+FDD0 followed by two lower-case
// hexadecimal digits. Unicode reserves U+FDD0 for internal use by programs. U+FDD0 itself
// is written as its three bytes, each in that form. So two different sequences of bytes
// never have the same text.
package rawtext

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Mark is the prefix of an escaped byte.
const Mark = "\uFDD0"

const (
	markStart = 0xEF // the first byte of Mark
	hexDigits = "0123456789abcdef"
)

// IsPlain reports whether the bytes need no escape: they are valid UTF-8 without Mark.
func IsPlain(raw []byte) bool {
	if bytes.IndexByte(raw, markStart) >= 0 && bytes.Contains(raw, []byte(Mark)) {
		return false
	}
	return utf8.Valid(raw)
}

// Text returns the bytes as valid UTF-8 text. It escapes bytes where necessary.
func Text(raw []byte) string {
	if IsPlain(raw) {
		return string(raw)
	}
	return escape(raw)
}

// escape returns the text of bytes for which IsPlain is false.
func escape(raw []byte) string {
	var b strings.Builder
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		if r == utf8.RuneError && size == 1 || string(raw[:size]) == Mark {
			for _, c := range raw[:size] {
				b.WriteString(Mark)
				b.WriteByte(hexDigits[c>>4])
				b.WriteByte(hexDigits[c&15])
			}
		} else {
			b.Write(raw[:size])
		}
		raw = raw[size:]
	}
	return b.String()
}

// Bytes returns the bytes that a text stands for. It is the inverse of Text. A Mark that
// is not followed by two hexadecimal digits is not an escape.
func Bytes(text string) string {
	if !strings.Contains(text, Mark) {
		return text
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, Mark)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if c, ok := readByte(after); ok {
			b.WriteByte(c)
			text = after[2:]
			continue
		}
		b.WriteString(Mark)
		text = after
	}
}

// readByte returns the byte that the two hexadecimal digits at the start of text stand
// for. It returns false if text does not begin with two such digits.
func readByte(text string) (byte, bool) {
	if len(text) < 2 {
		return 0, false
	}
	high, low := strings.IndexByte(hexDigits, text[0]), strings.IndexByte(hexDigits, text[1])
	return byte(high<<4 | low&15), high >= 0 && low >= 0
}
