package pg

import (
	"strings"

	"ace/shared/table"
)

// references returns, for each node of e and each column, whether an expression that
// CheckWhere has accepted may refer to the column of the node's version. Only these
// values have to be sent to the server. A column counts as referred to unless it is
// certain that it is not.
//
// Every node has the same columns, so a column without the name of its node would be
// ambiguous. So a reference is the name of a node, a point and the name of a column. If
// the name of a node stands anywhere else in the text, or before anything else than a
// point and a column, the expression may refer to the whole version.
func references(e table.Evaluation, where string) [][]bool {
	text := lowerASCII(where)
	found := make([][]bool, len(e.Nodes))
	for i, node := range e.Nodes {
		found[i] = make([]bool, len(e.Columns))
		if len(e.Nodes) < 2 || strings.Contains(text, "u&") || !markReferences(found[i], e, text, where, lowerASCII(node)) {
			for c := range found[i] {
				found[i][c] = true
			}
		}
	}
	return found
}

// longestName is the length to which the server truncates a name.
const longestName = 63

// markReferences marks the columns to which the text refers by the name of the node. text
// and node are in lower case, original is the text itself. It returns false if the text
// may refer to other columns too.
func markReferences(marked []bool, e table.Evaluation, text, original, node string) bool {
	if node == "" || len(node) > longestName || strings.ContainsFunc(node, func(r rune) bool { return r >= 0x80 || r == '"' }) {
		return false
	}
	for at := 0; ; {
		next := strings.Index(text[at:], node)
		if next < 0 {
			return true
		}
		at += next + len(node)
		if at < len(text) && isIdentifier(text[at]) { // the beginning of a longer name
			continue
		}
		name, ok := columnAfter(strings.TrimPrefix(original[at:], `"`))
		if !ok {
			return false
		}
		column := columnNamed(e, name)
		if column < 0 {
			return false
		}
		marked[column] = true
	}
}

// columnAfter returns the column with which a text begins after a point, quoted as in
// table.Comparison. It returns false if the text begins with anything else.
func columnAfter(text string) (quoted string, ok bool) {
	text, ok = strings.CutPrefix(text, ".")
	if !ok || text == "" {
		return "", false
	}
	if text[0] != '"' {
		n := 0
		for n < len(text) && isIdentifier(text[n]) {
			if text[n] >= 0x80 { // the server may convert it to lower case
				return "", false
			}
			n++
		}
		return quote(lowerASCII(text[:n])), n > 0
	}
	for n := 1; n < len(text); n++ {
		switch {
		case text[n] != '"':
		case n+1 < len(text) && text[n+1] == '"':
			n++
		default:
			return text[:n+1], true
		}
	}
	return "", false
}

// columnNamed returns the index of a column, or -1.
func columnNamed(e table.Evaluation, quoted string) int {
	for i, c := range e.Columns {
		if c.Name == quoted {
			return i
		}
	}
	return -1
}

// isIdentifier reports whether a name without quotes may contain the byte.
func isIdentifier(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// lowerASCII converts only the letters of ASCII, so that no byte moves.
func lowerASCII(text string) string {
	out := []byte(text)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return string(out)
}
