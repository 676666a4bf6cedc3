package tablerepair

import (
	"encoding/binary"
	"errors"

	"ace/shared/table"
)

// A change is stored as a row of a packed part:
//
//	op, key, before, columns, after, wanted columns, wanted, digest, place, rule, reason
//
// op is a byte. digest has eight bytes, or none if it is unknown. place, rule and reason
// exist only in a repair by rule; then digest has always eight bytes. place and rule are
// varints, and reason is a text like the elements of lists. The others are lists: a
// varint with the number of elements, and the elements. An element of columns and wanted
// columns is a varint. An element of the other lists is a text: its length plus one as a
// varint, and its bytes, or only a zero for NULL. Versions before 30 November 2026 stored
// a change as a line of JSON (line.go).

// opBytes has the byte of each operation. Neither byte is '{', with which JSON begins.
var opBytes = map[string]byte{opInsert: 'i', opUpdate: 'u', opDelete: 'd'} //nolint:gochecknoglobals // a constant map

// opOfByte returns the operation with this byte, or "" if there is none.
func opOfByte(b byte) string {
	switch b {
	case 'i':
		return opInsert
	case 'u':
		return opUpdate
	case 'd':
		return opDelete
	}
	return ""
}

// appendPacked appends the change to out.
func (c change) appendPacked(out []byte) []byte {
	out = append(out, opBytes[c.Op])
	out = binary.AppendUvarint(out, uint64(len(c.Key)))
	for _, text := range c.Key {
		out = appendText(out, text)
	}
	out = appendPackedRow(out, c.Before)
	out = appendPackedColumns(out, c.Columns)
	out = appendPackedRow(out, c.After)
	out = appendPackedColumns(out, c.WantedColumns)
	out = appendPackedRow(out, c.Wanted)
	if c.Digest != 0 || c.Reason != "" {
		out = binary.LittleEndian.AppendUint64(out, uint64(c.Digest))
	}
	if c.Reason != "" {
		out = binary.AppendUvarint(out, uint64(c.Place))
		out = binary.AppendUvarint(out, uint64(c.Rule))
		out = appendText(out, c.Reason)
	}
	return out
}

func appendPackedRow(out []byte, row table.Row) []byte {
	out = binary.AppendUvarint(out, uint64(len(row)))
	for _, value := range row {
		if value == nil {
			out = append(out, 0)
		} else {
			out = appendText(out, *value)
		}
	}
	return out
}

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))+1), text...)
}

func appendPackedColumns(out []byte, columns []int) []byte {
	out = binary.AppendUvarint(out, uint64(len(columns)))
	for _, at := range columns {
		out = binary.AppendUvarint(out, uint64(at))
	}
	return out
}

var errPacked = errors.New("a change is malformed")

// readPacked reads what appendPacked wrote. The texts of the change share one allocation.
func readPacked(row []byte) (change, error) { return readFields(string(row), false) }

// readBriefPacked is like readPacked, but does not decode Before.
func readBriefPacked(row []byte) (change, error) { return readFields(string(row), true) }

func readFields(row string, brief bool) (c change, err error) {
	if row == "" {
		return c, errPacked
	}
	c.Op = opOfByte(row[0])
	r := packedReader{text: row[1:]}
	for _, text := range r.row() {
		if text == nil {
			return c, errPacked
		}
		c.Key = append(c.Key, *text)
	}
	if brief {
		c.packed = row
		r.skipRow()
	} else {
		c.Before = r.row()
	}
	c.Columns = r.columns()
	c.After = r.row()
	c.WantedColumns = r.columns()
	c.Wanted = r.row()
	if r.text != "" {
		c.Digest = r.fixed()
	}
	if r.text != "" {
		c.Place, c.Rule = int64(r.number()), int(r.number())
		c.Reason, _ = r.value()
	}
	if c.Op == "" || r.damaged || r.text != "" {
		return c, errPacked
	}
	return c, nil
}

// packedReader reads the lists of a packed change one after the other. After an error,
// damaged is true, and what was read must not be used.
type packedReader struct {
	text    string // the part of the text that was not read yet
	damaged bool
}

func (r *packedReader) fail() {
	r.damaged = true
	r.text = ""
}

// number reads a varint.
func (r *packedReader) number() uint64 {
	if r.text != "" && r.text[0] < 0x80 {
		n := uint64(r.text[0])
		r.text = r.text[1:]
		return n
	}
	n, size := binary.Uvarint([]byte(r.text[:min(len(r.text), binary.MaxVarintLen64)]))
	if size <= 0 {
		r.fail()
		return 0
	}
	r.text = r.text[size:]
	return n
}

// count reads the number of elements of a list. Each element has at least one byte, so
// there cannot be more elements than bytes.
func (r *packedReader) count() int {
	n := r.number()
	if n > uint64(len(r.text)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *packedReader) row() table.Row {
	n := r.count()
	if n == 0 {
		return nil
	}
	row, texts := make(table.Row, n), make([]string, n)
	for i := range row {
		if text, ok := r.value(); ok {
			texts[i] = text
			row[i] = &texts[i]
		}
	}
	return row
}

// skipRow skips a row.
func (r *packedReader) skipRow() {
	for range r.count() {
		r.value()
	}
}

// value reads a text. It returns false for NULL.
func (r *packedReader) value() (text string, ok bool) {
	size := r.number()
	if size == 0 {
		return "", false
	}
	if size--; size > uint64(len(r.text)) {
		r.fail()
		return "", false
	}
	text, r.text = r.text[:size], r.text[size:]
	return text, true
}

// fixed reads a number of eight bytes.
func (r *packedReader) fixed() int64 {
	if len(r.text) < 8 {
		r.fail()
		return 0
	}
	n := binary.LittleEndian.Uint64([]byte(r.text[:8]))
	r.text = r.text[8:]
	return int64(n)
}

func (r *packedReader) columns() []int {
	n := r.count()
	if n == 0 {
		return nil
	}
	columns := make([]int, n)
	for i := range columns {
		columns[i] = int(r.number())
	}
	return columns
}
