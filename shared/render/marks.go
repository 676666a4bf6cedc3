package render

import (
	"slices"
	"strings"

	"ace/shared/difffile"
)

// span is a range of bytes of a value that the other value does not have. An empty span
// is a place where only the other value has text.
type span struct{ from, to int }

// marker is how the values of a column are compared.
type marker int

const (
	byWord  marker = iota // for texts
	byValue               // for values that have no meaningful parts, such as numbers and dates
	byKey                 // for jsonb
)

// markerOf returns the marker for the values of a column. The hashes of redacted values
// are marked as a whole, because parts of a hash have no meaning.
func markerOf(column difffile.Column) marker {
	if column.Redacted {
		return byValue
	}
	typeName := column.Type
	name, _, _ := strings.Cut(typeName, "(")
	name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
	switch {
	case strings.HasSuffix(typeName, "[]"):
		return byWord
	case name == "jsonb":
		return byKey
	case slices.Contains([]string{
		"smallint", "integer", "bigint", "numeric", "real", "double", "money", "oid", "boolean", "date", "time", "timestamp",
		"interval", "uuid",
	}, name):
		return byValue
	}
	return byWord
}

// compare returns the spans in which two values of one column differ: x for a and y for
// b.
func (m marker) compare(a, b string) (x, y []span) {
	switch {
	case a == b:
		return nil, nil
	case m == byValue:
		return []span{{0, len(a)}}, []span{{0, len(b)}}
	case m == byKey:
		if x, y, ok := jsonSpans(a, b); ok {
			return x, y
		}
	}
	return textSpans(a, b)
}

// value is one of the distinct values of a column in the versions of a row. The versions
// are the distinct rows that the nodes have for one key.
type value struct {
	text    *string
	version int // index of the first version that has the value
	weight  int // number of nodes that have the value
}

// mark returns the pieces of the values of one column. The value that most nodes have is
// the reference. In every other value, mark marks what differs from the reference. In the
// reference, it marks what differs from any of the other values.
func (m marker) mark(values []value) []pieces {
	reference := 0
	for i, v := range values {
		if v.weight > values[reference].weight {
			reference = i
		}
	}
	spans := make([][]span, len(values))
	if r := values[reference].text; r != nil {
		compared := 0
		for i, v := range values {
			if i != reference && v.text != nil {
				var own []span
				own, spans[i] = m.compare(*r, *v.text)
				spans[reference] = append(spans[reference], own...)
				compared++
			}
		}
		if compared == 0 && len(values) > 1 { // all other values are NULL
			spans[reference] = []span{{0, len(*r)}}
		}
	}

	result := make([]pieces, len(values))
	for i, v := range values {
		switch {
		case v.text == nil:
		case len(values) == 1:
			result[i] = whole(*v.text, m.breaks(*v.text))
		case values[reference].text == nil:
			result[i] = marked(*v.text, []span{{0, len(*v.text)}}, m.breaks(*v.text))
		default:
			result[i] = marked(*v.text, union(spans[i]), m.breaks(*v.text))
		}
	}
	return result
}

// breaks returns the places at which the page breaks the lines of a value.
func (m marker) breaks(text string) []lineBreak {
	if m != byKey || len(text) <= maxJSONLine {
		return nil
	}
	return jsonBreaks(text)
}

