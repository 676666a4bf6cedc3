package difffile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"ace/shared/fault"
)

// place is a position in a document, as shown in errors.
type place struct {
	member string // name of a member of the document
	pair   Pair
	node   string
	row    int // number of the row, or of the element of a list of keys, from 1
	column string
}

func (p place) String() string {
	var parts []string
	if p.pair != (Pair{}) {
		parts = append(parts, "pair "+p.pair.String())
	}
	if p.node != "" {
		parts = append(parts, "node "+p.node)
	}
	if p.row > 0 {
		parts = append(parts, fmt.Sprint("row ", p.row))
	}
	if p.member != "" {
		parts = append([]string{fmt.Sprintf("%q", p.member)}, parts...)
	}
	if len(parts) == 0 {
		return "its outermost level"
	}
	return strings.Join(parts, ", ")
}

// invalid returns the error for a document that is invalid at this place. The reason is
// shown to users, so it must not contain an error of the archive or of a file. Use
// tokens.fail for an error that may be one of these.
func (p place) invalid(reason error) error {
	if p.column != "" {
		reason = fmt.Errorf("%q: %w", p.column, reason)
	}
	return fault.New(fault.Invalid, "the diff document is not valid at %s: %v", p, reason)
}

// tokens reads the JSON of a document token by token.
type tokens struct {
	*stream
	start int64 // where the stream begins, in bytes from the beginning of the document
	comma bool  // a comma must precede the next name or value

	nameBytes []byte // the name that was read last
	values    values // the values of the row that was read last
}

func newTokens(r io.Reader, maxValue int) *tokens {
	return &tokens{stream: newStream(r, maxValue)}
}

// fail returns err with the place. If err is an error of the source (see sourceError),
// the result wraps it; otherwise the result reports that the document is not valid.
func (t *tokens) fail(at place, err error) error {
	var source *sourceError
	if errors.As(err, &source) {
		return fmt.Errorf("difffile: reading %s: %w", at, source.err)
	}
	return at.invalid(err)
}

// next returns the first byte of the next name or value, without reading it. If a comma
// must precede the name or value, next reads the comma.
func (t *tokens) next() (byte, error) {
	c, err := t.peek()
	if err != nil || !t.comma {
		return c, err
	}
	if c != ',' {
		return 0, fmt.Errorf("expected comma instead of %q", c)
	}
	t.at++
	t.comma = false
	return t.peek()
}

// delim reads the delimiter want, which is one of { } [ ]. It returns an error if another
// character follows.
func (t *tokens) delim(at place, want byte) error {
	c, err := t.peek()
	if err != nil {
		return t.fail(at, err)
	}
	if c != want {
		return at.invalid(fmt.Errorf("expected %q", string(want)))
	}
	t.at++
	t.comma = want == '}' || want == ']'
	return nil
}

// name reads the name of a member and the colon after it.
func (t *tokens) name(at place) (string, error) {
	name, err := t.reusedName(at)
	return string(name), err
}

// reusedName is like name, but does not allocate memory. The returned name is valid until
// the next call of name or reusedName.
func (t *tokens) reusedName(at place) ([]byte, error) {
	first := !t.comma
	c, err := t.next()
	switch {
	case err != nil:
		return nil, t.fail(at, err)
	case c == '}' && first:
		return nil, at.invalid(errors.New("it is empty"))
	case c != '"':
		return nil, at.invalid(fmt.Errorf("expected a name instead of %q", c))
	}

	quoted, err := t.value(MaxName)
	if err != nil {
		return nil, t.fail(at, fmt.Errorf("a name: %w", err))
	}
	body, _, err := stringBody(quoted)
	if err == nil {
		t.nameBytes, err = appendUnescaped(t.nameBytes[:0], body)
	}
	if err != nil {
		return nil, at.invalid(err)
	}

	if c, err = t.peek(); err != nil {
		return nil, t.fail(at, err)
	}
	if c != ':' {
		return nil, at.invalid(fmt.Errorf("expected colon instead of %q", c))
	}
	t.at++
	return t.nameBytes, nil
}

