package render

import (
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	// maxShown is the maximum length, in characters, of a value that the page contains
	// completely. Of a longer value it contains only the text around the difference.
	maxShown = 8_000
	// maxContext applies to values longer than maxShown. The page shows at most maxContext
	// characters before a difference, and as many after it.
	maxContext = 200
)

// piece is one of three things: a substring of a value, a number of characters that the
// page omits, or a line break that the page inserts.
type piece struct {
	text    string
	differs bool // the text differs from that of another node's value
	omitted int  // number of characters that the page omits, or 0
	indent  int  // for a line break, 1 plus the levels of indentation of the new line, or 0
}

// pieces are the pieces of one value, in order. In the page's data they are JSON: a
// string if they are only one text that all nodes have, and a list otherwise. In the
// list, a string is text that all nodes have, a list of one string is text that differs,
// and a positive number is the number of omitted characters. A negative number is a line
// break that is not part of the value: -1 is one without indentation, -2 is indented by
// one level. For example, ["ab",["c"],90] is ab, which all nodes have, c, which differs,
// and 90 omitted characters.
type pieces []piece

// whole returns the pieces of a value in which nothing is marked.
func whole(value string, breaks []lineBreak) pieces {
	shown, omitted := firstOf(value, maxShown)
	return append(split(nil, shown, 0, false, breaks), piece{omitted: omitted}).tidy()
}

// marked returns the pieces of a value in which spans are marked. Spans are in order and
// do not overlap. Of a long value, only the text around the spans remains.
func marked(value string, spans []span, breaks []lineBreak) pieces {
	if _, omitted := firstOf(value, maxShown); omitted == 0 {
		return everything(value, spans, breaks).tidy()
	}

	var p pieces
	room, done := maxShown, 0
	for _, s := range spans {
		if room <= 0 {
			break
		}
		head, gap := "", value[done:s.from]
		if done > 0 {
			head, _ = firstOf(gap, maxContext)
			gap = gap[len(head):]
		}
		omitted, tail := lastOf(gap, maxContext)
		text, rest := firstOf(value[s.from:s.to], max(room, 1))
		p = split(p, head, done, false, breaks)
		p = append(p, piece{omitted: omitted})
		p = split(p, tail, s.from-len(tail), false, breaks)
		p = append(split(p, text, s.from, true, breaks), piece{omitted: rest})
		room -= len(head) + len(tail) + len(text)
		done = s.to
	}

	after, omitted := firstOf(value[done:], maxContext)
	return append(split(p, after, done, false, breaks), piece{omitted: omitted}).tidy()
}

// everything returns the pieces of a value of which nothing is omitted.
func everything(value string, spans []span, breaks []lineBreak) pieces {
	var p pieces
	done := 0
	for _, s := range spans {
		p = split(p, value[done:s.from], done, false, breaks)
		p = split(p, value[s.from:s.to], s.from, true, breaks)
		done = s.to
	}
	return split(p, value[done:], done, false, breaks)
}

// split appends the pieces of text, a part of a value that begins at the given offset of
// the value. It adds a line break at each of the breaks that are within this part.
func split(p pieces, text string, offset int, differs bool, breaks []lineBreak) pieces {
	first, _ := slices.BinarySearchFunc(breaks, offset, func(b lineBreak, offset int) int { return b.at - offset })
	done := 0
	for _, b := range breaks[first:] {
		at := b.at - offset
		if at >= len(text) {
			break
		}
		if at > done {
			p = append(p, piece{text: text[done:at], differs: differs})
		}
		p, done = append(p, piece{indent: b.depth + 1}), at
	}
	return append(p, piece{text: text[done:], differs: differs})
}

// tidy removes empty pieces. It does not remove an empty piece that differs, because the
// other value has text there.
func (p pieces) tidy() pieces {
	var kept pieces
	for _, piece := range p {
		if piece.text != "" || piece.omitted > 0 || piece.indent > 0 || piece.differs {
			kept = append(kept, piece)
		}
	}
	return kept
}

// firstOf returns the first n characters of a text, and the number of omitted characters.
// It does not cut within a grapheme cluster, unless a single cluster is longer than n
// characters.
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
// It does not cut within a grapheme cluster, unless a single cluster is longer than n
// characters.
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

// encodePieces returns the JSON of the pieces.
func encodePieces(p pieces) []byte {
	if len(p) == 0 {
		return []byte(`""`)
	}
	if len(p) == 1 && !p[0].differs && p[0].omitted == 0 && p[0].indent == 0 {
		return appendText(nil, p[0].text)
	}

	out := []byte{'['}
	for i, piece := range p {
		if i > 0 {
			out = append(out, ',')
		}
		switch {
		case piece.indent > 0:
			out = strconv.AppendInt(out, -int64(piece.indent), 10)
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
