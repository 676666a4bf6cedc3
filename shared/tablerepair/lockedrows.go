package tablerepair

import (
	"encoding/binary"

	"ace/shared/bitmap"
	"ace/shared/part"
	"ace/shared/table"
)

// lockedBytes bounds how much memory the locked rows of a target take, compressed. The
// rows of the part of keys that exceeds it, and those of all later parts, are read again
// when the attempt decides about them.
const lockedBytes = 16 << 20

// lockedRows holds the rows that an attempt has locked on the target. No other
// transaction can change them until the attempt ends, so they need not be read again.
type lockedRows struct {
	places bitmap.Set // numbers of the keys that have a locked row
	// changed has, in a repair by rule, the numbers of the keys for which the target has
	// another version than when the key was decided
	changed bitmap.Set
	parts   []*part.Memory // the rows of the first parts of keys
	size    int            // number of bytes in parts
	line    []byte         // buffer for the row that is being added
}

// add adds a locked row to memory, which has the rows of the current part of keys. place
// is the index of the row's key in the part. add returns memory, or nil if the row
// exceeds the bound: then the rows of this part are not kept. If memory is nil, add does
// nothing.
func (l *lockedRows) add(memory *part.Memory, place int, row table.Row) (*part.Memory, error) {
	if memory == nil || l.size+memory.Size()+(change{Before: row}).size() > lockedBytes {
		return nil, nil //nolint:nilnil // nil means that the rows are not kept
	}
	l.line = appendLocked(l.line[:0], place, row)
	return memory, memory.Line(l.line)
}

// keep adds the rows of the next part of keys. memory is nil if they were not collected.
func (l *lockedRows) keep(memory *part.Memory) error {
	if memory == nil {
		return nil
	}
	if err := memory.Seal(); err != nil {
		return err
	}
	l.parts = append(l.parts, memory)
	l.size += memory.Size()
	return nil
}

// collect returns a new memory for the rows of the n-th part of keys, or nil if these
// rows are not to be collected.
func (l *lockedRows) collect(n int) *part.Memory {
	if n > len(l.parts) || l.size >= lockedBytes {
		return nil
	}
	return &part.Memory{}
}

// appendLocked appends a locked row to out. place is the index of the row's key in the
// part of keys.
func appendLocked(out []byte, place int, row table.Row) []byte {
	return appendPackedRow(binary.AppendUvarint(out, uint64(place)), row)
}

// lockedPart reads the locked rows of one part of keys.
type lockedPart struct {
	reader *part.MemoryReader
	from   int // index in the part of the first key of the current window
	to     int // index of the first key after it
	place  int // index of the key of row; -1 after the last row
	row    table.Row
}

// open returns the rows of the n-th part of keys, or nil if they are not in memory.
func (l *lockedRows) open(n int) (*lockedPart, error) {
	if l == nil || n >= len(l.parts) {
		return nil, nil
	}
	p := &lockedPart{reader: l.parts[n].Read()}
	return p, p.advance()
}

// window selects the rows of the next keys of the part and returns the lockedPart itself,
// as a stream of these rows.
func (p *lockedPart) window(keys int) table.RowStream {
	p.from, p.to = p.to, p.to+keys
	return p
}

// Next implements table.RowStream for the keys of the current window.
func (p *lockedPart) Next() (int, table.KeyedRow, error) {
	if p.place < 0 || p.place >= p.to {
		return -1, table.KeyedRow{}, nil
	}
	place, row := p.place-p.from, p.row
	return place, table.KeyedRow{Row: row}, p.advance()
}

// Close implements table.RowStream. The lockedPart stays usable for the next window.
func (p *lockedPart) Close() error { return nil }

func (p *lockedPart) advance() error {
	line, err := p.reader.NextLine()
	if err != nil || line == nil {
		p.place = -1
		return err
	}
	r := packedReader{text: string(line)}
	p.place = int(r.number())
	p.row = r.row()
	if r.damaged {
		return errPacked
	}
	return nil
}