// member reads the name of a member of the document and the colon after it. It returns an
// error unless the name is at.member.
func (t *tokens) member(at place) error {
	name, err := t.name(at)
	if err == nil && name != at.member {
		err = fault.New(fault.Invalid, "the diff document has the member %.40q where %q is expected", name, at.member)
	}
	return err
}

// more reports whether the current object or array has another element. It also returns
// false if the stream fails. The caller then reads the closing bracket, which returns the
// error.
func (t *tokens) more() bool {
	c, err := t.peek()
	return err == nil && c != '}' && c != ']'
}

// raw returns the next value as it is written. It returns an error if the value has more
// than limit bytes. The value is valid until the next read.
func (t *tokens) raw(at place, limit int) ([]byte, error) {
	_, err := t.next()
	if err != nil {
		return nil, t.fail(at, err)
	}
	raw, err := t.value(limit)
	if err != nil {
		return nil, t.fail(at, err)
	}
	t.comma = true
	return raw, nil
}

// skip reads a value of kind k and does not return it. It returns an error if the value
// is not valid for this kind. A string may have any length.
func (t *tokens) skip(at place, k kind) error {
	c, err := t.next()
	if err == nil && c == '"' && (k == text || k == untyped) {
		_, err = t.skipText(anyLength)
		t.comma = true
	}
	if err != nil || c == '"' && (k == text || k == untyped) {
		return t.check(at, err)
	}

	raw, err := t.raw(at, MaxValue)
	if err != nil {
		return err
	}
	_, err = parseValue(k, raw)
	return t.check(at, err)
}

// check returns nil if err is nil, and the result of fail otherwise.
func (t *tokens) check(at place, err error) error {
	if err == nil {
		return nil
	}
	return t.fail(at, err)
}

// offset returns the position of the next byte in the document.
func (t *tokens) offset() int64 { return t.start + t.stream.offset() }

// object reads an object. For every member it reads the name and calls fn with it. fn
// must read the member's value. A name that appears twice is an error.
func (t *tokens) object(at place, fn func(name string) error) error {
	seen := make(map[string]bool)
	return t.members(at, func(name []byte) error {
		if seen[string(name)] {
			return at.invalid(fmt.Errorf("%q: %w", name, errDuplicate))
		}
		seen[string(name)] = true
		return fn(string(name))
	})
}

// members is like object, but does not check for duplicate names. The name that is passed
// to fn is valid until the next call of a method.
func (t *tokens) members(at place, fn func(name []byte) error) error {
	if err := t.delim(at, '{'); err != nil {
		return err
	}
	for t.more() {
		name, err := t.reusedName(at)
		if err != nil {
			return err
		}
		if err := fn(name); err != nil {
			return err
		}
	}
	return t.delim(at, '}')
}

// row returns an error unless the next value is a JSON object, as a row must be. It reads
// the comma before the object, but not the object. The caller then reads the row with
// object or members.
func (t *tokens) row(at place) error {
	if first, err := t.next(); err != nil || first != '{' {
		return t.fail(at, cmp.Or(err, errNotObject))
	}
	return nil
}

// array reads an array and calls fn before every element. fn must read the element. array
// sets at.row to the number of the element, from 1.
func (t *tokens) array(at *place, fn func() error) error {
	if err := t.delim(*at, '['); err != nil {
		return err
	}
	for t.more() {
		at.row++
		if _, err := t.next(); err != nil {
			return t.fail(*at, err)
		}
		if err := fn(); err != nil {
			return err
		}
	}
	return t.delim(*at, ']')
}

// end reads the end of the outermost object and checks that nothing follows it.
func (t *tokens) end() error {
	if err := t.delim(place{}, '}'); err != nil {
		return err
	}
	_, err := t.peek()
	switch {
	case err == nil:
		return place{}.invalid(errors.New("there is data after the end of the document"))
	case errors.Is(err, errTruncated):
		return nil
	}
	return t.fail(place{}, err)
}

// unknownMember returns the error for a member that is not expected.
func unknownMember(name string) error {
	return fault.New(fault.Invalid, "the diff document has the member %.40q, which is unknown or out of order", name)
}
