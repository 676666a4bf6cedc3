package difffile

import (
	"fmt"
	"unicode/utf8"
)

// Row has PostgreSQL's text of each column, in the order of Summary.Columns. nil is NULL.
type Row []*string

// kind is the JSON type of a column's values.
type kind int

const (
	text    kind = iota
	boolean      // true, false
	integer      // a number without fraction or exponent
	untyped      // any JSON value, in a document of another tool, which has no types
)

// kindOf returns the kind of a column. It depends on the type alone, never on the values.
func kindOf(c Column) kind {
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

// isInteger reports whether s is what PostgreSQL writes for an integer. That is a JSON
// number too.
func isInteger(s string) bool {
	digits := s
	if digits != "" && digits[0] == '-' {
		digits = digits[1:]
	}
	if digits == "" || digits[0] == '0' && len(s) > 1 {
		return false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string with as few escapes as JSON allows. It returns an
// error for text that is not UTF-8: replacing the invalid bytes would change the value.
func appendString(out []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("%.40q is not valid UTF-8", s)
	}

	out = append(out, '"')
	done := 0
	for i := nextSpecial(s, 0); i < len(s); i = nextSpecial(s, i+1) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(out, s[done:i]...)
		out = appendEscape(out, c)
		done = i + 1
	}
	return append(append(out, s[done:]...), '"'), nil
}

func appendEscape(out []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(out, '\\', c)
	case '\n':
		return append(out, '\\', 'n')
	case '\r':
		return append(out, '\\', 'r')
	case '\t':
		return append(out, '\\', 't')
	}
	return append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// parseValue returns the PostgreSQL text of a value. raw must be valid JSON.
func parseValue(k kind, raw []byte) (*string, error) {
	var value string
	var err error
	switch first := raw[0]; {
	case first == 'n':
		return nil, nil
	case (k == boolean || k == untyped) && (first == 't' || first == 'f'):
		value = string(raw[:1])
	case k == integer && isInteger(string(raw)):
		value = string(raw)
	case (k == text || k == untyped) && first == '"':
		value, err = unquote(raw)
	case k == untyped:
		value = string(raw)
	default:
		err = fmt.Errorf("%.40s is not allowed; it must be null or %s", raw, k)
	}
	return &value, err
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
