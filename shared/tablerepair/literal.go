package tablerepair

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"ace/shared/rawtext"
	"ace/shared/visible"
)

// hasText returns the condition that a value has the given text: the output of the type's
// output function, which concat calls.
func (s *script) hasText(column string, text *string) string {
	if text == nil {
		return "pg_catalog.num_nulls(" + column + ") OPERATOR(pg_catalog.=) 1"
	}
	test := "pg_catalog.concat(" + column + ") COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) " + s.stored(*text)
	if *text == "" { // concat returns the empty text for NULL too
		test += " AND pg_catalog.num_nulls(" + column + ") OPERATOR(pg_catalog.=) 0"
	}
	return test
}

// value returns the value of a type with the given text.
func (s *script) value(text *string, typ string) string {
	if text == nil {
		return "NULL"
	}
	return s.stored(*text) + "::" + typ
}

// stored returns a literal with a text from a part or a plan, in which bytes that are not
// valid UTF-8 are escaped (package rawtext).
func (s *script) stored(text string) string { return s.literal(rawtext.Bytes(text)) }

// literal returns a literal with a value or a name of the target.
func (s *script) literal(text string) string { return literalIn(s.target.ServerEncoding, text) }

// literal returns text as a literal of SQL, for a session in which
// standard_conforming_strings is on. It escapes the control characters of ASCII.
func literal(text string) string { return literalIn("", text) }

// sqlASCII is the encoding of a database that stores bytes of unknown encoding.
const sqlASCII = "SQL_ASCII"

// literalIn is like literal, for a server with the given encoding. It also escapes each
// character that could mislead a person who reads the script, such as one that reorders a
// line. In a database with SQL_ASCII, which knows no characters, it escapes the bytes of
// the character. In every other one it escapes the code point, because the server
// converts the script to its encoding before it reads the escapes. If encoding is empty,
// only the control characters of ASCII are escaped.
func literalIn(encoding, text string) string {
	quoted := strings.ReplaceAll(text, "'", "''")
	if !needsEscape(encoding, text) {
		return "'" + quoted + "'"
	}
	var b strings.Builder
	b.WriteString("E'")
	for len(quoted) > 0 {
		r, size := utf8.DecodeRuneInString(quoted)
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case !isEscaped(encoding, r, size):
			b.WriteString(quoted[:size])
		case size == 1 || encoding == sqlASCII:
			for _, c := range []byte(quoted[:size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		quoted = quoted[size:]
	}
	b.WriteByte('\'')
	return b.String()
}

// needsEscape reports whether a literal of text has an escape.
func needsEscape(encoding, text string) bool {
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if isEscaped(encoding, r, size) {
			return true
		}
		text = text[size:]
	}
	return false
}

// isEscaped reports whether a literal for a server with this encoding has an escape
// instead of a character, whose size is that of its UTF-8 form.
func isEscaped(encoding string, r rune, size int) bool {
	switch {
	case r < ' ' || r == 0x7f:
		return true
	case encoding == "":
		return false
	case r == utf8.RuneError && size == 1:
		return encoding == sqlASCII // a terminal may read the byte as a control character
	}
	return visible.IsUnsafe(r)
}
