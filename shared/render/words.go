package render

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// splitWords splits a text into words, numbers, white space and single other characters.
// It does not cut within a grapheme cluster. A number includes the signs between its
// digits, so that 1.50, 12:30 and 2024-03-15 are one word each.
func splitWords(text string) []string {
	var list []string
	start, last := 0, classNone
	for at, r := range text {
		class := classOf(r)
		if at > start && !joined(text, at) && !continues(text, at, last, class) {
			list = append(list, text[start:at])
			start = at
		}
		if at == start || class != classOther {
			last = class
		}
	}
	if start < len(text) {
		list = append(list, text[start:])
	}
	return list
}

// class is the kind of a character, by which a text is split into words.
type class int

const (
	classNone class = iota
	classSpace
	classWord
	classDigit
	classOther
)

func classOf(r rune) class {
	switch {
	case unicode.IsDigit(r):
		return classDigit
	case unicode.IsLetter(r) || unicode.IsMark(r) || r == '_' || hidden(0, r) && !unicode.IsSpace(r):
		return classWord
	case unicode.IsSpace(r):
		return classSpace
	}
	return classOther
}

// continues reports whether the character at an offset belongs to the word before it.
// last is the class of that word, and class is the class of the character.
func continues(text string, at int, last, class class) bool {
	switch {
	case class == classOther:
		return last == classDigit && betweenDigits(text, at)
	case last == classSpace || class == classSpace:
		return last == class
	}
	return last != classOther // a letter or digit continues letters and digits, but no other character
}

// betweenDigits reports whether a character at an offset separates digits of a number, a
// date or a time.
func betweenDigits(text string, at int) bool {
	if at == 0 || at+1 >= len(text) || !strings.ContainsRune(".,:/-", rune(text[at])) {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	after, _ := utf8.DecodeRuneInString(text[at+1:])
	return unicode.IsDigit(before) && unicode.IsDigit(after)
}
