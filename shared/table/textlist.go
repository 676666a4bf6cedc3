package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"
)

// The functions of this file write and read keys and rows as JSON lists of strings and
// nulls. Keys and rows have this form in the parts of a task, and a part can contain as
// many of them as the table has rows. encoding/json can read what these functions write,
// and they can read what encoding/json writes. They are faster than a library because
// most texts need no escape in JSON: BENCHMARKS.md has the figures.

// AppendRow appends the row to out as a JSON list; a nil value becomes null.
func AppendRow(out []byte, row Row) []byte {
	out = append(out, '[')
	for i, text := range row {
		if i > 0 {
			out = append(out, ',')
		}
		if text == nil {
			out = append(out, "null"...)
			continue
		}
		out = appendText(out, *text)
	}
	return append(out, ']')
}

// AppendKey appends the key to out as a JSON list.
func AppendKey(out []byte, key Key) []byte {
	out = append(out, '[')
	for i, text := range key {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(out, text)
	}
	return append(out, ']')
}

// appendText appends text to out as a JSON string. The same text must always become the
// same bytes, because a rerun stores the SHA-256 of the bytes that these functions write
// for its keys.
func appendText(out []byte, text string) []byte {
	if !needsNoEscape(text) {
		quoted, _ := json.Marshal(text) // marshalling a string cannot fail
		return append(out, quoted...)
	}

	out = append(out, '"')
	out = append(out, text...)
	return append(out, '"')
}

// needsNoEscape reports whether the JSON string of a text is the text itself between
// quotes. It is true for valid UTF-8 without quotes, backslashes and control characters.
func needsNoEscape(text string) bool {
	ascii := true
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c == '"' || c == '\\':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(text)
}

var errList = errors.New("it is not a JSON list of strings")

// ReadRow reads the row at the beginning of raw, and returns the bytes that follow the
// row. All texts without an escape share one allocation.
func ReadRow(raw []byte) (row Row, rest []byte, err error) {
	elements, end := scanList(raw, make([]listElement, 0, 16))
	if end < 0 {
		return nil, nil, errList
	}

	all := string(raw[:end])
	texts := make([]string, len(elements))
	row = make(Row, len(elements))
	for i, e := range elements {
		if e.isNull {
			continue
		}
		texts[i] = all[e.from+1 : e.to-1] // without the quotes
		if e.isEscaped {
			if err := json.Unmarshal(raw[e.from:e.to], &texts[i]); err != nil {
				return nil, nil, err
			}
		}
		row[i] = &texts[i]
	}
	return row, raw[end:], nil
}

// ReadKey reads the key in raw. It returns an error if a value is null or if any bytes
// follow the list.
func ReadKey(raw []byte) (Key, error) {
	row, rest, err := ReadRow(raw)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 || slices.Contains(row, nil) {
		return nil, errList
	}

	key := make(Key, len(row))
	for i, text := range row {
		key[i] = *text
	}
	return key, nil
}

// listElement is an element of a JSON list: null, or a string with its quotes. from is
// the position of the element's first byte, and to the position of the byte after its
// last one.
type listElement struct {
	from, to  int
	isNull    bool
	isEscaped bool // encoding/json must decode the string: it has escapes or invalid characters
}

// scanList reads the list at the beginning of raw. It returns elements with the elements
// of the list appended, and the position after the list. The position is negative if raw
// does not begin with a list of strings and nulls.
func scanList(raw []byte, elements []listElement) ([]listElement, int) {
	if len(raw) < 2 || raw[0] != '[' {
		return nil, -1
	}
	if raw[1] == ']' {
		return elements, 2
	}

	for at := 0; at < len(raw); {
		e := listElementAt(raw, at+1) // the element begins after the bracket or comma at this position
		if e.to < 0 || e.to == len(raw) {
			break
		}
		elements = append(elements, e)
		at = e.to
		if raw[at] == ']' {
			return elements, at + 1
		}
		if raw[at] != ',' {
			break
		}
	}
	return nil, -1
}

// listElementAt returns the element that begins at the position at of raw. If no complete
// element begins there, the field to of the result is negative.
func listElementAt(raw []byte, at int) listElement {
	e := listElement{from: at, to: -1}
	if bytes.HasPrefix(raw[at:], []byte("null")) {
		e.to = at + len("null")
		e.isNull = true
		return e
	}
	if at == len(raw) || raw[at] != '"' {
		return e
	}

	isASCII := true
	for i := at + 1; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			e.to = i + 1
			e.isEscaped = e.isEscaped || !isASCII && !utf8.Valid(raw[at+1:i])
			return e
		case c == '\\':
			e.isEscaped = true
			i++ // the escaped character may be a quote
		case c < ' ':
			e.isEscaped = true // encoding/json returns the error
		case c >= utf8.RuneSelf:
			isASCII = false
		}
	}
	return e
}