// union merges spans into a list that is sorted and has no overlapping spans.
func union(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return a.to - b.to
	})
	var merged []span
	for _, s := range spans {
		if last := len(merged) - 1; last >= 0 && s.from <= merged[last].to && (s != span{s.from, s.from} || s.from < merged[last].to || merged[last] == s) {
			merged[last].to = max(merged[last].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

const (
	// maxWindow bounds the total length, in bytes, of two texts that are compared by
	// lines and words. If the texts are longer, everything between the first and the last
	// differing character is marked.
	maxWindow = 32 << 10
	// maxAround is the number of equal bytes before and after a difference that are
	// included in a comparison by words, so that whole words are marked.
	maxAround = 64
	// maxWord is the maximum length, in bytes, of a word that is always marked as a
	// whole. If a word was replaced by another and both are longer, only the part that
	// differs is marked.
	maxWord = 32
)

// textSpans compares texts by lines, and the lines that differ by words. Its time is
// bounded, because a hostile document can contain any texts.
func textSpans(a, b string) (x, y []span) {
	prefix, suffix := common(a, b)
	from := max(prefix-maxAround, 0)
	for from > 0 && joined(a, from) {
		from--
	}
	after := max(suffix-maxAround, 0)
	for after > 0 && joined(a, len(a)-after) {
		after--
	}
	windowA, windowB := a[from:len(a)-after], b[from:len(b)-after]
	if len(windowA)+len(windowB) > maxWindow {
		return []span{{prefix, len(a) - suffix}}, []span{{prefix, len(b) - suffix}}
	}

	x, y = byLines(windowA, windowB)
	return shift(x, from), shift(y, from)
}

// shift moves the spans to the right by a number of bytes.
func shift(spans []span, by int) []span {
	for i := range spans {
		spans[i].from += by
		spans[i].to += by
	}
	return spans
}

// byLines compares two texts by their lines. Lines that were replaced by other lines are
// compared with them by words.
func byLines(a, b string) (x, y []span) {
	linesA, linesB := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	edits, ok := diff(linesA, linesB)
	if !ok || len(linesA) == 1 && len(linesB) == 1 {
		return words(a, b)
	}

	offsetsA, offsetsB := offsets(linesA), offsets(linesB)
	for _, e := range edits {
		fromA, toA, fromB, toB := offsetsA[e.fromA], offsetsA[e.toA], offsetsB[e.fromB], offsetsB[e.toB]
		inA, inB := words(a[fromA:toA], b[fromB:toB])
		x, y = append(x, shift(inA, fromA)...), append(y, shift(inB, fromB)...)
	}
	return x, y
}

// words compares two texts by their words. If little of the texts is equal, it marks both
// texts as a whole, because many small marks are hard to read.
func words(a, b string) (x, y []span) {
	everything := func() ([]span, []span) { return []span{{0, len(a)}}, []span{{0, len(b)}} }
	if a == "" || b == "" {
		return everything()
	}

	wordsA, wordsB := splitWords(a), splitWords(b)
	edits, ok := diff(wordsA, wordsB)
	if !ok {
		return inner(a, b)
	}
	offsetsA, offsetsB := offsets(wordsA), offsets(wordsB)
	edits = joinEdits(edits, wordsA)
	for _, e := range edits {
		fromA, toA, fromB, toB := offsetsA[e.fromA], offsetsA[e.toA], offsetsB[e.fromB], offsetsB[e.toB]
		inA, inB := []span{{0, toA - fromA}}, []span{{0, toB - fromB}}
		if toA-fromA > maxWord && toB-fromB > maxWord && e.toA-e.fromA == 1 && e.toB-e.fromB == 1 {
			inA, inB = inner(a[fromA:toA], b[fromB:toB])
		}
		x, y = append(x, shift(inA, fromA)...), append(y, shift(inB, fromB)...)
	}
	if speckled(a, x) && speckled(b, y) {
		return everything()
	}
	return x, y
}

// inner marks what is between the common beginning and the common end of two texts.
func inner(a, b string) (x, y []span) {
	prefix, suffix := common(a, b)
	return []span{{prefix, len(a) - suffix}}, []span{{prefix, len(b) - suffix}}
}

// speckled reports whether there are more than two spans and they cover more than three
// quarters of the text.
func speckled(text string, spans []span) bool {
	covered := 0
	for _, s := range spans {
		covered += s.to - s.from
	}
	return len(spans) > 2 && 4*covered > 3*len(text)
}

// joinEdits joins two edits if only white space is between them. wordsA are the words of
// the first text.
func joinEdits(edits []edit, wordsA []string) []edit {
	var joint []edit
	for _, e := range edits {
		last := len(joint) - 1
		if last >= 0 && strings.TrimSpace(strings.Join(wordsA[joint[last].toA:e.fromA], "")) == "" {
			joint[last].toA, joint[last].toB = e.toA, e.toB
			continue
		}
		joint = append(joint, e)
	}
	return joint
}

// offsets returns the offset of each piece of a text, followed by the length of the text.
func offsets(pieces []string) []int {
	at := make([]int, len(pieces)+1)
	for i, piece := range pieces {
		at[i+1] = at[i] + len(piece)
	}
	return at
}
