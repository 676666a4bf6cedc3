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
	list   []Column       // the columns of a Row
	kinds  []kind         // of all columns, in the document's order, as are the following
	labels [][]byte       // the name as our documents write it, with the colon
	at     []int          // the index in a Row, or -1
	index  map[string]int // from name to index in kinds
	key    []bool         // whether the column belongs to the key
}

func newColumns(list []Column, key []string) columns {
	c := columns{list: list, index: make(map[string]int, len(list))}
	for i, column := range list {
		label, _ := appendString(nil, column.Name) // a name that is not UTF-8 is in no row of ours
		c.labels = append(c.labels, append(label, ':'))
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

// parse decodes a row that has every column once, in any order. raw must be valid JSON.
func (c columns) parse(raw []byte) (Row, error) {
	row := make(Row, len(c.list))
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
		return c.set(row, i, value)
	})
	if err == nil && n != len(c.kinds) {
		err = fmt.Errorf("it has %d of %d columns", n, len(c.kinds))
	}
	return row, err
}

// limit returns the maximum length of a column's values in bytes.
func (c columns) limit(column int) int {
	if c.key[column] {
		return MaxKey
	}
	return MaxValue
}

// parseOurs is the fast path for a row in our own layout, without spaces and with the
// columns in order. It returns the row that b begins with, and its length. If the length
// is 0, the row has another layout, is invalid or is not completely in b, and the caller
// must use the general parser.
func (c columns) parseOurs(b []byte) (Row, int) {
	if len(b) == 0 || b[0] != '{' {
		return nil, 0
	}
	row := make(Row, len(c.list))
	at := 1
	for i, label := range c.labels {
		if i > 0 {
			if at == len(b) || b[at] != ',' {
				return nil, 0
			}
			at++
		}
		if !bytes.HasPrefix(b[at:], label) {
			return nil, 0
		}
		at += len(label)
		n := measure(b[at:], 1)
		if n <= 0 || n > c.limit(i) || c.set(row, i, b[at:at+n]) != nil {
			return nil, 0
		}
		at += n
	}
	if at == len(b) || b[at] != '}' {
		return nil, 0
	}
	return row, at + 1
}

// set decodes the value of a column, if it belongs to the row.
func (c columns) set(row Row, column int, value []byte) (err error) {
	if at := c.at[column]; at >= 0 {
		row[at], err = parseValue(c.kinds[column], value)
	}
	return err
}
