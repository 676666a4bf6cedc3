package rowpairs

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"

	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/table"
)

// Difference holds the rows that the nodes of a pair have for one key.
type Difference struct {
	Pair      difffile.Pair
	Rows      [2]difffile.Row // one for each node of the pair; nil if the node lacks the key. Their memory is not reused.
	Unsettled bool            // the row was still changing when last read
	// Writes are the last writes of the rows; nil if the document does not list the write.
	Writes [2]*difffile.LastWrite
}

// Kind classifies a difference.
type Kind int

// The kinds.
const (
	Different  Kind = iota // the key is on both nodes
	OnlyFirst              // only the pair's first node has the key
	OnlySecond             // only the pair's second node has the key
)

// Kind returns how the rows differ.
func (d Difference) Kind() Kind {
	switch {
	case d.Rows[1] == nil:
		return OnlyFirst
	case d.Rows[0] == nil:
		return OnlySecond
	}
	return Different
}

// Differences returns all differences, pair by pair. The rows of each node are in the
// order of the document. The sequence ends with the first error.
func (d *Document) Differences(ctx context.Context) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		for _, p := range d.pairs {
			err := d.each(ctx, p, func(found Difference) bool { return yield(found, nil) })
			if errors.Is(err, errStop) {
				return
			}
			if err != nil {
				yield(Difference{}, err)
				return
			}
		}
	}
}

// errStop is the error that the method each returns if the consumer of the sequence has
// stopped.
var errStop = errors.New("the consumer has stopped")

// each calls yield for each difference of a pair. It reads the sections of both nodes at
// the same time, with one cursor per section. Keys that both nodes have are in the same
// order in both sections. So the cursor that reaches such a key first waits there for the
// other cursor.
func (d *Document) each(ctx context.Context, p *pair, yield func(Difference) bool) error {
	var sides [2]*cursor
	for i := range sides {
		c, err := d.openCursor(ctx, p.sections[i])
		if err != nil {
			return err
		}
		defer c.close()
		sides[i] = c
	}

	for sides[0].row != nil || sides[1].row != nil {
		found := Difference{Pair: p.nodes}
		alone := [2]bool{d.isAlone(p, 0, sides[0]), d.isAlone(p, 1, sides[1])}
		switch {
		case alone[0] && (!alone[1] || !before(d.keyOf(sides[1].row), d.keyOf(sides[0].row))):
			found.Rows[0] = sides[0].row
		case alone[1]:
			found.Rows[1] = sides[1].row
		case d.sameKey(p, sides[0].row, sides[1].row):
			found.Rows = [2]difffile.Row{sides[0].row, sides[1].row}
		default:
			return fault.New(fault.Invalid,
				"the diff document lists the rows of pair %s in a different order for each node: "+
					"row %d of node %s and row %d of node %s do not belong together",
				p.nodes, sides[0].number+1, p.nodes[0], sides[1].number+1, p.nodes[1])
		}

		found.Unsettled = d.isUnsettled(p, found.Rows[0]) || d.isUnsettled(p, found.Rows[1])
		if err := found.readWrites(ctx, sides); err != nil {
			return err
		}
		if !yield(found) {
			return errStop
		}
		if err := found.advancePast(ctx, sides); err != nil {
			return err
		}
	}
	return nil
}

// readWrites sets the last writes of the rows of the difference. The cursors must be at
// these rows.
func (d *Difference) readWrites(ctx context.Context, sides [2]*cursor) error {
	for i, row := range d.Rows {
		if row == nil {
			continue
		}
		var err error
		if d.Writes[i], err = sides[i].lastWrite(ctx); err != nil {
			return err
		}
	}
	return nil
}

// advancePast advances the cursors of the nodes that have a row in the difference.
func (d *Difference) advancePast(ctx context.Context, sides [2]*cursor) error {
	for i, row := range d.Rows {
		if row == nil {
			continue
		}
		if err := sides[i].advance(ctx); err != nil {
			return err
		}
	}
	return nil
}

// isAlone reports whether the cursor is at a row whose key the other node lacks. side is
// the index of the cursor's node in the pair.
func (d *Document) isAlone(p *pair, side int, c *cursor) bool {
	if c.row == nil || p.both[side].Has(c.number) {
		return false
	}
	if len(p.variants) == 0 {
		return true
	}

	hash := d.hash.of(d.keyOf(c.row))
	if side == 0 {
		_, isVariant := p.variants[hash]
		return !isVariant
	}
	return !p.variantOf[hash]
}

// sameKey reports whether two rows belong together: the texts of their keys are equal, or
// the document lists the keys as key variants.
func (d *Document) sameKey(p *pair, first, second difffile.Row) bool {
	if first == nil || second == nil {
		return false
	}
	a, b := d.keyOf(first), d.keyOf(second)
	if slices.EqualFunc(a, b, table.SameValue) {
		return true
	}

	variant, found := p.variants[d.hash.of(a)]
	return found && variant == d.hash.of(b)
}

// isUnsettled reports whether a pair lists the key of a row as unsettled. The row may be
// nil.
func (d *Document) isUnsettled(p *pair, row difffile.Row) bool {
	if row == nil || len(p.unsettled) == 0 {
		return false
	}
	_, found := slices.BinarySearch(p.unsettled, d.hash.of(d.keyOf(row)))
	return found
}

// cursor reads the rows of one section.
type cursor struct {
	row    difffile.Row // the current row; nil after the last row
	number int64        // number of the row in the section, from 0
	next   func() (difffile.Entry, error, bool)
	stop   func()
	stream io.Closer

	document *Document
	section  section
	writes   *writes // opened by lastWrite
}

// openCursor returns a cursor at the first row of a section. The cursor must be closed.
func (d *Document) openCursor(ctx context.Context, s section) (*cursor, error) {
	if s.rows == 0 {
		return &cursor{}, nil
	}

	stream, err := d.open(ctx, s.first.Offset)
	if err != nil {
		return nil, err
	}

	c := &cursor{number: -1, stream: stream, document: d, section: s}
	c.next, c.stop = iter.Pull2(d.reader.Section(stream, s.first))
	if err := c.advance(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// advance moves the cursor to the next row. If there is none, row becomes nil.
func (c *cursor) advance(ctx context.Context) error {
	entry, err, more := c.next()
	if err == nil {
		err = ctx.Err()
	}

	c.row = nil
	if more {
		c.row = entry.Row
	}
	c.number++
	return err
}

func (c *cursor) close() {
	if c.stream != nil {
		c.stop()
		_ = c.stream.Close() // the stream was only read, so the error does not matter
	}
	if c.writes != nil {
		c.writes.close()
	}
}
