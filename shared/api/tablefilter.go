package api

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// filterProblem returns the problem of a table_filter, or "" if it has none. The problem
// never repeats the filter, which may contain data.
func filterProblem(filter string) string {
	if len(filter) > maxTableFilter {
		return fmt.Sprintf("table_filter has %d bytes; the maximum is %d", len(filter), maxTableFilter)
	}
	return textProblem("table_filter", filter)
}

// parseFilter returns a filter without the word WHERE at its start.
func parseFilter(text string) (string, error) {
	filter := withoutWhere(text)
	if strings.Trim(filter, sqlSpace) == "" {
		return "", errors.New("an expression must follow WHERE")
	}
	return filter, nil
}

// wherePattern matches the word WHERE at the start of a text. WHERE is a reserved word,
// so no expression begins with it.
var wherePattern = regexp.MustCompile(`^(?i:where)(?:[^A-Za-z0-9_$\x80-\x{10ffff}]|$)`)

// withoutWhere returns a filter without the word WHERE at its start, and without the
// white space and comments before that word. A filter that does not begin with WHERE is
// returned unchanged.
func withoutWhere(filter string) string {
	rest := skipSpace(filter)
	if !wherePattern.MatchString(rest) {
		return filter
	}
	return strings.TrimLeft(rest[len("WHERE"):], sqlSpace)
}

// sqlSpace has the white space of SQL.
const sqlSpace = " \t\n\r\f\v"

// skipSpace returns a text without white space and comments at its start. A comment
// between /* and */ may contain other comments. A comment that has no end is not removed.
func skipSpace(text string) string {
	for {
		text = strings.TrimLeft(text, sqlSpace)
		switch {
		case strings.HasPrefix(text, "--"):
			end := strings.IndexAny(text, "\r\n")
			if end < 0 {
				return text
			}
			text = text[end:]
		case strings.HasPrefix(text, "/*"):
			length := commentLength(text)
			if length < 0 {
				return text
			}
			text = text[length:]
		default:
			return text
		}
	}
}

// commentLength returns the length of the comment between /* and */ at the start of a
// text, or -1 if the comment has no end.
func commentLength(text string) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	return -1
}
