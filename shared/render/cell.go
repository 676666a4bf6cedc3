package render

import (
	"strconv"
	"unicode/utf8"
)

const (
	// maxShown is how many characters of a value are in a page. Of longer ones the page has the part that matters.
	maxShown = 2_000
	// maxContext is how many characters before and after a difference are shown of those.
	maxContext = 200
)

// piece is a part of a value: text, or how many characters are left out.
type piece struct {
	text    string
	differs bool // from the other node's value, at this place
	left    int
}

// pieces of one value. In the page's data they are JSON: a string alone if that is all; else a list in which a string is
// what the other node has too, a string in a list of its own is what differs, and a number is how many characters are
// left out.
type pieces []piece

// whole shows a value by itself.
func whole(value string) pieces {
	shown, left := firstOf(value, maxShown)
	return pieces{{text: shown}, {left: left}}.tidy()
}

// compared shows two values of one column next to each other, with the part marked in which they differ.
func compared(a, b string) (pieces, pieces) {
	prefix, suffix := common(a, b)
	return parts(a, prefix, suffix), parts(b, prefix, suffix)
}

// parts shows a value that shares so many bytes at its beginning and its end with another one.
func parts(value string, prefix, suffix int) pieces {
	before, middle, after := value[:prefix], value[prefix:len(value)-suffix], value[len(value)-suffix:]
	if _, left := firstOf(value, maxShown); left == 0 {
		return pieces{{text: before}, {text: middle, differs: true}, {text: after}}.tidy()
	}
	leftBefore, before := lastOf(before, maxContext)
	middle, leftMiddle := firstOf(middle, maxShown-2*maxContext)
	after, leftAfter := firstOf(after, maxContext)
	return pieces{
		{left: leftBefore}, {text: before}, {text: middle, differs: true}, {left: leftMiddle}, {text: after}, {left: leftAfter},
	}.tidy()
}

// tidy leaves out pieces of nothing, but for one that says that here the other value has something.
func (p pieces) tidy() pieces {
	var kept pieces
	for _, piece := range p {
		if piece.text != "" || piece.left > 0 || piece.differs {
			kept = append(kept, piece)
		}
	}
	return kept
}

// firstOf gives the first n characters of a text, and how many it has besides. What a reader sees as one character is not
// cut, unless it alone is that long.
func firstOf(text string, n int) (shown string, left int) {
	at := 0
	for range n {
		if at == len(text) {
			return text, 0
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	cut := at
	for cut > 0 && joined(text, cut) {
		cut--
	}
	if cut == 0 {
		cut = at
	}
	return text[:cut], utf8.RuneCountInString(text[cut:])
}

// lastOf gives the last n characters of a text, and how many it has besides.
func lastOf(text string, n int) (left int, shown string) {
	at := len(text)
	for range n {
		if at == 0 {
			return 0, text
		}
		_, size := utf8.DecodeLastRuneInString(text[:at])
		at -= size
	}
	cut := at
	for cut < len(text) && joined(text, cut) {
		cut++
	}
	if cut == len(text) {
		cut = at
	}
	return utf8.RuneCountInString(text[:cut]), text[cut:]
}

// appendPieces appends their JSON.
func appendPieces(out []byte, p pieces) []byte {
	if len(p) == 0 {
		return append(out, `""`...)
	}
	if len(p) == 1 && !p[0].differs && p[0].left == 0 {
		return appendText(out, p[0].text)
	}
	out = append(out, '[')
	for i, piece := range p {
		if i > 0 {
			out = append(out, ',')
		}
		switch {
		case piece.left > 0:
			out = strconv.AppendInt(out, int64(piece.left), 10)
		case piece.differs:
			out = append(appendText(append(out, '['), piece.text), ']')
		default:
			out = appendText(out, piece.text)
		}
	}
	return append(out, ']')
}
