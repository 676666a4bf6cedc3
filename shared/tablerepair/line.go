package tablerepair

import (
	"bytes"
	"encoding/json"
	"strconv"

	"ace/shared/table"
)

// A change is stored as a line of JSON. There can be as many changes as the table has
// rows, so the code below writes and reads them without encoding/json, which is slower.
// If the layout of a line differs from the one that appendLine writes, encoding/json
// reads it.

// appendLine appends the change to out as a line.
func (c change) appendLine(out []byte) []byte {
	out = append(out, `{"op":`...)
	out = strconv.AppendQuote(out, c.Op)
	out = table.AppendKey(append(out, `,"key":`...), c.Key)
	if len(c.Before) > 0 {
		out = table.AppendRow(append(out, `,"before":`...), c.Before)
	}
	out = appendColumns(out, `,"columns":`, c.Columns)
	if len(c.After) > 0 {
		out = table.AppendRow(append(out, `,"after":`...), c.After)
	}
	if len(c.WantedColumns) > 0 {
		out = appendColumns(out, `,"wanted_columns":`, c.WantedColumns)
		out = table.AppendRow(append(out, `,"wanted":`...), c.Wanted)
	}
	return append(out, '}')
}

// appendColumns appends a list of indexes of columns as the member name (such as
// `,"columns":`), unless the list is empty.
func appendColumns(out []byte, name string, columns []int) []byte {
	if len(columns) == 0 {
		return out
	}
	out = append(out, name...)
	for i, at := range columns {
		out = strconv.AppendInt(append(out, "[,"[min(i, 1)]), int64(at), 10)
	}
	return append(out, ']')
}

// readChange reads what appendLine wrote.
func readChange(line []byte) (c change, err error) {
	if c, ok := readPlain(line); ok {
		return c, nil
	}
	err = json.Unmarshal(line, &c)
	return c, err
}

// opOf returns the operation of a line and the rest of the line. The operation is "" if
// the layout differs from the one that appendLine writes.
func opOf(line []byte) (op string, rest []byte) {
	rest, ours := bytes.CutPrefix(line, []byte(`{"op":"`))
	quoted, rest, _ := bytes.Cut(rest, []byte(`"`))
	if !ours {
		return "", rest
	}
	switch string(quoted) {
	case opInsert:
		return opInsert, rest
	case opUpdate:
		return opUpdate, rest
	case opDelete:
		return opDelete, rest
	}
	return "", rest
}

// readPlain reads a line with the layout that appendLine writes. Otherwise it returns
// false.
func readPlain(line []byte) (c change, ok bool) {
	c.Op, line = opOf(line)
	rest, ok := bytes.CutPrefix(line, []byte(`,"key":`))
	if c.Op == "" || !ok {
		return c, false
	}

	key, rest, err := table.ReadRow(rest)
	if err != nil {
		return c, false
	}
	c.Key = make(table.Key, len(key))
	for i, text := range key {
		if text == nil {
			return c, false
		}
		c.Key[i] = *text
	}

	before, rest, ok := readMember(rest, `,"before":`)
	if !ok {
		return c, false
	}
	columns, rest, ok := readColumns(rest, `,"columns":[`)
	if !ok {
		return c, false
	}
	after, rest, ok := readMember(rest, `,"after":`)
	if !ok {
		return c, false
	}
	wantedColumns, rest, ok := readColumns(rest, `,"wanted_columns":[`)
	if !ok {
		return c, false
	}
	wanted, rest, ok := readMember(rest, `,"wanted":`)
	c.Before, c.Columns, c.After, c.WantedColumns, c.Wanted = before, columns, after, wantedColumns, wanted
	return c, ok && string(rest) == "}"
}

// readMember reads the row after name, if raw begins with name (such as `,"before":`).
// Otherwise it returns a nil row. ok is false only if the row after name cannot be read.
func readMember(raw []byte, name string) (row table.Row, rest []byte, ok bool) {
	rest, found := bytes.CutPrefix(raw, []byte(name))
	if !found {
		return nil, raw, true
	}
	list, rest, err := table.ReadRow(rest)
	return list, rest, err == nil
}

// readColumns reads a list of indexes after name, if raw begins with name (such as
// `,"columns":[`). Otherwise it returns nil. ok is false only if the list after name
// cannot be read.
func readColumns(raw []byte, name string) (columns []int, rest []byte, ok bool) {
	rest, found := bytes.CutPrefix(raw, []byte(name))
	if !found {
		return nil, raw, true
	}
	list, rest, found := bytes.Cut(rest, []byte("]"))
	for number := range bytes.SplitSeq(list, []byte(",")) {
		at, err := strconv.Atoi(string(number))
		if err != nil {
			return nil, nil, false
		}
		columns = append(columns, at)
	}
	return columns, rest, found
}
