package api

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxIdentifier is the maximum number of bytes of a name in PostgreSQL. A longer name is
// an error here, because PostgreSQL would truncate it to the name of another table.
const maxIdentifier = 63

// scanIdentifier scans one SQL identifier at the start of text and returns its name and
// the rest of the text. Unquoted identifiers fold to lower case as in PostgreSQL (ASCII
// letters only). In quoted identifiers "" stands for one quote.
func scanIdentifier(text string) (name, rest string, err error) {
	if strings.HasPrefix(text, `"`) {
		name, rest, err = scanQuoted(text[1:])
	} else {
		name, rest, err = scanBare(text)
	}
	if err == nil && len(name) > maxIdentifier {
		err = fmt.Errorf("a name in it has %d bytes; the maximum is %d", len(name), maxIdentifier)
	}
	return name, rest, err
}

func scanQuoted(text string) (name, rest string, err error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, `"`)
		if !found {
			return "", "", errors.New(`a closing " is missing`)
		}
		b.WriteString(before)
		if !strings.HasPrefix(after, `"`) {
			text = after
			break
		}
		b.WriteByte('"')
		text = after[1:]
	}

	if b.Len() == 0 {
		return "", "", errors.New(`a name in it is empty`)
	}
	return b.String(), text, nil
}

func scanBare(text string) (name, rest string, err error) {
	end := 0
	for end < len(text) && isBare(text[end], end > 0) {
		end++
	}
	if end == 0 {
		return "", "", bareProblem(text)
	}
	return foldASCII(text[:end]), text[end:], nil
}

func bareProblem(text string) error {
	if text == "" || text[0] == '.' || text[0] == ',' {
		return errors.New("a name in it is empty")
	}
	return unquotedCharacter(text)
}

// unquotedCharacter returns an error about the first character of text, which is allowed
// only between double quotes.
func unquotedCharacter(text string) error {
	r, _ := utf8.DecodeRuneInString(text)
	return fmt.Errorf(`the character %q must be in a double-quoted name, as in "My Schema"."my-table"`, r)
}

// isBare reports whether b is allowed in an unquoted identifier. Every byte of a
// non-ASCII character is allowed. inside is true for every byte after the first, where
// digits and $ are also allowed.
func isBare(b byte, inside bool) bool {
	switch {
	case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_', b >= utf8.RuneSelf:
		return true
	case b >= '0' && b <= '9', b == '$':
		return inside
	}
	return false
}

func foldASCII(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// quoteIdentifier returns a text that scanIdentifier reads as name, quoted only if
// necessary.
func quoteIdentifier(name string) string {
	if bare, rest, err := scanBare(name); err == nil && rest == "" && bare == name {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// parseIdentifiers parses identifiers separated by commas. It skips spaces around the
// commas.
func parseIdentifiers(text string) ([]string, error) {
	var names []string
	for {
		name, rest, err := scanIdentifier(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		after := strings.TrimSpace(rest)
		if after == "" {
			return names, nil
		}
		if after[0] != ',' {
			return nil, unquotedCharacter(rest)
		}
		text = after[1:]
	}
}
