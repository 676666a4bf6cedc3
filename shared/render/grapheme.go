package render

import (
	"unicode"
	"unicode/utf8"
)

// common returns the length in bytes of the common prefix of two texts, and of the common
// suffix of what follows the prefix. Neither of them cuts a grapheme cluster, which a
// reader sees as one character.
func common(a, b string) (prefix, suffix int) {
	for prefix < len(a) && prefix < len(b) && a[prefix] == b[prefix] {
		prefix++
	}
	for prefix > 0 && (joined(a, prefix) || joined(b, prefix)) {
		prefix--
	}

	restA, restB := a[prefix:], b[prefix:]
	for suffix < len(restA) && suffix < len(restB) && restA[len(restA)-1-suffix] == restB[len(restB)-1-suffix] {
		suffix++
	}
	for suffix > 0 && (joined(a, len(a)-suffix) || joined(b, len(b)-suffix)) {
		suffix--
	}
	return prefix, suffix
}

// joined reports whether the bytes before and after a position belong to one grapheme
// cluster. It follows the rules of UAX 29. Where a rule needs more than the two
// neighbours, joined returns true. For example, a row of flags counts as one cluster.
func joined(s string, at int) bool {
	if at <= 0 || at >= len(s) {
		return false
	}
	if !utf8.RuneStart(s[at]) {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(s[:at])
	after, _ := utf8.DecodeRuneInString(s[at:])
	switch {
	case before == '\r':
		return after == '\n'
	case before < 0x300 && after < 0x300: // no character below this code combines with its neighbours
		return false
	case before == zeroWidthJoiner || unicode.Is(unicode.Prepended_Concatenation_Mark, before):
		return true
	case extends(after):
		return before != '\n'
	case unicode.Is(unicode.Regional_Indicator, after):
		return unicode.Is(unicode.Regional_Indicator, before)
	}
	return unicode.Is(unicode.Hangul, before) && unicode.Is(unicode.Hangul, after) && joinedJamo(before, after)
}

const zeroWidthJoiner = '\u200d'

// extends reports whether a character extends the grapheme cluster before it.
func extends(r rune) bool {
	return unicode.Is(unicode.M, r) || r == zeroWidthJoiner || r == '\u200c' ||
		r >= 0x1f3fb && r <= 0x1f3ff || // the characters for skin tones
		r >= 0xe0020 && r <= 0xe007f // tag characters, of which flags of regions consist
}

// joinedJamo reports whether two Hangul characters belong to one syllable. A leading
// consonant joins the character after it. A vowel or a trailing consonant joins the
// character before it.
func joinedJamo(before, after rune) bool {
	leading := before >= 0x1100 && before <= 0x115f || before >= 0xa960 && before <= 0xa97c
	following := after >= 0x1160 && after <= 0x11ff || after >= 0xd7b0 && after <= 0xd7fb
	return leading || following
}
