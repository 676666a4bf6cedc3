package difffile

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Row holds the text of each column as PostgreSQL writes it, in the order of
// Summary.Columns. nil is NULL.
type Row []*string

// kind is the JSON type of a column's values.
type kind int

const (
	text    kind = iota
	boolean      // JSON true or false
	integer      // a JSON number without fraction or exponent
	untyped      // any JSON value, in a document of another tool, which has no types
)

// kindOf returns the kind of a column. The kind depends only on the type and on whether
// the column is redacted, never on the values.
func kindOf(c Column) kind {
	if c.Redacted {
		return text
	}
	switch c.Type {
	case "boolean":
		return boolean
	case "smallint", "integer", "bigint":
		return integer
	default:
		return text
	}
}

// appendValue appends a value's JSON.
func appendValue(out []byte, k kind, value *string) ([]byte, error) {
	switch {
	case value == nil:
		return append(out, "null"...), nil
	case k == boolean && *value == "t":
		return append(out, "true"...), nil
	case k == boolean && *value == "f":
		return append(out, "false"...), nil
	case k == integer && isInteger(*value):
		return append(out, *value...), nil
	case k == text:
		return appendString(out, *value)
	}
	return nil, fmt.Errorf("%.40q is not the text of the column's type", *value)
}

// isInteger reports whether s is an integer as PostgreSQL writes it. Such a text is also
// a JSON number.
func isInteger[T string | []byte](s T) bool {
	digits := s
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || digits[0] == '0' && len(s) > 1 {
		return false
	}
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return false
		}
	}
	return true
}

// appendString appends a JSON string with as few escapes as JSON allows. It returns an
// error for text that is not UTF-8: replacing the invalid bytes would change the value.
func appendString(out []byte, s string) ([]byte, error) {
	out, err := jsontext.AppendQuote(out, s)
	if err != nil {
		return nil, fmt.Errorf("%.40q is not valid UTF-8", s)
	}
	return out, nil
}

// parseValue returns the PostgreSQL text of a value. raw must be valid JSON.
func parseValue(k kind, raw []byte) (*string, error) {
	body, escaped, err := textOf(k, raw)
	if err != nil || body == nil {
		return nil, err
	}
	value, err := unescape(body, escaped)
	return &value, err
}

// textOf returns the part of raw that is the PostgreSQL text of a value, and whether this
// part contains JSON escapes. If the value is NULL, the part is nil. raw must be valid
// JSON.
func textOf(k kind, raw []byte) (body []byte, escaped bool, err error) {
	switch first := raw[0]; {
	case first == 'n':
		return nil, false, nil
	case (k == boolean || k == untyped) && (first == 't' || first == 'f'):
		return raw[:1], false, nil
	case k == integer && isInteger(raw):
		return raw, false, nil
	case (k == text || k == untyped) && first == '"':
		return stringBody(raw)
	case k == untyped:
		return raw, false, nil
	}
	return nil, false, fmt.Errorf("%.40s is not allowed; it must be null or %s", raw, k)
}

// String describes the values of a kind in JSON, for errors.
func (k kind) String() string {
	switch k {
	case boolean:
		return "true or false"
	case integer:
		return "a number without fraction and exponent"
	default:
		return "a string"
	}
}
