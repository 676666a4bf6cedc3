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
	if len(c.Columns) > 0 {
		out = append(out, `,"columns":`...)
		for i, at := range c.Columns {
			out = strconv.AppendInt(append(out, "[,"[min(i, 1)]), int64(at), 10)
		}
		out = append(out, ']')
	}
	if len(c.After) > 0 {
		out = table.AppendRow(append(out, `,"after":`...), c.After)
	}
	return append(out, '}')
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
	columns, rest, ok := readColumns(rest)
	if !ok {
		return c, false
	}
	after, rest, ok := readMember(rest, `,"after":`)
	c.Before, c.Columns, c.After = before, columns, after
	return c, ok && string(rest) == "}"
}

// readMember reads the row after name, if raw begins with name (such as `,"before":`).
// Otherwise it returns a nil row.
func readMember(raw []byte, name string) (row table.Row, rest []byte, ok bool) {
	rest, found := bytes.CutPrefix(raw, []byte(name))
	if !found {
		return nil, raw, true
	}
	list, rest, err := table.ReadRow(rest)
	return list, rest, err == nil
}

// readColumns reads the member "columns", if raw begins with it. Otherwise it returns
// nil.
func readColumns(raw []byte) (columns []int, rest []byte, ok bool) {
	rest, found := bytes.CutPrefix(raw, []byte(`,"columns":[`))
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
