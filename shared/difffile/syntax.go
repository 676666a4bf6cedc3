package difffile

import (
	"math/bits"
	"unicode/utf8"
)

// Results of measure for bytes that do not begin with a complete value.
const (
	incomplete = -1 // more bytes may complete the value
	malformed  = -2 // no bytes can complete it
)

// maxDepth bounds the nesting of values. It is the bound of encoding/json.
const maxDepth = 10_000

// measure returns the length of the JSON value at the beginning of b, or incomplete, or
// malformed. A number at the end of b is incomplete, because more digits may follow.
// depth is the number of objects and arrays that surround the value.
func measure(b []byte, depth int) int {
	if len(b) == 0 {
		return incomplete
	}
	switch c := b[0]; {
	case c == '"':
		return measureString(b)
	case c == '{' || c == '[':
		return measureNested(b, depth)
	case c == '-' || isDigit(c):
		return measureNumber(b)
	case c == 't':
		return measureWord(b, "true")
	case c == 'f':
		return measureWord(b, "false")
	case c == 'n':
		return measureWord(b, "null")
	}
	return malformed
}

func measureWord(b []byte, word string) int {
	n := min(len(b), len(word))
	switch {
	case string(b[:n]) != word[:n]:
		return malformed
	case n < len(word):
		return incomplete
	}
	return n
}

// measureString returns the length of the JSON string at the beginning of b, or
// incomplete, or malformed. It does not check that the text is UTF-8; stringBody does.
func measureString(b []byte) int {
	if len(b) == 0 {
		return incomplete
	}
	if b[0] != '"' {
		return malformed
	}
	for i := nextSpecial(b, 1); i < len(b); i = nextSpecial(b, i+1) {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return malformed
		case c == '\\':
			n := measureEscape(b[i:])
			if n < 0 {
				return n
			}
			i += n - 1
		}
	}
	return incomplete
}

// plainString returns the length of the JSON string at the beginning of b if it is ASCII
// without escapes, and 0 otherwise.
func plainString(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	for i, c := range b[1:] {
		if c == '"' {
			return i + 2
		}
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return 0
		}
	}
	return 0
}

// nextSpecial returns the position of the first quote, backslash or control character at
// or after the position at. It checks eight bytes at a time. If it finds none and fewer
// than eight bytes are left, it returns the position of the first of these bytes, which
// the caller must check itself.
func nextSpecial(b []byte, at int) int {
	const (
		ones = 0x0101010101010101
		high = 0x8080808080808080
	)
	for ; at+8 <= len(b); at += 8 {
		w := b[at : at+8]
		word := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		quote, escape := word^(ones*'"'), word^(ones*'\\')
		// The lowest set bit belongs to the first special byte. A borrow in the subtractions
		// can set wrong bits only above it.
		found := ((quote-ones)&^quote | (escape-ones)&^escape | (word-ones*' ')&^word) & high
		if found != 0 {
			return at + bits.TrailingZeros64(found)/8
		}
	}
	return at
}

// measureEscape returns the length of the escape at the beginning of b, such as \n or
// \u00e9, or incomplete, or malformed.
func measureEscape(b []byte) int {
	if len(b) < 2 {
		return incomplete
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return malformed
	}

	for _, c := range b[2:min(len(b), 6)] {
		if !isDigit(c) && (c|' ' < 'a' || c|' ' > 'f') {
			return malformed
		}
	}
	if len(b) < 6 {
		return incomplete
	}
	return 6
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func measureNumber(b []byte) int {
	at := 0
	if b[0] == '-' {
		at = 1
	}
	if at < len(b) && b[at] == '0' {
		at++
	} else if at = digits(b, at); at < 0 {
		return at
	}
	if at < len(b) && b[at] == '.' {
		if at = digits(b, at+1); at < 0 {
			return at
		}
	}
	if at < len(b) && b[at]|' ' == 'e' {
		at++
		if at < len(b) && (b[at] == '+' || b[at] == '-') {
			at++
		}
		if at = digits(b, at); at < 0 {
			return at
		}
	}
	if at == len(b) {
		return incomplete
	}
	return at
}

// digits returns the position after the digits that begin at the position from. If there
// is no digit, it returns incomplete at the end of b, and malformed otherwise.
func digits(b []byte, from int) int {
	at := from
	for at < len(b) && isDigit(b[at]) {
		at++
	}
	switch {
	case at > from:
		return at
	case at == len(b):
		return incomplete
	}
	return malformed
}

// measureNested returns the length of the object or array at the beginning of b, or one
// of the constants incomplete and malformed.
func measureNested(b []byte, depth int) int {
	if depth == maxDepth {
		return malformed
	}

	closing := b[0] + 2 // in ASCII, the code of } is that of { plus two, and the same holds for [ and ]
	at := afterSpace(b, 1)
	if at < len(b) && b[at] == closing {
		return at + 1
	}

	for {
		n := measureElement(b[at:], closing == '}', depth+1)
		if n < 0 {
			return n
		}
		at = afterSpace(b, at+n)
		switch {
		case at == len(b):
			return incomplete
		case b[at] == closing:
			return at + 1
		case b[at] != ',':
			return malformed
		}
		at = afterSpace(b, at+1)
	}
}

// measureElement returns the length of the next element of an array, or of the next
// member of an object if named is true. The length of a member includes its name.
func measureElement(b []byte, named bool, depth int) int {
	at := 0
	if named {
		n := measureString(b)
		if n < 0 {
			return n
		}
		if at = afterSpace(b, n); at == len(b) {
			return incomplete
		}
		if b[at] != ':' {
			return malformed
		}
		at = afterSpace(b, at+1)
	}

	n := measure(b[at:], depth)
	if n < 0 {
		return n
	}
	return at + n
}

// afterSpace skips white space: it returns the position of the first byte at or after the
// position at that is not white space, or len(b) if there is none.
func afterSpace(b []byte, at int) int {
	for at < len(b) && isSpace(b[at]) {
		at++
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
