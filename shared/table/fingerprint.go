package table

import (
	"errors"
	"strings"
)

// Fingerprint is what a node says of the rows of a range, one by one, in key order.
type Fingerprint struct {
	Rows      []int64  // the rows' digests
	KeyDigest int64    // XOR of the keys' digests
	KeyArrays []string // the keys, for each key column as a text array in PostgreSQL's text form; nil if they were not asked for
}

// FingerprintRequest is what is asked of each range for its Fingerprint. More rows are ErrMore.
type FingerprintRequest struct {
	Keys         bool  // the keys themselves too
	MaxRangeRows int64 // that one range may hold
	MaxRows      int64 // that all ranges may hold together
}

// KeysAt gives the keys at some places, which rise.
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

var errArray = errors.New("the text of an array ends early or has no such element, or that is NULL")

// elementsAt reads some elements of a one-dimensional array of texts, without decoding those between.
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
			if element == "" || element == "NULL" { // texts of these letters stand in quotes
				return nil, errArray
			}
			elements = append(elements, unquoteElement(element))
		}
		ok, rest = rest[end] == ',', rest[end+1:]
	}
	return elements, nil
}

// elementEnd gives where the delimiter after the first element is, -1 if there is none.
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
