// Package texts writes and reads lists of texts and NULLs as JSON: the keys and rows in the parts of a task, of which there
// can be as many as a table has rows. What it writes, encoding/json reads, and the other way round; only faster, since
// nearly all texts stand in JSON as they are.
package texts

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Append writes a list; a nil text is null.
func Append(out []byte, list []*string) []byte {
	out = append(out, '[')
	for i, text := range list {
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

// AppendKey writes a list without NULLs.
func AppendKey(out []byte, key []string) []byte {
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
	if !plain(text) {
		quoted, _ := json.Marshal(text) // a string has no way to fail
		return append(out, quoted...)
	}
	out = append(out, '"')
	out = append(out, text...)
	return append(out, '"')
}

// plain says whether a text stands in JSON as it is.
func plain(text string) bool {
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

var errList = errors.New("it is not a list of texts")

// Read reads a list, and gives what follows it.
func Read(raw []byte) (list []*string, rest []byte, err error) {
	rest, err = read(raw, func(text *string) { list = append(list, text) })
	return list, rest, err
}

// ReadKey reads a list without NULLs, and nothing behind it.
func ReadKey(raw []byte) ([]string, error) {
	var key []string
	null := false
	rest, err := read(raw, func(text *string) {
		if null = null || text == nil; !null {
			key = append(key, *text)
		}
	})
	if err == nil && (null || len(rest) > 0) {
		err = errList
	}
	return key, err
}

// read gives the texts of a list, and what follows it. All plain texts share one piece of memory.
func read(raw []byte, take func(*string)) ([]byte, error) {
	if len(raw) < 2 || raw[0] != '[' {
		return nil, errList
	}
	end, err := closing(raw)
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
			take(nil)
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
		take(&text)
		at += length
	}
	return raw[end:], nil
}

// closing finds the end of a list.
func closing(raw []byte) (int, error) {
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

// textAt gives how long the quoted text is that raw begins with, -1 if it begins with none, and whether it has escapes, or what
// is no JSON.
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
		escaped = escaped || !plain(string(piece))
		if backslashes%2 == 0 {
			return at, escaped
		}
	}
}
