package api

import (
	"errors"
	"unicode/utf8"
)

// TableName names a table as the catalogue does: no quotes, case as stored.
type TableName struct{ Schema, Name string }

// ParseTableName reads schema.table by SQL's rules for identifiers: unquoted ones fold to lower case, quoted ones may
// hold any character. The error says what is wrong and what is allowed.
func ParseTableName(text string) (TableName, error) {
	if !utf8.ValidString(text) || textProblem("", text) != "" {
		return TableName{}, errors.New("it must be valid UTF-8 without NUL characters")
	}
	schema, rest, err := scanIdentifier(text)
	if err != nil {
		return TableName{}, err
	}
	if rest == "" {
		return TableName{}, errors.New("allowed is schema.table, such as public.users")
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
		return TableName{}, errors.New("allowed is schema.table without a database in front")
	}
	return TableName{}, unquotedCharacter(rest)
}

// String gives schema.table in the form that ParseTableName reads, quoted where needed. It is no SQL: key words are not
// quoted. The zero value gives "".
func (t TableName) String() string {
	if t == (TableName{}) {
		return ""
	}
	return quoteIdentifier(t.Schema) + "." + quoteIdentifier(t.Name)
}

// MarshalText writes what String gives.
func (t TableName) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (t *TableName) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = TableName{}
		return nil
	}
	parsed, err := ParseTableName(string(text))
	*t = parsed
	return err
}
