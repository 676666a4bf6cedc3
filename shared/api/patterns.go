package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxPatterns = 1000
	// MaxPattern is the maximum number of bytes of a pattern: a schema and a table of 63
	// bytes each, with room for wildcards.
	MaxPattern = 130

	allowedPatterns = "names of tables separated by commas, in which * stands for any characters and ? for one, such as orders*,audit.*"
)

// Patterns select tables. In a pattern * stands for any characters and ? for one. A
// pattern selects a table if it matches the name of the table or schema.table. These
// names are as in the system catalog, without quotes.
type Patterns []string

// ParsePatterns parses patterns separated by commas.
func ParsePatterns(text string) (Patterns, error) {
	patterns := strings.Split(text, ",")
	if len(patterns) > maxPatterns {
		return nil, fmt.Errorf("it has %d patterns; the maximum is %d", len(patterns), maxPatterns)
	}
	for i, pattern := range patterns {
		patterns[i] = strings.TrimSpace(pattern)
		switch {
		case patterns[i] == "":
			return nil, errors.New("it must be " + allowedPatterns)
		case len(patterns[i]) > MaxPattern:
			return nil, fmt.Errorf("a pattern in it has %d bytes; the maximum is %d", len(patterns[i]), MaxPattern)
		}
	}
	return patterns, nil
}

// problem returns the problem of the patterns of a parameter, or "".
func (p Patterns) problem(name string) string {
	if pattern, twice := repeated(p); twice {
		return fmt.Sprintf("%s names %s twice; it must be %s", name, quote(pattern), allowedPatterns)
	}
	return ""
}

// Match reports whether any of the patterns matches the table.
func (p Patterns) Match(table TableName) bool {
	return slices.ContainsFunc(p, func(pattern string) bool {
		return matchesPattern(pattern, table.Name) || matchesPattern(pattern, table.Schema+"."+table.Name)
	})
}

// matchesPattern reports whether a pattern matches the whole text. It may be called for
// 1,000 patterns and a million objects, so it must return within a microsecond.
func matchesPattern(pattern, text string) bool {
	rest, retry := "", "" // rest is the pattern after the last *; retry is the text after what that * has matched
	starred := false
	for text != "" {
		_, width := utf8.DecodeRuneInString(text)
		switch {
		case strings.HasPrefix(pattern, "*"):
			pattern = pattern[1:]
			rest, retry, starred = pattern, text, true
		case strings.HasPrefix(pattern, "?"):
			pattern, text = pattern[1:], text[width:]
		case strings.HasPrefix(pattern, text[:width]):
			pattern, text = pattern[width:], text[width:]
		case starred: // let the last * match one more character, and match rest again
			_, width := utf8.DecodeRuneInString(retry)
			retry = retry[width:]
			pattern, text = rest, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern, "*") == ""
}
