package api

import (
	"errors"
	"unicode/utf8"
)

// TableName is the name of a table as in the system catalog, without quotes.
type TableName struct{ Schema, Name string }

// ParseTableName parses schema.table by the rules of SQL: unquoted identifiers fold to
// lower case, and quoted identifiers may contain any character. The error states what is
// wrong and what is allowed.
func ParseTableName(text string) (TableName, error) {
	if !utf8.ValidString(text) || textProblem("", text) != "" {
		return TableName{}, errors.New("it must be valid UTF-8 without NUL characters")
	}

	schema, rest, err := scanIdentifier(text)
	if err != nil {
		return TableName{}, err
	}

	if rest == "" {
		return TableName{}, errors.New("it must be schema.table, such as public.users")
	}

	if rest[0] != '.' {
		return TableName{}, unquotedCharacter(rest)
	}

	name, rest, err := scanIdentifier(rest[1:])
	switch {
	case err != nil:
		return TableName{}, err
	case rest == "":
		return TableName{schema, name}, nil
	case rest[0] == '.':
		return TableName{}, errors.New("it must be schema.table without a database in front")
	}
	return TableName{}, unquotedCharacter(rest)
}

// String returns schema.table in the form that ParseTableName parses, quoted only if
// necessary. It must not be used in SQL, because it does not quote key words. The string
// of the zero value is "".
func (t TableName) String() string {
	if t == (TableName{}) {
		return ""
	}
	return quoteIdentifier(t.Schema) + "." + quoteIdentifier(t.Name)
}

// MarshalText implements encoding.TextMarshaler. The text is that of String.
func (t TableName) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *TableName) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = TableName{}
		return nil
	}
	parsed, err := ParseTableName(string(text))
	*t = parsed
	return err
}
