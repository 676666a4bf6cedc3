package render

import "strings"

const (
	// maxJSONDepth bounds the nesting, and maxJSON the size in bytes, of the JSON values
	// that are compared by key. Values beyond these bounds are compared as text.
	maxJSONDepth = 64
	maxJSON      = 1 << 20
	// maxJSONLine is the maximum length, in bytes, of an object or array that is shown on
	// one line.
	maxJSONLine = 60
)

// jsonValue is a value within a JSON text, with the span of its bytes. Only objects and
// arrays have members.
type jsonValue struct {
	span
	kind    byte // first character: {, [ or ", or the first character of a number, true, false or null
	members []jsonMember
}

// jsonMember is a member of an object, with its key, or an element of an array.
type jsonMember struct {
	from  int    // offset of the key, or of the element
	key   string // the key as the JSON text has it, with quotes; "" for an element of an array
	value jsonValue
}

// parseJSON parses a JSON text as PostgreSQL writes jsonb. It accepts some texts that are
// not JSON, because it only looks for the boundaries of values. It returns false if it
// does not find them.
func parseJSON(text string) (jsonValue, bool) {
	if len(text) > maxJSON {
		return jsonValue{}, false
	}
	p := &jsonParser{text: text}
	v, ok := p.value(0)
	p.space()
	return v, ok && p.at == len(text)
}

type jsonParser struct {
	text string
	at   int
}

func (p *jsonParser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// next skips white space and the character c after it. It returns false, and skips only
// the white space, if another character follows.
func (p *jsonParser) next(c byte) bool {
	p.space()
	if p.at == len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

func (p *jsonParser) value(depth int) (v jsonValue, ok bool) {
	p.space()
	if p.at == len(p.text) || depth > maxJSONDepth {
		return v, false
	}

	v.from, v.kind = p.at, p.text[p.at]
	switch v.kind {
	case '{':
		ok = p.members(&v, '}', depth)
	case '[':
		ok = p.members(&v, ']', depth)
	case '"':
		ok = p.quoted()
	default:
		for p.at < len(p.text) && strings.IndexByte(" \t\r\n,:[]{}\"", p.text[p.at]) < 0 {
			p.at++
		}
		ok = p.at > v.from
	}
	v.to = p.at
	return v, ok
}

// quoted skips a string. It returns false if the string has no end.
func (p *jsonParser) quoted() bool {
	for p.at++; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case '"':
			p.at++
			return true
		}
	}
	return false
}

func (p *jsonParser) members(v *jsonValue, end byte, depth int) bool {
	p.at++
	if p.next(end) {
		return true
	}
	for {
		p.space()
		m := jsonMember{from: p.at}
		if end == '}' {
			if p.at == len(p.text) || p.text[p.at] != '"' || !p.quoted() {
				return false
			}
			m.key = p.text[m.from:p.at]
			if !p.next(':') {
				return false
			}
		}

		var ok bool
		if m.value, ok = p.value(depth + 1); !ok {
			return false
		}
		v.members = append(v.members, m)
		if p.next(end) {
			return true
		}
		if !p.next(',') {
			return false
		}
	}
}

// jsonSpans compares two JSON texts by key. x are the spans of a that differ from b, and
// y the spans of b that differ from a. ok is false if one of the texts cannot be parsed.
func jsonSpans(a, b string) (x, y []span, ok bool) {
	first, okA := parseJSON(a)
	second, okB := parseJSON(b)
	if !okA || !okB {
		return nil, nil, false
	}
	c := &jsonComparison{a: a, b: b}
	c.compare(first, second)
	return union(c.x), union(c.y), true
}

// jsonComparison compares two JSON texts and collects the spans that differ.
type jsonComparison struct {
	a, b string
	x, y []span
}

