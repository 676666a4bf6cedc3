package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
)

// hidden reports whether the character r is invisible, or changes how its neighbours are
// shown. Such characters are controls, direction marks, and joiners that join nothing.
// before is the character before r, which determines whether a joiner has an effect. The
// page's script has the same list of characters.
func hidden(before, r rune) bool {
	switch r {
	case zeroWidthJoiner, '\u200c':
		return before < 0x250 // in Latin text, joiners have no effect; in other scripts and in emoji they do
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u3164', '\uffa0':
		return true // letters and marks without a glyph
	}
	return r >= 0x7f && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r < ' '
}

// visible escapes a text for HTML and replaces hidden characters by their code points.
func visible(text string) template.HTML {
	var out strings.Builder
	eachRun(text, func(run string) { template.HTMLEscape(&out, []byte(run)) }, func(r rune) {
		fmt.Fprintf(&out, `<span class="hidden">U+%04X</span>`, r)
	})
	return template.HTML(out.String())
}

// plain replaces hidden characters by their code points, as visible does, but without
// markup. It is for places where HTML allows no markup, such as the title.
func plain(text string) string {
	var out strings.Builder
	eachRun(text, func(run string) { out.WriteString(run) }, func(r rune) { fmt.Fprintf(&out, "⟨U+%04X⟩", r) })
	return out.String()
}

// eachRun calls run for each piece of text that can be shown unchanged, and sign for each
// hidden character.
func eachRun(text string, run func(string), sign func(rune)) {
	before, done := rune(0), 0
	for at, r := range text {
		if hidden(before, r) {
			run(text[done:at])
			sign(r)
			done = at + len(string(r))
		}
		before = r
	}
	run(text[done:])
}

// appendText appends a JSON string in which markup and hidden characters are escaped. So
// an HTML parser finds no markup in the string, and an editor shows every character of
// it.
func appendText(out []byte, text string) []byte {
	out = append(out, '"')
	done := 0
	for at, r := range text {
		if r != '"' && r != '\\' && r != '<' && r != '>' && r != '&' && r != zeroWidthJoiner && !hidden(0, r) {
			continue
		}
		out = append(out, text[done:at]...)
		out = appendEscape(out, r)
		done = at + len(string(r))
	}
	return append(append(out, text[done:]...), '"')
}

func appendEscape(out []byte, r rune) []byte {
	if r == '"' || r == '\\' {
		return append(out, '\\', byte(r))
	}
	if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
