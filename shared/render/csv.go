package render

import (
	"bufio"
	"context"
	"io"
	"strconv"

	"ace/shared/difffile"
	"ace/shared/rowpairs"
)

// CSV writes a document's rows as RFC 4180: UTF-8 without a byte order mark, with lines
// that end in CR LF. After a header there is one line for each row of each node, so a
// difference has one or two lines. The columns are:
//
//	ace_difference   the number of the difference, from 1
//	ace_pair         n1/n2
//	ace_kind         different, or only_on_<node>
//	ace_unsettled    true if the row was still changing when last read, else false
//	ace_node         the node whose row this is
//	ace_written_at   when the row was written last, if any node records commit times
//	ace_origin       the replication origin of that write; empty for a local transaction
//	...              the key columns, then all others, each under its own name
//
// Values are PostgreSQL's text. As in the CSV of COPY, an empty field without quotes is
// NULL and an empty field with quotes is the empty string. A value or name is prefixed
// with an apostrophe if it begins with an apostrophe, or if a spreadsheet could read it
// as a formula (see mayBeFormula). A reader that removes one leading apostrophe from each
// field has exactly the values of the document.
func CSV(ctx context.Context, w io.Writer, open rowpairs.Opener) error {
	doc, err := rowpairs.Open(ctx, open)
	if err != nil {
		return err
	}

	c := &csv{out: bufio.NewWriterSize(w, 64<<10), order: keyFirst(doc), written: len(doc.Summary().CommitTimes) > 0}
	if err := c.header(doc.Summary()); err != nil {
		return err
	}

	n := 0
	for d, err := range doc.Differences(ctx) {
		if err != nil {
			return err
		}
		n++
		if err := c.difference(n, d); err != nil {
			return err
		}
	}
	return c.out.Flush()
}

// csv writes one CSV document.
type csv struct {
	out     *bufio.Writer
	order   []int
	written bool   // the lines have the last write of each row
	line    []byte // buffer for the line that is being written
}

func (c *csv) header(s difffile.Summary) error {
	for _, name := range []string{"ace_difference", "ace_pair", "ace_kind", "ace_unsettled", "ace_node"} {
		c.field(&name)
	}
	if c.written {
		at, origin := "ace_written_at", "ace_origin"
		c.field(&at)
		c.field(&origin)
	}
	for _, at := range c.order {
		c.field(&s.Columns[at].Name)
	}
	return c.endLine()
}

func (c *csv) difference(n int, d rowpairs.Difference) error {
	number := strconv.Itoa(n)
	pair := d.Pair.String()
	kind := kindName(d)
	unsettled := strconv.FormatBool(d.Unsettled)
	for i, row := range d.Rows {
		if row == nil {
			continue
		}
		for _, value := range []*string{&number, &pair, &kind, &unsettled, &d.Pair[i]} {
			c.field(value)
		}
		if c.written {
			c.write(d.Writes[i])
		}
		for _, at := range c.order {
			c.field(row[at])
		}
		if err := c.endLine(); err != nil {
			return err
		}
	}
	return nil
}

// write appends the fields of a last write. Unknown values are empty.
func (c *csv) write(w *difffile.LastWrite) {
	var at, origin *string
	if w != nil && w.At != "" {
		at = &w.At
	}
	if w != nil && w.Origin != "" {
		origin = &w.Origin
	}
	c.field(at)
	c.field(origin)
}

func kindName(d rowpairs.Difference) string {
	switch d.Kind() {
	case rowpairs.OnlyFirst:
		return "only_on_" + d.Pair[0]
	case rowpairs.OnlySecond:
		return "only_on_" + d.Pair[1]
	}
	return "different"
}

func (c *csv) field(value *string) {
	c.line = append(appendField(c.line, value), ',')
}

func (c *csv) endLine() error {
	line := append(c.line[:len(c.line)-1], "\r\n"...)
	c.line = line[:0]
	_, err := c.out.Write(line)
	return err
}
