package rowpairs

import (
	"context"
	"io"
	"iter"
	"slices"

	"ace/shared/difffile"
	"ace/shared/table"
)

// writes reads the last writes of the rows of one section. The document lists them in the
// order of the rows.
type writes struct {
	next   func() (difffile.LastWrite, error, bool)
	stop   func()
	stream io.Closer
}

// lastWrite returns the last write of the cursor's current row, or nil if the document
// does not list it. It must be called at most once for a row. It skips the writes of rows
// that were removed from the document.
func (c *cursor) lastWrite(ctx context.Context) (*difffile.LastWrite, error) {
	if c.section.written.Node == "" {
		return nil, nil //nolint:nilnil // nil means that the document does not list it
	}
	if c.writes == nil {
		stream, err := c.document.open(ctx, c.section.written.Offset)
		if err != nil {
			return nil, err
		}
		c.writes = &writes{stream: stream}
		c.writes.next, c.writes.stop = iter.Pull2(c.document.reader.WrittenSection(stream, c.section.written))
	}

	key := c.document.keyOf(c.row)
	for {
		write, err, more := c.writes.next()
		if err != nil || !more {
			return nil, err
		}
		if slices.EqualFunc(write.Key, key, table.SameValue) {
			return &write, nil
		}
	}
}

func (w *writes) close() {
	w.stop()
	_ = w.stream.Close() // the stream was only read, so the error does not matter
}
