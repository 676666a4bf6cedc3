package difffile

import (
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
	switch {
	case errors.As(err, &source):
		return fmt.Errorf("difffile: reading %s: %w", at, source.err)
	case errors.Is(err, errTooLong):
		return at.invalid(fmt.Errorf("%w; allowed are %d MB", err, t.max>>20))
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
	quoted, err := t.value()
	if err != nil {
		return "", t.failed(at, err)
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

// raw reads a whole value as it stands. It stays until more is read.
func (t *tokens) raw(at place) ([]byte, error) {
	_, err := t.next()
	if err != nil {
		return nil, t.failed(at, err)
	}
	raw, err := t.value()
	if err != nil {
		return nil, t.failed(at, err)
	}
	t.comma = true
	return raw, nil
}

func (t *tokens) element(at place, quick func(b []byte) int) ([]byte, error) {
	if quick == nil {
		return t.raw(at)
	}
	if _, err := t.next(); err != nil {
		return nil, t.failed(at, err)
	}
	n := quick(t.buf[t.at:t.stream.end])
	if n == 0 {
		return t.raw(at)
	}
	t.at += n
	t.comma = true
	return t.buf[t.at-n : t.at], nil
}

// offset is where in the document the value begins that raw just gave.
func (t *tokens) offset(raw []byte) int64 { return t.start + t.stream.offset() - int64(len(raw)) }

// object reads an object and calls fn with the name of every member; fn reads the value.
func (t *tokens) object(at place, fn func(name string) error) error {
	if err := t.delim(at, '{'); err != nil {
		return err
	}
	return t.members(at, make(map[string]bool), fn)
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

// array reads an array and calls fn with every element; at.row is the number of the element. quick, if set, is shown what
// follows and says how long the element is that it begins with, or 0 if it does not know.
func (t *tokens) array(at *place, quick func(b []byte) int, fn func(raw []byte) error) error {
	if err := t.delim(*at, '['); err != nil {
		return err
	}
	for t.more() {
		at.row++
		raw, err := t.element(*at, quick)
		if err != nil {
			return err
		}
		if err := fn(raw); err != nil {
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
