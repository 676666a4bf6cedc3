package render

import (
	"regexp"
	"strings"
	"unicode"
)

// appendField appends a value as a field, with quotes and an apostrophe where necessary.
// For NULL it appends nothing.
func appendField(line []byte, value *string) []byte {
	if value == nil {
		return line
	}

	text := *value
	escaped := strings.HasPrefix(text, "'") || mayBeFormula(text)
	if !escaped && !needsQuotes(text) {
		return append(line, text...)
	}
	line = append(line, '"')
	if escaped {
		line = append(line, '\'')
	}
	for {
		before, after, found := strings.Cut(text, `"`)
		line = append(line, before...)
		if !found {
			return append(line, '"')
		}
		line = append(line, `""`...)
		text = after
	}
}

// needsQuotes reports whether a value must be quoted so that every reader reads it
// unchanged: a strict reader, a reader that trims white space, and a reader that guesses
// the separator.
func needsQuotes(text string) bool {
	return text == "" || strings.ContainsAny(text, ",;\t\r\n\"") || strings.TrimSpace(text) != text
}

// formulaStarts are the characters with which a formula can begin, in every width (such
// as = and the full-width ＝), and the characters that some spreadsheets remove before a
// formula.
const formulaStarts = "=+-@＝＋－＠﹦﹢﹣﹫−\t\r\n"

// mayBeFormula reports whether a spreadsheet could read a value as a formula. It ignores
// leading white space and invisible characters. A plain number is not a formula, even if
// it is negative: a spreadsheet must be able to compute with it.
func mayBeFormula(text string) bool {
	for _, r := range text {
		switch {
		case strings.ContainsRune(formulaStarts, r):
			return !plainNumber.MatchString(text)
		case !unicode.IsSpace(r) && !unicode.Is(unicode.C, r):
			return false
		}
	}
	return false
}

// plainNumber matches a finite number as PostgreSQL writes it: -12, 0.50, 1.5e-07.
var plainNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$`)
