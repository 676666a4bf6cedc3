package difffile

import (
	"encoding/json"
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
	src   *source
	dec   *json.Decoder
	start int64 // where in the document the stream begins
}

func newTokens(r io.Reader, maxValue int) tokens {
	src := &source{r: r, max: maxValue, left: maxValue}
	return tokens{src: src, dec: json.NewDecoder(src)}
}

// failed translates an error of the decoder.
func (t tokens) failed(at place, err error) error {
	switch {
	case errors.Is(err, errTooLong):
		return at.invalid(fmt.Errorf("%w; allowed are %d MB", err, t.src.max>>20))
	case t.src.err != nil:
		return fmt.Errorf("difffile: reading %s: %w", at, t.src.err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return at.invalid(errors.New("the document breaks off"))
	}
	return at.invalid(err)
}

func (t tokens) token(at place) (json.Token, error) {
	token, err := t.dec.Token()
	if err != nil {
		return nil, t.failed(at, err)
	}
	t.src.left = t.src.max
	return token, nil
}

// delim reads one of { } [ ].
func (t tokens) delim(at place, want json.Delim) error {
	token, err := t.token(at)
	if err == nil && token != want {
		err = at.invalid(fmt.Errorf("%q must stand here", want.String()))
	}
	return err
}

// name reads the name of a member.
func (t tokens) name(at place) (string, error) {
	token, err := t.token(at)
	if err != nil {
		return "", err
	}
	name, ok := token.(string)
	if !ok {
		return "", at.invalid(errors.New("it is empty"))
	}
	return name, nil
}

// member reads the name of a member of the document that must stand here.
func (t tokens) member(at place) error {
	name, err := t.name(at)
	if err == nil && name != at.member {
		err = fault.New(fault.Invalid, "the diff document has the member %.40q where %q must stand", name, at.member)
	}
	return err
}

func (t tokens) more() bool { return t.dec.More() }

// value reads a whole value of a simple type.
func (t tokens) value(at place, into any) error {
	if err := t.dec.Decode(into); err != nil {
		return t.failed(at, err)
	}
	t.src.left = t.src.max
	return nil
}

// raw reads a whole value as it stands.
func (t tokens) raw(at place) (json.RawMessage, error) {
	var raw json.RawMessage
	err := t.value(at, &raw)
	return raw, err
}

// offset is where in the document the value begins that raw just gave.
func (t tokens) offset(raw []byte) int64 { return t.start + t.dec.InputOffset() - int64(len(raw)) }

// object reads an object and calls fn with the name of every member; fn reads the value.
func (t tokens) object(at place, fn func(name string) error) error {
	if err := t.delim(at, '{'); err != nil {
		return err
	}
	return t.members(at, make(map[string]bool), fn)
}

// members reads an object's members that are left. The names in seen were read before.
func (t tokens) members(at place, seen map[string]bool, fn func(name string) error) error {
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

// array reads an array and calls fn with every element; at.row is the number of the element.
func (t tokens) array(at *place, fn func(raw []byte) error) error {
	if err := t.delim(*at, '['); err != nil {
		return err
	}
	for t.more() {
		at.row++
		raw, err := t.raw(*at)
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
func (t tokens) end() error {
	if err := t.delim(place{}, '}'); err != nil {
		return err
	}
	if _, err := t.dec.Token(); err != io.EOF || t.src.err != nil {
		if t.src.err != nil {
			return t.failed(place{}, t.src.err)
		}
		return place{}.invalid(errors.New("something follows the end of the document"))
	}
	return nil
}

func unknownMember(name string) error {
	return fault.New(fault.Invalid, "the diff document has the member %.40q, which is unknown or at the wrong place", name)
}

var errTooLong = errors.New("a single value is too long")

// source is the stream under the decoder. It stops a value that is too long, and keeps the stream's own error apart
// from those of the decoder.
type source struct {
	r    io.Reader
	max  int // bytes that may be read for one value
	left int // of these, for the current value
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errTooLong
	}
	n, err := s.r.Read(p[:min(len(p), s.left)])
	s.left -= n
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
