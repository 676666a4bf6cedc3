package render

import (
	"regexp"
	"strings"
	"unicode"
)

// appendField appends a value as a field. NULL is nothing at all.
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

// needsQuotes says whether a value would not come back without quotes: from a strict reader, or from one that trims
// white space or guesses the separator.
func needsQuotes(text string) bool {
	return text == "" || strings.ContainsAny(text, ",;\t\r\n\"") || strings.TrimSpace(text) != text
}

// formulaStarts are what formulas begin with, in every width, and what some spreadsheets take away in front of them.
const formulaStarts = "=+-@＝＋－＠﹦﹢﹣﹫−\t\r\n"

// mayBeFormula says whether a spreadsheet could take a value for a formula. White space and invisible characters in front
// do not count. A plain number is none, a negative one neither: it shall stay something to count with.
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

// plainNumber is what PostgreSQL writes for a finite number: -12, 0.50, 1.5e-07.
var plainNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$`)
