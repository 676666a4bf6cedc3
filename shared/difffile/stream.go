package difffile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// firstBuffer is the initial size of the buffer. The buffer grows only for larger values.
const firstBuffer = 64 << 10

var errTruncated = errors.New("the document is truncated")

// stream reads the JSON values of a document without decoding them.
//
// A document can have as many rows as a table, so speed matters. This code is faster than
// a library: the benchmarks in jsontext_test.go compare both, and BENCHMARKS.md has the
// figures. A library also does not bound the length of a value, and cannot skip a value
// that does not fit into memory.
type stream struct {
	src    io.Reader
	max    int // maximum length of a value in bytes
	buf    []byte
	at     int   // position of the next byte in buf
	end    int   // end of the valid bytes in buf
	passed int64 // number of bytes of the source before buf
	err    error // the error at which the source ended; io.EOF is the end of the document
}

func newStream(src io.Reader, maxValue int) *stream {
	return &stream{src: src, max: maxValue, buf: make([]byte, min(firstBuffer, maxValue))}
}

// offset returns the position of the next byte, in bytes from the beginning of the
// source.
func (s *stream) offset() int64 { return s.passed + int64(s.at) }

// fill reads more of the source. It may move the valid bytes within the buffer, or to a
// larger buffer. It returns errTruncated if the source has ended, and a lengthError if
// the bytes in the buffer already have the maximum length of a value.
func (s *stream) fill() error {
	switch {
	case s.err == io.EOF: //nolint:errorlint // a Reader returns exactly this value at its end; an error that wraps it is a failure
		return errTruncated
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

// sourceError is an error of the source, not of the document.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// peek returns the next byte that is not white space, without reading it.
func (s *stream) peek() (byte, error) {
	for {
		if s.at = afterSpace(s.buf[:s.end], s.at); s.at < s.end {
			return s.buf[s.at], nil
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// lengthError reports a value that is too long.
type lengthError struct {
	size  int64
	whole bool // size is exact; otherwise the value is longer than size
	limit int  // the maximum length that is allowed
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

// value returns the next value. It returns an error if the value has more than limit
// bytes. The value is valid until the next read.
func (s *stream) value(limit int) ([]byte, error) {
	if _, err := s.peek(); err != nil {
		return nil, err
	}

	limit = min(limit, s.max)
	for {
		n := measure(s.buf[s.at:s.end], 0)
		switch {
		case n == malformed:
			return nil, syntaxError(s.buf[s.at:s.end])
		case n > limit:
			return nil, &lengthError{int64(n), true, limit}
		case n > 0:
			s.at += n
			return s.buf[s.at-n : s.at], nil
		case s.end-s.at >= limit:
			return nil, s.tooLong(limit)
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// tooLong returns the error for a value that is too long. If the value is a string,
// tooLong reads it to determine its size, but stops after twice the maximum length of a
// value.
func (s *stream) tooLong(limit int) error {
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

// anyLength is the limit of a text that may have any length.
const anyLength = math.MaxInt64

var errLonger = errors.New("it is longer than the limit")

// skipText skips a string. It returns the number of bytes from the opening to the closing
// quote. It returns errLonger if there are more than limit bytes. It accepts the same
// strings as unquote.
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

// syntaxError returns why b does not begin with a value.
func syntaxError(b []byte) error {
	var raw json.RawMessage
	err := json.NewDecoder(bytes.NewReader(b)).Decode(&raw)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		err = errors.New("it is not JSON")
	}
	return err
}