func (c *jsonComparison) compare(v, w jsonValue) {
	textA, textB := c.a[v.from:v.to], c.b[w.from:w.to]
	switch {
	case textA == textB:
	case v.kind == '{' && w.kind == '{':
		c.objects(v, w)
	case v.kind == '[' && w.kind == '[':
		c.arrays(v, w)
	case v.kind == '"' && w.kind == '"':
		x, y := textSpans(textA[1:len(textA)-1], textB[1:len(textB)-1])
		c.x, c.y = append(c.x, shift(x, v.from+1)...), append(c.y, shift(y, w.from+1)...)
	default:
		c.x, c.y = append(c.x, v.span), append(c.y, w.span)
	}
}

// objects compares two objects by key. If only one of the objects has a key, the other
// object gets an empty span in the place of the missing member.
func (c *jsonComparison) objects(v, w jsonValue) {
	inB := make(map[string]int, len(w.members))
	for i, m := range w.members {
		inB[m.key] = i
	}
	matched := make([]int, len(w.members)) // for each member of w, the number (from 1) of the member of v with the same key; 0: there is none

	placeB := w.from + 1
	for i, m := range v.members {
		j, found := inB[m.key]
		if !found {
			c.x, c.y = append(c.x, span{m.from, m.value.to}), append(c.y, span{placeB, placeB})
			continue
		}
		matched[j] = i + 1
		placeB = w.members[j].value.to
		c.compare(m.value, w.members[j].value)
	}

	placeA := v.from + 1
	for j, m := range w.members {
		if matched[j] == 0 {
			c.x, c.y = append(c.x, span{placeA, placeA}), append(c.y, span{m.from, m.value.to})
			continue
		}
		placeA = v.members[matched[j]-1].value.to
	}
}

// arrays compares two arrays by their elements. If some elements were replaced by the
// same number of other elements, the old and new elements are compared one by one.
// Otherwise they are marked as a whole.
func (c *jsonComparison) arrays(v, w jsonValue) {
	edits, ok := diff(elements(c.a, v), elements(c.b, w))
	if !ok {
		edits = []edit{{0, len(v.members), 0, len(w.members)}}
	}
	for _, e := range edits {
		if e.toA-e.fromA == e.toB-e.fromB {
			for i := range e.toA - e.fromA {
				c.compare(v.members[e.fromA+i].value, w.members[e.fromB+i].value)
			}
			continue
		}
		c.x = append(c.x, elementsSpan(v, e.fromA, e.toA))
		c.y = append(c.y, elementsSpan(w, e.fromB, e.toB))
	}
}

// elements returns the texts of the elements of an array.
func elements(text string, v jsonValue) []string {
	list := make([]string, len(v.members))
	for i, m := range v.members {
		list[i] = text[m.value.from:m.value.to]
	}
	return list
}

// elementsSpan returns the span of the elements [from, to) of an array. If there are no
// such elements, it returns an empty span at the place where they are missing: after the
// previous element or after the opening bracket.
func elementsSpan(v jsonValue, from, to int) span {
	switch {
	case from < to:
		return span{v.members[from].from, v.members[to-1].value.to}
	case from > 0:
		return span{v.members[from-1].value.to, v.members[from-1].value.to}
	}
	return span{v.from + 1, v.from + 1}
}

// lineBreak is a place in a JSON text at which the page begins a new line, indented by
// the depth.
type lineBreak struct{ at, depth int }

// jsonBreaks returns the places at which the page breaks the lines of a JSON text that is
// too long for one line.
func jsonBreaks(text string) []lineBreak {
	v, ok := parseJSON(text)
	if !ok {
		return nil
	}
	return v.breaks(nil, 0)
}

func (v jsonValue) breaks(list []lineBreak, depth int) []lineBreak {
	if len(v.members) == 0 || v.to-v.from <= maxJSONLine {
		return list
	}
	for _, m := range v.members {
		list = append(list, lineBreak{m.from, depth + 1})
		list = m.value.breaks(list, depth+1)
	}
	return append(list, lineBreak{v.to - 1, depth})
}
