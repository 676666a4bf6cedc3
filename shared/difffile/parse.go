package difffile

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	errDuplicate = errors.New("it appears twice")
	errNotObject = errors.New("it must be an object")
	errNotUTF8   = errors.New("a string is not valid UTF-8")
	errNUL       = errors.New(`a string has \u0000, which PostgreSQL's text cannot hold`)
	errSurrogate = errors.New("a string has an unpaired surrogate")
)

// eachMember calls fn for every member of an object, in order. value is the member's
// JSON. raw must be valid JSON, as checked by measure.
func eachMember(raw []byte, fn func(name string, value []byte) error) error {
	if raw[0] != '{' {
		return errNotObject
	}
	for rest := skipSpace(raw[1:]); rest[0] != '}'; {
		quoted := rest[:valueLen(rest)]
		name, err := unquote(quoted)
		if err != nil {
			return err
		}
		rest = skipSpace(rest[len(quoted):])
		rest = skipSpace(rest[1:]) // after the colon

		value := rest[:valueLen(rest)]
		if err := fn(name, value); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}

		rest = skipSpace(rest[len(value):])
		if rest[0] == ',' {
			rest = skipSpace(rest[1:])
		}
	}
	return nil
}

// eachUnique is like eachMember, but returns an error if a name appears twice.
func eachUnique(raw []byte, fn func(name string, value []byte) error) error {
	seen := make(map[string]bool)
	return eachMember(raw, func(name string, value []byte) error {
		if seen[name] {
			return errDuplicate
		}
		seen[name] = true
		return fn(name, value)
	})
}

// eachElement calls fn for every element of an array. raw must be valid JSON.
func eachElement(raw []byte, fn func(value []byte) error) error {
	if raw[0] != '[' {
		return errors.New("it must be an array")
	}
	for rest := skipSpace(raw[1:]); rest[0] != ']'; {
		value := rest[:valueLen(rest)]
		if err := fn(value); err != nil {
			return err
		}
		rest = skipSpace(rest[len(value):])
		if rest[0] == ',' {
			rest = skipSpace(rest[1:])
		}
	}
	return nil
}

func skipSpace(raw []byte) []byte { return bytes.TrimLeft(raw, " \t\r\n") }

// valueLen returns the length of the value at the beginning of raw, which must be valid
// JSON.
func valueLen(raw []byte) int {
	if n := measure(raw, 0); n > 0 {
		return n
	}
	return len(raw) // the value is a number that extends to the end of raw
}

// noDuplicates returns an error if a name appears twice in an object, at any depth. raw
// must be valid JSON.
func noDuplicates(raw []byte) error {
	switch raw[0] {
	case '{':
		return eachUnique(raw, func(_ string, value []byte) error { return noDuplicates(value) })
	case '[':
		return eachElement(raw, noDuplicates)
	}
	return nil
}

// unquote returns the text of a valid JSON string. Unlike encoding/json, it does not
// replace invalid UTF-8 or an unpaired surrogate, but returns an error. So two different
// keys never become equal.
func unquote(quoted []byte) (string, error) {
	body, escaped, err := stringBody(quoted)
	if err != nil {
		return "", err
	}
	return unescape(body, escaped)
}

// stringBody returns the bytes between the quotes of a valid JSON string, and whether
// they contain escapes. The body is never nil.
func stringBody(quoted []byte) (body []byte, escaped bool, err error) {
	body = quoted[1 : len(quoted)-1]
	if !utf8.Valid(body) {
		return nil, false, errNotUTF8
	}
	return body, bytes.IndexByte(body, '\\') >= 0, nil
}

// unescape returns the text that the body of a JSON string represents.
func unescape(body []byte, escaped bool) (string, error) {
	if !escaped {
		return string(body), nil
	}
	out, err := appendUnescaped(make([]byte, 0, len(body)), body)
	return string(out), err
}

// appendUnescaped appends the text that the body of a JSON string represents.
func appendUnescaped(out, body []byte) ([]byte, error) {
	for next := bytes.IndexByte(body, '\\'); next >= 0; next = bytes.IndexByte(body, '\\') {
		out = append(out, body[:next]...)
		r, n, err := readEscape(body[next:])
		if err != nil {
			return out, err
		}
		out = utf8.AppendRune(out, r)
		body = body[next+n:]
	}
	return append(out, body...), nil
}

// checkText checks the next bytes of a JSON string, after its opening quote. n is the
// number of bytes at the beginning of b that were checked. It is less than len(b) if b
// ends within a character or an escape, or has bytes after the closing quote. done
// reports that the last checked byte is the closing quote.
func checkText(b []byte) (n int, done bool, err error) {
	for n < len(b) {
		end := nextSpecial(b, n)
		for end < len(b) && b[end] >= ' ' && b[end] != '"' && b[end] != '\\' {
			end++
		}

		run := b[n:end]
		if end == len(b) {
			run = run[:wholeCharacters(run)]
		}
		if !utf8.Valid(run) {
			return n, false, errNotUTF8
		}
		n += len(run)
		if end == len(b) {
			return n, false, nil
		}
		if b[end] == '"' {
			return n + 1, true, nil
		}

		escape, err := checkEscape(b[end:])
		if escape <= 0 || err != nil {
			return n, false, err
		}
		n += escape
	}
	return n, false, nil
}

// checkEscape returns the length of the escape at the beginning of b. It returns
// incomplete if b may end within the escape: the caller must then read more bytes and
// call it again. It returns an error if b begins with a control character or an invalid
// escape.
func checkEscape(b []byte) (int, error) {
	const pair = len(`\ud83d\ude00`)
	n := measureEscape(b)
	switch {
	case b[0] != '\\':
		return 0, fmt.Errorf("invalid character %q in a string", b[0])
	case n == malformed:
		return 0, errors.New("a string has an invalid escape")
	case n == incomplete || b[1] == 'u' && len(b) < pair && utf16.IsSurrogate(hex4(b[2:6])):
		return incomplete, nil
	}
	_, n, err := readEscape(b)
	return n, err
}

// wholeCharacters returns the length of text without an incomplete character at its end.
func wholeCharacters(text []byte) int {
	for n := len(text) - 1; n >= 0 && n > len(text)-utf8.UTFMax; n-- {
		if utf8.RuneStart(text[n]) {
			if !utf8.FullRune(text[n:]) {
				return n
			}
			break
		}
	}
	return len(text)
}

// readEscape returns the character of the escape at the beginning of s, and the length of
// the escape.
func readEscape(s []byte) (r rune, n int, err error) {
	switch s[1] {
	case 'b':
		return '\b', 2, nil
	case 'f':
		return '\f', 2, nil
	case 'n':
		return '\n', 2, nil
	case 'r':
		return '\r', 2, nil
	case 't':
		return '\t', 2, nil
	case 'u':
		return readUnicodeEscape(s)
	}
	return rune(s[1]), 2, nil
}

func readUnicodeEscape(s []byte) (r rune, n int, err error) {
	r = hex4(s[2:6])
	if r == 0 {
		return 0, 0, errNUL
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, nil
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if r = utf16.DecodeRune(r, hex4(s[8:12])); r != utf8.RuneError {
			return r, 12, nil
		}
	}
	return 0, 0, errSurrogate
}

func hex4(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits), 16, 16) // valid JSON has four hexadecimal digits here
	return rune(n)
}
