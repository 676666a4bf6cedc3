package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// The functions of this file write and read keys and rows as JSON lists of strings and
// nulls: the form they have in the parts of a task. A part can hold as many as the table
// has rows. The output is what encoding/json reads, and the other way round. It is faster
// than encoding/json because most texts need no escape in JSON.

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

func appendText(out []byte, text string) []byte {
	if !needsNoEscape(text) {
		quoted, _ := json.Marshal(text) // marshalling a string cannot fail
		return append(out, quoted...)
	}

	out = append(out, '"')
	out = append(out, text...)
	return append(out, '"')
}

// needsNoEscape reports whether a text is written in JSON as it is.
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

// ReadRow reads the row that raw begins with, and returns the bytes that follow it.
func ReadRow(raw []byte) (row Row, rest []byte, err error) {
	rest, err = readList(raw, func(text *string) { row = append(row, text) })
	return row, rest, err
}

// ReadKey reads a key. It returns an error if a value is null or if anything follows the
// list.
func ReadKey(raw []byte) (Key, error) {
	var key Key
	null := false
	rest, err := readList(raw, func(text *string) {
		if null = null || text == nil; !null {
			key = append(key, *text)
		}
	})
	if err == nil && (null || len(rest) > 0) {
		err = errList
	}
	return key, err
}

// readList calls each for every element of the list that raw begins with, and returns the
// bytes that follow the list. All texts without an escape share one allocation.
func readList(raw []byte, each func(*string)) ([]byte, error) {
	if len(raw) < 2 || raw[0] != '[' {
		return nil, errList
	}

	end, err := listEnd(raw)
	if err != nil {
		return nil, err
	}

	all := string(raw[:end])
	at := 1
	for at < end-1 {
		if at > 1 {
			if all[at] != ',' {
				return nil, errList
			}
			at++
		}
		if at+4 < end && all[at:at+4] == "null" {
			each(nil)
			at += 4
			continue
		}

		length, escaped := textAt(raw[at : end-1])
		if length < 0 {
			return nil, errList
		}
		text := all[at+1 : at+length-1]
		if escaped {
			if err := json.Unmarshal(raw[at:at+length], &text); err != nil {
				return nil, err
			}
		}
		each(&text)
		at += length
	}

	return raw[end:], nil
}

// listEnd returns the position after the bracket that closes the list.
func listEnd(raw []byte) (int, error) {
	for at := 1; at < len(raw); {
		switch raw[at] {
		case ']':
			return at + 1, nil
		case '"':
			length, _ := textAt(raw[at:])
			if length < 0 {
				return 0, errList
			}
			at += length
		default:
			at++
		}
	}
	return 0, errList
}

// textAt returns the length of the quoted text that raw begins with, or -1 if raw does
// not begin with one. escaped reports whether encoding/json must decode the text: it has
// escapes or invalid characters.
func textAt(raw []byte) (length int, escaped bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return -1, false
	}

	at := 1
	for {
		i := bytes.IndexByte(raw[at:], '"')
		if i < 0 {
			return -1, false
		}
		piece := raw[at : at+i]
		at += i + 1
		backslashes := len(piece) - len(bytes.TrimRight(piece, `\`))
		escaped = escaped || !needsNoEscape(string(piece))
		if backslashes%2 == 0 {
			return at, escaped
		}
	}
}
