package table

import (
	"errors"
	"strings"
)

// Fingerprint has the digest of every row of a key range, in key order.
type Fingerprint struct {
	Rows      []int64  // the rows' digests
	KeyDigest int64    // XOR of the digests of the keys
	KeyArrays []string // the keys: one array per key column, as PostgreSQL writes it; nil if not requested
}

// FingerprintRequest selects what a Fingerprint contains and limits its size. If there
// are more rows than allowed, the error is ErrMore.
type FingerprintRequest struct {
	Keys         bool  // fill in KeyArrays
	MaxRangeRows int64 // limit for one range
	MaxRows      int64 // limit for all ranges together
}

// KeysAt returns the keys of the rows at the given indexes (places), which must be in
// ascending order.
func (f Fingerprint) KeysAt(places []int) ([]Key, error) {
	keys := make([]Key, len(places))
	for _, array := range f.KeyArrays {
		elements, err := elementsAt(array, places)
		if err != nil {
			return nil, err
		}
		for i, element := range elements {
			keys[i] = append(keys[i], element)
		}
	}
	return keys, nil
}

var errArray = errors.New("the text of an array is incomplete, has too few elements, or has NULL at a requested place")

// elementsAt returns the elements of a one-dimensional text array at the given indexes
// (places). It does not decode the other elements.
func elementsAt(array string, places []int) ([]string, error) {
	elements := make([]string, 0, len(places))
	rest, ok := strings.CutPrefix(array, "{")
	for place := 0; len(elements) < len(places); place++ {
		end := elementEnd(rest)
		if !ok || end < 0 {
			return nil, errArray
		}
		if place == places[len(elements)] {
			element := rest[:end]
			if element == "" || element == "NULL" { // a text with these letters is quoted
				return nil, errArray
			}
			elements = append(elements, unquoteElement(element))
		}
		ok, rest = rest[end] == ',', rest[end+1:]
	}

	return elements, nil
}

// elementEnd returns the position of the delimiter after the first element of rest, or -1
// if there is no delimiter.
func elementEnd(rest string) int {
	if !strings.HasPrefix(rest, `"`) {
		return strings.IndexAny(rest, ",}")
	}
	for i := 1; i < len(rest)-1; i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

func unquoteElement(element string) string {
	if !strings.HasPrefix(element, `"`) {
		return element
	}

	element = element[1 : len(element)-1]
	if !strings.Contains(element, `\`) {
		return element
	}

	var b strings.Builder
	for i := 0; i < len(element); i++ {
		if element[i] == '\\' {
			i++
		}
		b.WriteByte(element[i])
	}

	return b.String()
}
