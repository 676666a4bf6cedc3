package difffile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// firstBuffer is how much of a document lies in memory while no value is larger.
const firstBuffer = 64 << 10

var (
	errBreaksOff = errors.New("the document breaks off")
)

// stream gives the JSON values of a document as they stand. There can be as many as a table has rows, which is why this is not
// left to encoding/json: it looks at every byte three times.
type stream struct {
	src    io.Reader
	max    int // bytes that a value may have
	buf    []byte
	at     int   // of what is read next, in buf
	end    int   // of what is known, in buf
	passed int64 // bytes of the document before buf
	err    error // what the source ended with; io.EOF is the end of the document
}

func newStream(src io.Reader, maxValue int) *stream {
	return &stream{src: src, max: maxValue, buf: make([]byte, min(firstBuffer, maxValue))}
}

// offset is where in the document the next byte stands.
func (s *stream) offset() int64 { return s.passed + int64(s.at) }

// fill reads on. What is known may move within the buffer.
func (s *stream) fill() error {
	switch {
	case s.err == io.EOF: //nolint:errorlint // a Reader ends with this very value; what wraps it is an outage
		return errBreaksOff
	case s.err != nil:
		return &sourceError{s.err}
	}
	s.passed += int64(s.at)
	s.end = copy(s.buf, s.buf[s.at:s.end])
	s.at = 0
	if s.end == s.max {
		return &lengthError{int64(s.max), false, s.max}
	}
	if s.end == len(s.buf) {
		larger := make([]byte, min(2*s.end, s.max))
		copy(larger, s.buf)
		s.buf = larger
	}
	for s.end < len(s.buf) && s.err == nil {
		var n int
		n, s.err = s.src.Read(s.buf[s.end:])
		s.end += n
	}
	return nil
}

// sourceError is an error that the document has no part in.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// peek gives the next byte that is no white space, and leaves it there.
func (s *stream) peek() (byte, error) {
	for {
		if s.at = skipped(s.buf[:s.end], s.at); s.at < s.end {
			return s.buf[s.at], nil
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// lengthError is a value of more bytes than allowed.
type lengthError struct {
	size  int64
	whole bool // size is that of the whole value
	limit int
}

func (e *lengthError) Error() string {
	more := "more than "
	if e.whole {
		more = ""
	}
	allowed := fmt.Sprint(e.limit, " bytes")
	if e.limit >= 1<<20 {
		allowed = fmt.Sprint(e.limit>>20, " MB")
	}
	return fmt.Sprintf("a single value of %s%d bytes is too long; allowed are %s", more, e.size, allowed)
}

// value returns the next value, which may have so many bytes. It stays until more is read.
func (s *stream) value(limit int) ([]byte, error) {
	if _, err := s.peek(); err != nil {
		return nil, err
	}
	limit = min(limit, s.max)
	for {
		n := measure(s.buf[s.at:s.end], 0)
		switch {
		case n == malformed:
			return nil, reason(s.buf[s.at:s.end])
		case n > limit:
			return nil, &lengthError{int64(n), true, limit}
		case n > 0:
			s.at += n
			return s.buf[s.at-n : s.at], nil
		case s.end-s.at >= limit:
			return nil, s.measured(limit)
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// measured returns the error of a value that is too long, with its size if it is a string.
func (s *stream) measured(limit int) error {
	if s.buf[s.at] != '"' {
		return &lengthError{int64(limit), false, limit}
	}
	size, err := s.skipText(2 * int64(s.max))
	var source *sourceError
	if errors.As(err, &source) {
		return err
	}
	return &lengthError{size, err == nil, limit}
}

// anyLength is the limit of a text that may have any.
const anyLength = math.MaxInt64

var errLonger = errors.New("it is longer")

// skipText reads a string without keeping it, and returns its bytes. It gives up beyond a limit. It must be a string that
// unquote accepts.
func (s *stream) skipText(limit int64) (size int64, err error) {
	start := s.offset()
	s.at++
	for {
		n, done, err := checkText(s.buf[s.at:s.end])
		s.at += n
		size = s.offset() - start
		if size > limit && err == nil {
			err = errLonger
		}
		if done || err != nil {
			return size, err
		}
		if err := s.fill(); err != nil {
			return size, err
		}
	}
}

// reason says why bytes begin with no value.
func reason(b []byte) error {
	var raw json.RawMessage
	err := json.NewDecoder(bytes.NewReader(b)).Decode(&raw)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		err = errors.New("it is not JSON")
	}
	return err
}
