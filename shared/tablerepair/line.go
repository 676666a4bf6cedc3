package tablerepair

import (
	"bytes"
	"encoding/json"
	"strconv"

	"ace/shared/table"
)

// Versions before 30 November 2026 stored a change as a line of JSON, in a part that is
// not packed. There can be as many changes as the table has rows, so the code below reads
// them without encoding/json, which is slower. If the members of a
// line are in another order or have white space between them, encoding/json reads it.

// readChange reads a stored change: what appendPacked wrote, or a line of JSON.
func readChange(line []byte) (c change, err error) {
	if len(line) == 0 || line[0] != '{' {
		return readPacked(line)
	}
	if c, ok := readPlain(line); ok {
		return c, nil
	}
	err = json.Unmarshal(line, &c)
	return c, err
}

// readBrief is like readChange, but does not decode Before if the change is packed.
func readBrief(line []byte) (change, error) {
	if len(line) == 0 || line[0] != '{' {
		return readBriefPacked(line)
	}
	return readChange(line)
}

// storedOp returns the operation of a stored change without decoding the rest of it. It
// is "" if that is not possible.
func storedOp(line []byte) string {
	if len(line) > 0 && line[0] != '{' {
		return opOfByte(line[0])
	}
	op, _ := opOf(line)
	return op
}

// opOf returns the operation of a line of JSON and the rest of the line. The operation is
// "" if the line does not begin with the operation.
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

// readPlain reads a line of JSON with the layout that earlier versions wrote. Otherwise
// it returns false.
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
