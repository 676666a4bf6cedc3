package tablerepair

import (
	"context"

	"ace/shared/archive"
	"ace/shared/part"
	"ace/shared/table"
)

// altered is a row whose final state differs from the decision, or is not given by the
// decision alone. A trigger changed it, it was inserted where the table has columns that
// the source lacks, the insertion was undone, or the deletion was not done.
type altered struct {
	At        int64     `json:"at"`            // number of the change
	Row       table.Row `json:"row,omitempty"` // none: there is no such row
	Withdrawn bool      `json:"withdrawn,omitempty"`
	Kept      bool      `json:"kept,omitempty"` // the deletion was not done
}

// finalRows returns rows as an attempt left them: as decided, except for those stored as
// altered.
type finalRows struct {
	reader *part.Reader
	next   altered // At < 0: there are no more
}

// openFinalRows opens the part of altered rows, if there is one. The caller must close
// it.
func openFinalRows(ctx context.Context, store archive.Store, stored *Stored) (*finalRows, error) {
	l := &finalRows{next: altered{At: -1}}
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

func (l *finalRows) close() {
	if l.reader != nil {
		l.reader.Close()
	}
}

func (l *finalRows) advance() error {
	l.next = altered{}
	more, err := l.reader.Next(&l.next)
	if !more {
		l.next.At = -1
	}
	return err
}

// row returns the final row of a change; nil for none. Changes must be requested in
// ascending order and may be left out.
func (l *finalRows) row(c numberedChange) (table.Row, error) {
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

// isUndone reports whether a change was not done or was undone. It must be called after
// row.
func (l *finalRows) isUndone(c numberedChange) bool {
	return l.next.At == c.at && (l.next.Withdrawn || l.next.Kept)
}

// countUndone counts the insertions that were undone and the deletions that were not
// done.
func countUndone(ctx context.Context, store archive.Store, stored *Stored) (inserted, deleted int64, err error) {
	l, err := openFinalRows(ctx, store, stored)
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
