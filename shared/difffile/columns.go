package difffile

import (
	"errors"
	"fmt"
)

var errNoColumn = errors.New("there is no such column")

// columns turn the object of a row into a Row.
type columns struct {
	list  []Column
	kinds []kind
	index map[string]int
}

func newColumns(list []Column) columns {
	c := columns{list: list, index: make(map[string]int, len(list))}
	for i, column := range list {
		c.kinds = append(c.kinds, kindOf(column))
		c.index[column.Name] = i
	}
	return c
}

// parse reads a row that has every column once, in any order.
func (c columns) parse(raw []byte) (Row, error) {
	row := make(Row, len(c.list))
	seen := make([]bool, len(c.list))
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
		var err error
		row[i], err = parseValue(c.kinds[i], value)
		return err
	})
	if err == nil && n != len(c.list) {
		err = fmt.Errorf("it has %d of %d columns", n, len(c.list))
	}
	return row, err
}
