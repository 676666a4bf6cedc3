package tablerepair

import (
	"context"

	"ace/shared/archive"
	"ace/shared/part"
	"ace/shared/table"
)

// altered is a row as it was left, where that is not what was decided alone: a trigger changed it, it was inserted where
// the table has columns that the source has not, the insertion was taken back, or the deletion was not done.
type altered struct {
	At        int64     `json:"at"`            // number of the change
	Row       table.Row `json:"row,omitempty"` // none: there is no such row
	Withdrawn bool      `json:"withdrawn,omitempty"`
	Kept      bool      `json:"kept,omitempty"` // the deletion was not done
}

// leftRows tells how an attempt left the rows: as it was decided, but for those that are stored as altered.
type leftRows struct {
	reader *part.Reader
	next   altered // At < 0: there are no more
}

// openLeft opens the part of altered rows, if there is one. It must be closed.
func openLeft(ctx context.Context, store archive.Store, stored *Stored) (*leftRows, error) {
	l := &leftRows{next: altered{At: -1}}
	if stored == nil {
		return l, nil
	}
	var err error
	if l.reader, err = part.Open(ctx, store, stored.Key, stored.Header); err != nil {
		return nil, err
	}
	if err := l.advance(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *leftRows) close() {
	if l.reader != nil {
		l.reader.Close()
	}
}

func (l *leftRows) advance() error {
	l.next = altered{}
	more, err := l.reader.Next(&l.next)
	if !more {
		l.next.At = -1
	}
	return err
}

// row gives the row of a change; nil for none. Changes are asked for in ascending order, and may be left out.
func (l *leftRows) row(c placed) (table.Row, error) {
	for l.next.At >= 0 && l.next.At < c.at {
		if err := l.advance(); err != nil {
			return nil, err
		}
	}
	if l.next.At != c.at {
		return c.row(), nil
	}
	return l.next.Row, nil
}

// undone reports whether a change was not done or was taken back. It follows row.
func (l *leftRows) undone(c placed) bool {
	return l.next.At == c.at && (l.next.Withdrawn || l.next.Kept)
}

// undone counts the insertions that were taken back, and the deletions that were not done.
func undone(ctx context.Context, store archive.Store, stored *Stored) (inserted, deleted int64, err error) {
	l, err := openLeft(ctx, store, stored)
	if err != nil {
		return 0, 0, err
	}
	defer l.close()
	for l.next.At >= 0 && err == nil {
		switch {
		case l.next.Withdrawn:
			inserted++
		case l.next.Kept:
			deleted++
		}
		err = l.advance()
	}
	return inserted, deleted, err
}
