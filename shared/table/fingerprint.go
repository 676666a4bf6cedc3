package table

import (
	"errors"
	"strings"
)

// Fingerprint has the digest of every row of a key range, in key order.
type Fingerprint struct {
	Rows      []int64  // the rows' digests
	KeyDigest int64    // XOR of the digests of the keys
	KeyArrays []string // for each key column, the text of the array of its values, such as {1,2}; nil if not requested
}

// FingerprintRequest selects what the Fingerprints of a call contain and limits their
// size. If there are more rows than the limits allow, the error of the call is ErrMore.
type FingerprintRequest struct {
	Keys         bool  // KeyArrays is requested, too
	MaxRangeRows int64 // maximum number of rows of one range
	MaxRows      int64 // maximum number of rows of all ranges together
}

// KeysAt returns the keys of some rows. places are the indexes of these rows in f.Rows,
// in ascending order. The caller must have requested KeyArrays.
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

// elementsAt returns some elements of array, the text of a one-dimensional array such as
// {1,2}. places are the indexes of the elements to return, in ascending order. The other
// elements are not decoded.
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
			if element == "" || element == "NULL" { // malformed, or an SQL NULL; the text NULL would be in quotes
				return nil, errArray
			}
			elements = append(elements, unquoteElement(element))
		}
		ok, rest = rest[end] == ',', rest[end+1:]
	}

	return elements, nil
}

// elementEnd returns the position of the delimiter (a comma or the closing brace) after
// the first element of rest, or -1 if there is no delimiter. rest is the text of an array
// from the beginning of an element.
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
