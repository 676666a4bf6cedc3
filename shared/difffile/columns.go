package difffile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

var errNoColumn = errors.New("there is no such column")

// columns decodes the JSON object of a row to a Row.
type columns struct {
	list   []Column       // the columns of the Row that is returned
	names  []string       // the names of all columns of the document, in its order; kinds, labels, at and key have one element for each of these columns
	kinds  []kind         // the kind of the values of the column
	labels [][]byte       // the name of the column as JSON, followed by a colon
	at     []int          // the column's index in the Row, or -1 if it is ignored
	index  map[string]int // from the name of a column to its index in kinds
	key    []bool         // whether the column belongs to the key
}

func newColumns(list []Column, key []string) columns {
	c := columns{list: list, index: make(map[string]int, len(list))}
	for i, column := range list {
		label, _ := appendString(nil, column.Name) // an error means that the name is not UTF-8; no row that this package wrote has such a name
		c.labels = append(c.labels, append(label, ':'))
		c.names = append(c.names, column.Name)
		c.kinds = append(c.kinds, kindOf(column))
		c.at = append(c.at, i)
		c.index[column.Name] = i
		c.key = append(c.key, slices.Contains(key, column.Name))
	}
	return c
}

// only returns columns that decode the values of these names and ignore all others.
func (c columns) only(names []string) columns {
	all := c.list
	c.list, c.at = nil, make([]int, len(all))
	for i, column := range all {
		c.at[i] = -1
		if slices.Contains(names, column.Name) {
			c.at[i] = len(c.list)
			c.list = append(c.list, column)
		}
	}
	return c
}

// parse decodes a row, which must have every column once, in any order. raw must be valid
// JSON.
func (c columns) parse(raw []byte, v *values) (Row, error) {
	v.reset(len(c.list))
	seen := make([]bool, len(c.kinds))
	n := 0
	err := eachMember(raw, func(name string, value []byte) error {
		i, ok := c.index[name]
		if !ok {
			return errNoColumn
		}
		if seen[i] {
			return errDuplicate
		}
		seen[i] = true
		n++
		return c.set(v, i, value)
	})
	if err == nil && n != len(c.kinds) {
		err = fmt.Errorf("it has %d of %d columns", n, len(c.kinds))
	}
	if err != nil {
		return nil, err
	}
	return v.row(), nil
}

// limit returns the maximum length in bytes of a value of the column.
func (c columns) limit(column int) int {
	if c.key[column] {
		return MaxKey
	}
	return MaxValue
}

// parseFast is the fast path for a row that is completely in b and has its columns in
// order, as in documents that this package wrote. It decodes the row at the beginning of
// b and returns its length. A length of 0 means that the caller must use the general
// parser, which also determines what is wrong with an invalid row.
func (c columns) parseFast(b []byte, v *values) int {
	if len(b) == 0 || b[0] != '{' {
		return 0
	}

	v.reset(len(c.list))
	at := 1
	for i, label := range c.labels {
		if i > 0 {
			if at == len(b) || b[at] != ',' {
				return 0
			}
			at++
		}
		if at = afterLabel(b, at, label); at < 0 {
			return 0
		}

		n := c.decode(v, i, b[at:])
		if n <= 0 {
			return 0
		}
		at = afterSpace(b, at+n)
	}

	if at == len(b) || b[at] != '}' {
		return 0
	}
	return at + 1
}

// decode decodes a column's value at the beginning of b and returns its length. A length
// of 0 or less means that there is no complete and valid value at the beginning of b.
func (c columns) decode(v *values, column int, b []byte) int {
	if n := plainString(b); n > 0 && n <= c.limit(column) && c.kinds[column] == text {
		if at := c.at[column]; at >= 0 {
			v.setText(at, b[1:n-1])
		}
		return n
	}

	n := measure(b, 1)
	if n <= 0 || n > c.limit(column) || c.set(v, column, b[:n]) != nil {
		return 0
	}
	return n
}

// afterLabel returns the position of the value that follows label, a quoted name and its
// colon, in b at position at. White space may precede the name and may surround the
// colon. It returns -1 if b has no such name, or no colon after it, at this position.
func afterLabel(b []byte, at int, label []byte) int {
	at = afterSpace(b, at)
	if bytes.HasPrefix(b[at:], label) {
		return afterSpace(b, at+len(label))
	}

	name := label[:len(label)-1] // without the colon
	if !bytes.HasPrefix(b[at:], name) {
		return -1
	}
	if at = afterSpace(b, at+len(name)); at == len(b) || b[at] != ':' {
		return -1
	}
	return afterSpace(b, at+1)
}

// set decodes the value of a column, unless the column is ignored.
func (c columns) set(v *values, column int, value []byte) error {
	if at := c.at[column]; at >= 0 {
		return v.set(at, c.kinds[column], value)
	}
	return nil
}
