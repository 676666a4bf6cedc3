package render

import (
	"strconv"
	"unicode/utf8"
)

const (
	// maxShown is the maximum length, in characters, of a value that the page contains
	// completely. Of a longer value it contains only the text around the difference.
	maxShown = 2_000
	// maxContext is the maximum number of characters of such a longer value that are shown
	// before the difference, and after it.
	maxContext = 200
)

// piece is a substring of a value, or a number of characters that are omitted there.
type piece struct {
	text    string
	differs bool // the text differs from that of the other node's value
	omitted int  // number of characters, if this is not text
}

// pieces are one value, in order. In the page's data they are JSON: a single string if it
// is the whole value, and a list otherwise. In the list, a string is text that both nodes
// have, a list of one string is text that differs, and a number is the number of omitted
// characters. For example, ["ab",["c"],90] is ab, which both nodes have, c, which
// differs, and 90 omitted characters.
type pieces []piece

// whole returns the pieces of a value that is not compared with another.
func whole(value string) pieces {
	shown, omitted := firstOf(value, maxShown)
	return pieces{{text: shown}, {omitted: omitted}}.tidy()
}

// compare returns the pieces of two values of one column. The text in which the values
// differ is marked.
func compare(a, b string) (pieces, pieces) {
	prefix, suffix := common(a, b)
	return parts(a, prefix, suffix), parts(b, prefix, suffix)
}

// parts returns the pieces of a value that differs from another value. The other value
// has the same first prefix bytes and the same last suffix bytes.
func parts(value string, prefix, suffix int) pieces {
	before, middle, after := value[:prefix], value[prefix:len(value)-suffix], value[len(value)-suffix:]
	if _, omitted := firstOf(value, maxShown); omitted == 0 {
		return pieces{{text: before}, {text: middle, differs: true}, {text: after}}.tidy()
	}

	omittedBefore, before := lastOf(before, maxContext)
	middle, omittedMiddle := firstOf(middle, maxShown-2*maxContext)
	after, omittedAfter := firstOf(after, maxContext)
	return pieces{
		{omitted: omittedBefore},
		{text: before},
		{text: middle, differs: true},
		{omitted: omittedMiddle},
		{text: after},
		{omitted: omittedAfter},
	}.tidy()
}

// tidy removes empty pieces. It does not remove an empty piece that differs, because the
// other value has text there.
func (p pieces) tidy() pieces {
	var kept pieces
	for _, piece := range p {
		if piece.text != "" || piece.omitted > 0 || piece.differs {
			kept = append(kept, piece)
		}
	}
	return kept
}

// firstOf returns the first n characters of a text, and the number of omitted characters.
// It does not cut within a grapheme cluster, unless the cluster alone is longer.
func firstOf(text string, n int) (shown string, omitted int) {
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

// lastOf returns the last n characters of a text, and the number of omitted characters.
func lastOf(text string, n int) (omitted int, shown string) {
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

// appendPieces appends the JSON of the pieces.
func appendPieces(out []byte, p pieces) []byte {
	if len(p) == 0 {
		return append(out, `""`...)
	}
	if len(p) == 1 && !p[0].differs && p[0].omitted == 0 {
		return appendText(out, p[0].text)
	}

	out = append(out, '[')
	for i, piece := range p {
		if i > 0 {
			out = append(out, ',')
		}
		switch {
		case piece.omitted > 0:
			out = strconv.AppendInt(out, int64(piece.omitted), 10)
		case piece.differs:
			out = append(appendText(append(out, '['), piece.text), ']')
		default:
			out = appendText(out, piece.text)
		}
	}
	return append(out, ']')
}
