package manpage

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape returns a text that groff prints as it is: it finds no escape sequence in the
// text, and prints a hyphen as the character that users type and search for. A line break
// becomes a space. If the text may begin a line, the caller must also call guard.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(s)
}

// guard returns a line that groff does not read as a request.
func guard(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}

// text returns a paragraph as one line of input.
func text(s string) string {
	if s == "" {
		return ""
	}
	return guard(escape(s)) + "\n"
}

// quote returns an argument of a request.
func quote(s string) string { return `"` + strings.ReplaceAll(escape(s), `"`, `\(dq`) + `"` }

// sentence returns a fragment as a sentence: with a capital letter and a full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(first)) + s[size:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
