package difffile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"ace/shared/fault"
)

// place is where in a document something is wrong.
type place struct {
	member string // of the document
	pair   Pair
	node   string
	row    int // from 1; also the number of an unsettled key
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

// invalid says that the document is wrong here. The reason speaks about the document, so it may be shown.
func (p place) invalid(reason error) error {
	if p.column != "" {
		reason = fmt.Errorf("%q: %w", p.column, reason)
	}
	return fault.New(fault.Invalid, "the diff document is not valid at %s: %v", p, reason)
}

// tokens reads JSON piece by piece.
type tokens struct {
	*stream
	start int64 // where in the document the stream begins
	comma bool  // one has to stand before the next name or value
}

func newTokens(r io.Reader, maxValue int) *tokens {
	return &tokens{stream: newStream(r, maxValue)}
}

// failed says where something is wrong. An error of the source is no fault of the document.
func (t *tokens) failed(at place, err error) error {
	var source *sourceError
	if errors.As(err, &source) {
		return fmt.Errorf("difffile: reading %s: %w", at, source.err)
	}
	return at.invalid(err)
}

// next gives the byte that the next name or value begins with.
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

// delim reads one of { } [ ].
func (t *tokens) delim(at place, want byte) error {
	c, err := t.peek()
	if err != nil {
		return t.failed(at, err)
	}
	if c != want {
		return at.invalid(fmt.Errorf("%q must stand here", string(want)))
	}
	t.at++
	t.comma = want == '}' || want == ']'
	return nil
}

// name reads the name of a member, and the colon.
func (t *tokens) name(at place) (string, error) {
	first := !t.comma
	c, err := t.next()
	switch {
	case err != nil:
		return "", t.failed(at, err)
	case c == '}' && first:
		return "", at.invalid(errors.New("it is empty"))
	case c != '"':
		return "", at.invalid(fmt.Errorf("a name must stand where %q does", c))
	}
	quoted, err := t.value(MaxName)
	if err != nil {
		return "", t.failed(at, fmt.Errorf("a name: %w", err))
	}
	name, err := unquote(quoted)
	if err != nil {
		return "", at.invalid(err)
	}
	if c, err = t.peek(); err != nil {
		return "", t.failed(at, err)
	}
	if c != ':' {
		return "", at.invalid(fmt.Errorf("expected colon instead of %q", c))
	}
	t.at++
	return name, nil
}

// member reads the name of a member of the document that must stand here.
func (t *tokens) member(at place) error {
	name, err := t.name(at)
	if err == nil && name != at.member {
		err = fault.New(fault.Invalid, "the diff document has the member %.40q where %q must stand", name, at.member)
	}
	return err
}

// more says whether the object or array goes on.
func (t *tokens) more() bool {
	c, err := t.peek()
	return err == nil && c != '}' && c != ']'
}

// raw reads a whole value as it stands, which may have so many bytes. It stays until more is read.
func (t *tokens) raw(at place, limit int) ([]byte, error) {
	_, err := t.next()
	if err != nil {
		return nil, t.failed(at, err)
	}
	raw, err := t.value(limit)
	if err != nil {
		return nil, t.failed(at, err)
	}
	t.comma = true
	return raw, nil
}

// skip reads a value without keeping it. A text may be of any length.
func (t *tokens) skip(at place, k kind) error {
	c, err := t.next()
	if err == nil && c == '"' && (k == text || k == free) {
		_, err = t.skipText(anyLength)
		t.comma = true
	}
	if err != nil || c == '"' && (k == text || k == free) {
		return t.orFailed(at, err)
	}
	raw, err := t.raw(at, MaxValue)
	if err != nil {
		return err
	}
	_, err = parseValue(k, raw)
	return t.orFailed(at, err)
}

// orFailed is failed for an error that may be nil.
func (t *tokens) orFailed(at place, err error) error {
	if err == nil {
		return nil
	}
	return t.failed(at, err)
}

// offset returns where in the document the next byte stands.
func (t *tokens) offset() int64 { return t.start + t.stream.offset() }

// object reads an object and calls fn with the name of every member; fn reads the value.
func (t *tokens) object(at place, fn func(name string) error) error {
	if err := t.delim(at, '{'); err != nil {
		return err
	}
	return t.members(at, make(map[string]bool), fn)
}

// rowObject is object for a row.
func (t *tokens) rowObject(at place, fn func(name string) error) error {
	if first, err := t.next(); err != nil || first != '{' {
		return t.failed(at, cmp.Or(err, errNotObject))
	}
	return t.object(at, fn)
}

// members reads an object's members that are left. The names in seen were read before.
func (t *tokens) members(at place, seen map[string]bool, fn func(name string) error) error {
	for t.more() {
		name, err := t.name(at)
		if err != nil {
			return err
		}
		if seen[name] {
			return at.invalid(fmt.Errorf("%q: %w", name, errTwice))
		}
		seen[name] = true
		if err := fn(name); err != nil {
			return err
		}
	}
	return t.delim(at, '}')
}

// array reads an array and calls fn for every element, of which the first byte is next; fn reads it. at.row is the number
// of the element.
func (t *tokens) array(at *place, fn func() error) error {
	if err := t.delim(*at, '['); err != nil {
		return err
	}
	for t.more() {
		at.row++
		if _, err := t.next(); err != nil {
			return t.failed(*at, err)
		}
		if err := fn(); err != nil {
			return err
		}
	}
	return t.delim(*at, ']')
}

// end reads the end of the outermost object and makes sure that nothing follows.
func (t *tokens) end() error {
	if err := t.delim(place{}, '}'); err != nil {
		return err
	}
	_, err := t.peek()
	switch {
	case err == nil:
		return place{}.invalid(errors.New("something follows the end of the document"))
	case errors.Is(err, errBreaksOff):
		return nil
	}
	return t.failed(place{}, err)
}

func unknownMember(name string) error {
	return fault.New(fault.Invalid, "the diff document has the member %.40q, which is unknown or at the wrong place", name)
}
