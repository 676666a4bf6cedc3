package pg

import (
	"encoding/hex"
	"fmt"
	"strings"

	"ace/shared/rawtext"
	"ace/shared/table"
)

// parseBytes is a value of table.Parse that only this package uses. With it, a statement
// sends the texts as an array of bytea: the bytes of each text in UTF-8, whatever the
// server encoding is.
const parseBytes table.Parse = "bytes"

// param is one column of a list of tuples. Its values have one type and are sent as one
// parameter.
type param struct {
	name  string // name of the list's column
	typ   string
	parse table.Parse
}

// params has the columns of a list of tuples.
type params []param

// keyParams returns one param for each key column, for a statement that takes a list of
// keys.
func keyParams(s table.Source) params {
	out := make(params, len(s.Key))
	for i, name := range list("k", len(s.Key)) {
		out[i] = param{name, s.KeyType[i], parseAt(s.KeyParse, i)}
	}
	return out
}

// orderParams returns the columns of a list of bounds, or of a list of keys to be sorted.
// The names of the columns begin with prefix.
func orderParams(s table.Source, prefix string) params {
	out := make(params, len(s.Order))
	for i, name := range list(prefix, len(s.Order)) {
		out[i] = param{name, s.OrderType[i], table.ParseCast}
		switch {
		case isTextOrder(s, i):
			out[i].parse = parseBytes
		case s.OrderType[i] == s.KeyType[i]:
			out[i].parse = parseAt(s.KeyParse, i)
		}
	}
	return out
}

// isTextOrder reports whether element i of s.Order is the bytes of a text.
func isTextOrder(s table.Source, i int) bool { return i < len(s.OrderText) && s.OrderText[i] != "" }

// bounds returns the expressions with which a statement reads a key that will be a bound
// of a range. For each element of Order, this is the element of OrderText or, if that is
// empty or missing, the element of Order itself.
func bounds(s table.Source) []string {
	refs := make([]string, len(s.Order))
	for i, ref := range s.Order {
		if refs[i] = ref; isTextOrder(s, i) {
			refs[i] = s.OrderText[i]
		}
	}
	return refs
}

// valueParams returns the columns of a list of values of these types.
func valueParams(types []string, parse []table.Parse) params {
	out := make(params, len(types))
	for i, name := range list("v", len(types)) {
		out[i] = param{name, types[i], parseAt(parse, i)}
	}
	return out
}

func parseAt(parse []table.Parse, i int) table.Parse {
	if i < len(parse) {
		return parse[i]
	}
	return table.ParseCast
}

// names returns the names of the columns.
func (p params) names() []string {
	names := make([]string, len(p))
	for i := range p {
		names[i] = p[i].name
	}
	return names
}

// list returns a subquery for the list of tuples. The column ord of the subquery numbers
// the tuples from 1. first is the number of the list's first parameter (1 for $1).
func (p params) list(first int) string {
	values, rows := make([]string, len(p)), make([]string, len(p))
	for i, of := range p {
		values[i], rows[i] = "u."+of.name, fmt.Sprintf("pg_catalog.unnest($%d::%s[])", first+i, of.typ)
		switch of.parse {
		case table.ParseCast:
			values[i] = fmt.Sprintf("(u.%s)::%s AS %s", of.name, of.typ, of.name)
			rows[i] = fmt.Sprintf("pg_catalog.unnest($%d::pg_catalog.text[])", first+i)
		case table.ParseRecord:
			rows[i] = fmt.Sprintf("pg_catalog.json_to_recordset($%d::pg_catalog.json) AS (%s %s)", first+i, of.name, of.typ)
		}
	}
	return fmt.Sprintf("(SELECT %s, u.ord FROM ROWS FROM (%s) WITH ORDINALITY u(%s, ord) OFFSET 0)",
		strings.Join(values, ", "), strings.Join(rows, ", "), strings.Join(p.names(), ", "))
}

// ofKeys returns the values of the parameters for a list of keys, one parameter per key
// column.
func (p params) ofKeys(keys []table.Key) [][]byte {
	args := make([][]byte, len(p))
	for c := range p {
		w := p[c].writer(2)
		for _, key := range keys {
			w.add(&key[c])
		}
		args[c] = w.end()
	}
	return args
}

// ofRows returns the values of the parameters for a list of rows, one parameter per
// column. A nil element of a row becomes NULL.
func (p params) ofRows(rows []table.Row) [][]byte {
	args := make([][]byte, len(p))
	for c := range p {
		w := p[c].writer(arraySize(rows, c))
		for _, row := range rows {
			w.add(row[c])
		}
		args[c] = w.end()
	}
	return args
}

// arraySize returns the approximate size of the array for a column, in bytes. The array
// is allocated with that size, so that large values are not copied repeatedly.
func arraySize(rows []table.Row, column int) int {
	size := 2
	for _, row := range rows {
		size += 8
		if row[column] != nil {
			size += len(*row[column])
		}
	}
	return size
}

// paramWriter builds the value of a parameter from the texts of one column: an array in
// PostgreSQL's text form or, for ParseRecord, a JSON array of objects.
type paramWriter struct {
	of  param
	out []byte
}

func (p param) writer(size int) *paramWriter {
	w := &paramWriter{of: p, out: append(make([]byte, 0, size), '{')}
	if p.parse == table.ParseRecord {
		w.out[0] = '['
	}
	return w
}

func (w *paramWriter) add(text *string) {
	if len(w.out) > 1 {
		w.out = append(w.out, ',')
	}
	switch {
	case w.of.parse == table.ParseRecord:
		w.out = appendRecord(w.out, w.of.name, text)
	case text == nil:
		w.out = append(w.out, "NULL"...)
	case w.of.parse == parseBytes:
		w.out = hex.AppendEncode(append(w.out, `"\\x`...), []byte(rawtext.Bytes(*text)))
		w.out = append(w.out, '"')
	default:
		w.out = appendElement(w.out, rawtext.Bytes(*text))
	}
}

func (w *paramWriter) end() []byte {
	if w.of.parse == table.ParseRecord {
		return append(w.out, ']')
	}
	return append(w.out, '}')
}

// appendElement appends one element of an array in PostgreSQL's text form.
func appendElement(out []byte, element string) []byte {
	out = append(out, '"')
	for {
		i := strings.IndexAny(element, `"\`)
		if i < 0 {
			break
		}
		out = append(append(out, element[:i]...), '\\', element[i])
		element = element[i+1:]
	}
	return append(append(out, element...), '"')
}

// appendRecord appends a JSON object with one member: name with the value text, or null
// if text is nil. It does not check whether the bytes of text are valid UTF-8, because
// the server does.
func appendRecord(out []byte, name string, text *string) []byte {
	out = append(append(append(out, `{"`...), name...), `":`...)
	if text == nil {
		return append(out, "null}"...)
	}

	out = append(out, '"')
	for _, c := range []byte(rawtext.Bytes(*text)) {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(append(out, `\u00`...), hexDigit(c>>4), hexDigit(c&15))
		default:
			out = append(out, c)
		}
	}

	return append(out, `"}`...)
}

func hexDigit(n byte) byte { return "0123456789abcdef"[n] }
