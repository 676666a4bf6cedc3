package difffile

// largeText is the maximum length of a text that shares an allocation with others. A
// longer text has an allocation of its own.
const largeText = 4 << 10

// values collects the values of one row. Its memory is reused for the next row. All texts
// of a row except the large ones share one allocation: a document can have as many rows
// as a table, so an allocation for each text would be slow.
type values struct {
	text  []byte // the texts, one after the other
	spans []span // one for each column of the Row
}

// span is the position of a value in values.text. The zero value is NULL.
type span struct {
	from, to int
	isSet    bool
	large    *string // a text that is not in values.text
}

// reset begins a row of n values, which are all NULL.
func (v *values) reset(n int) {
	v.text = v.text[:0]
	if cap(v.spans) < n {
		v.spans = make([]span, n)
	}
	v.spans = v.spans[:n]
	clear(v.spans)
}

// set decodes raw, the JSON of the row's value i, which has the kind k. raw must be valid
// JSON.
func (v *values) set(i int, k kind, raw []byte) error {
	body, escaped, err := textOf(k, raw)
	if err != nil || body == nil {
		return err
	}
	if !escaped {
		v.setText(i, body)
		return nil
	}
	if len(body) > largeText {
		large, err := unescape(body, escaped)
		v.spans[i].large = &large
		return err
	}

	from := len(v.text)
	v.text, err = appendUnescaped(v.text, body)
	v.spans[i] = span{from: from, to: len(v.text), isSet: true}
	return err
}

// setText sets the row's value i to a text.
func (v *values) setText(i int, text []byte) {
	if len(text) > largeText {
		large := string(text)
		v.spans[i].large = &large
		return
	}

	from := len(v.text)
	v.text = append(v.text, text...)
	v.spans[i] = span{from: from, to: len(v.text), isSet: true}
}

// row returns the row. It does not share memory with v.
func (v *values) row() Row {
	all := string(v.text)
	texts := make([]string, 0, len(v.spans)) // must not grow, because the row has pointers to its elements
	row := make(Row, len(v.spans))
	for i, s := range v.spans {
		switch {
		case s.large != nil:
			row[i] = s.large
		case s.isSet:
			texts = append(texts, all[s.from:s.to])
			row[i] = &texts[len(texts)-1]
		}
	}
	return row
}
