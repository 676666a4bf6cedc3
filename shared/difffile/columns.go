package difffile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

var errNoColumn = errors.New("there is no such column")

// columns turn the object of a row into a Row.
type columns struct {
	list   []Column // those of a Row
	kinds  []kind   // of all columns, in the document's order
	labels [][]byte // how our own documents write a name, with the colon
	at     []int    // the place of each in a Row, -1 for none
	index  map[string]int
	key    []bool // of each: it belongs to the key
}

func newColumns(list []Column, key []string) columns {
	c := columns{list: list, index: make(map[string]int, len(list))}
	for i, column := range list {
		label, _ := appendString(nil, column.Name) // a name that cannot be written is met in no row of ours
		c.labels = append(c.labels, append(label, ':'))
		c.kinds = append(c.kinds, kindOf(column))
		c.at = append(c.at, i)
		c.index[column.Name] = i
		c.key = append(c.key, slices.Contains(key, column.Name))
	}
	return c
}

// only gives the columns whose rows have no more than these names; the values of others are not looked at.
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

// parse reads a row that has every column once, in any order. raw must be valid JSON.
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
			return errTwice
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

// limit returns how many bytes a value of a column may have.
func (c columns) limit(column int) int {
	if c.key[column] {
		return MaxKey
	}
	return MaxValue
}

// parseOurs reads a row as we write it, with which b begins: the columns in their order, without spaces. It gives the row
// and its length; nil and 0 of any other, also of one that is wrong or not whole. It is the short way that nearly all rows
// take: each byte is looked at once.
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

// set parses the value of a column, if the row has it.
func (c columns) set(row Row, column int, value []byte) (err error) {
	if at := c.at[column]; at >= 0 {
		row[at], err = parseValue(c.kinds[column], value)
	}
	return err
}
