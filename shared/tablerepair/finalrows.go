package tablerepair

import (
	"context"

	"ace/shared/archive"
	"ace/shared/part"
	"ace/shared/table"
)

// altered is a row whose final state differs from the decision, or cannot be derived from
// the decision alone. There are four reasons: a trigger changed the row; it was inserted
// into a table that has columns that the source lacks; its insertion was undone; its
// deletion was not done.
type altered struct {
	At        int64     `json:"at"`                  // number of the change
	Row       table.Row `json:"row,omitempty"`       // empty if the row does not exist
	Withdrawn bool      `json:"withdrawn,omitempty"` // the insertion was undone
	Kept      bool      `json:"kept,omitempty"`      // the deletion was not done
}

// finalRows returns rows as they were after an attempt. They are as decided, except for
// the rows that were stored as altered.
type finalRows struct {
	reader *part.Reader
	next   altered // the next altered row; its At is negative if there is none
}

// openFinalRows opens the part of altered rows. stored is nil if the attempt has no such
// part. The caller must close the result.
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

// row returns the row of a change as it was after the attempt, or nil if it does not
// exist. Changes must be requested in ascending order, but not all of them must be
// requested.
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

// isUndone reports whether a change is a deletion that was not done or an insertion that
// was undone. The caller must have called row with the same change just before, because
// row makes next the altered row of this change, if there is one.
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
