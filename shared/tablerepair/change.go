package tablerepair

import (
	"context"
	"slices"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/part"
	"ace/shared/table"
)

// Operations on a row.
const (
	opInsert = "insert"
	opUpdate = "update"
	opDelete = "delete"
)

// change is the decision for one row, with all that is needed to apply and to undo it.
type change struct {
	Op string `json:"op"`
	// Key identifies the target's row. Its values are written as in the target's row or, for
	// an insert, as in the row to insert.
	Key table.Key `json:"key"`
	// Before holds all columns of the target's row. It is empty for an insert.
	Before table.Row `json:"before,omitempty"`
	// For an update, Columns are the indexes of the columns that it sets and After holds
	// their new values. An insert has no Columns; its After holds the values of the target's
	// first columns.
	Columns []int     `json:"columns,omitempty"`
	After   table.Row `json:"after,omitempty"`
	// WantedColumns are the indexes of the columns in which the row may differ from the
	// source's row even after the change: generated columns, and columns whose type on the
	// target stores the source's value as another text. Wanted holds the source's values of
	// these columns (in an undo, the before-image's values). After the change, verify
	// compares them with the target's values and counts the rows that still differ.
	WantedColumns []int     `json:"wanted_columns,omitempty"`
	Wanted        table.Row `json:"wanted,omitempty"`
	// Digest is the digest of the source's row, for an insert or update. It is zero if it is
	// unknown. After the change, the target's row has the same digest if the change has made
	// it equal to the source's row.
	Digest int64 `json:"-"`
	// Place, Rule and Reason are set only in a repair by rule. Place is the number of the
	// key among all keys of the plan. Rule is the number of the rule that decided, or 0 if
	// there are no rules. Reason states why.
	Place  int64  `json:"-"`
	Rule   int    `json:"-"`
	Reason string `json:"-"`

	// packed is the change as it is stored, if Before was not decoded (see complete).
	packed string
}

// complete decodes Before, unless it is decoded already.
func (c *change) complete() (err error) {
	if c.packed != "" {
		*c, err = readPacked([]byte(c.packed))
	}
	return err
}

// size returns about how much memory the change takes, in bytes.
func (c change) size() int {
	n := 64 + len(c.packed)
	for _, row := range []table.Row{c.Before, c.After, c.Wanted} {
		for _, value := range row {
			n += 16
			if value != nil {
				n += len(*value)
			}
		}
	}
	return n
}

// updates reports whether the change is an update that sets one of the columns with the
// given indexes.
func (c change) updates(columns ...int) bool {
	return c.Op == opUpdate && slices.ContainsFunc(columns, func(at int) bool { return slices.Contains(c.Columns, at) })
}

// row returns the row as it is after the change, or nil after a deletion. The row of an
// insert may lack the last columns, which only the target has.
func (c change) row() table.Row {
	switch c.Op {
	case opDelete:
		return nil
	case opInsert:
		return c.After
	}
	row := slices.Clone(c.Before)
	for i, at := range c.Columns {
		row[at] = c.After[i]
	}
	return row
}

const (
	// windowRows and windowBytes bound a window: the changes that one statement writes, or
	// the rows that are compared at once. A window has at least one row, even if that row is
	// larger than windowBytes.
	windowRows  = 2000
	windowBytes = 4 << 20
)

// window collects changes for one statement. add reports whether the window is full.
type window struct {
	list []numberedChange
	size int
}

// numberedChange is a change and its number (from 0) among all changes of the attempt.
type numberedChange struct {
	change
	at int64
}

func (w *window) add(c numberedChange) (full bool) {
	w.list = append(w.list, c)
	w.size += c.size()
	return len(w.list) >= windowRows || w.size >= windowBytes
}

func (w *window) reset() { w.list, w.size = nil, 0 }

// picker reports whether a change with this operation and number is selected.
type picker func(op string, at int64) bool

func all(string, int64) bool { return true }

// only returns a picker that selects changes with one operation.
func only(op string) picker { return func(o string, _ int64) bool { return o == op } }

// except returns a picker that selects changes with any other operation.
func except(op string) picker { return func(o string, _ int64) bool { return o != op } }

// decoding determines which stored changes are decoded, and by which function.
type decoding struct {
	pick   picker
	decode func(stored []byte) (change, error)
}

// whole decodes the changes that pick accepts.
func whole(pick picker) decoding { return decoding{pick, readChange} }

// brief decodes the changes that pick accepts, except for Before (see complete).
func brief(pick picker) decoding { return decoding{pick, readBrief} }

// eachChange reads parts of changes, and calls fn for each change that d decodes.
func eachChange(ctx context.Context, store archive.Store, parts []Stored, d decoding, fn func(numberedChange) error) error {
	at := int64(0)
	for _, stored := range parts {
		r, err := part.Open(ctx, store, stored.Key, stored.Header)
		if err != nil {
			return err
		}
		at, err = readPart(ctx, r, at, d, fn)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// readPart reads a part whose first change has the number at. It returns the number of
// the first change of the next part.
func readPart(ctx context.Context, r *part.Reader, at int64, d decoding, fn func(numberedChange) error) (int64, error) {
	for ; ; at++ {
		line, err := r.NextLine()
		if err != nil || line == nil {
			return at, err
		}
		if at%windowRows == 0 && ctx.Err() != nil {
			return at, context.Cause(ctx)
		}
		// Most callers need few of the lines, so the other lines are not decoded.
		if op := storedOp(line); op != "" && !d.pick(op, at) {
			continue
		}
		c, err := d.decode(line)
		if err != nil {
			return at, r.Damaged(err)
		}
		if !d.pick(c.Op, at) {
			continue
		}
		if err := fn(numberedChange{c, at}); err != nil {
			return at, err
		}
	}
}

// completeAll decodes Before of the changes.
func completeAll(list []numberedChange) error {
	for i := range list {
		if err := list[i].complete(); err != nil {
			return err
		}
	}
	return nil
}

// eachWindow calls fn with the changes that d decodes, one window at a time. The next
// window is read while fn runs, so the picker of d must not depend on what fn does.
func eachWindow(ctx context.Context, store archive.Store, parts []Stored, d decoding, fn func([]numberedChange) error) error {
	return fanout.Ahead(ctx, func(ctx context.Context, give func([]numberedChange) error) error {
		var w window
		err := eachChange(ctx, store, parts, d, func(c numberedChange) error {
			if !w.add(c) {
				return nil
			}
			list := w.list
			w.reset()
			return give(list)
		})
		if err != nil || len(w.list) == 0 {
			return err
		}
		return give(w.list)
	}, fn)
}

func keysOf(changes []numberedChange) []table.Key {
	keys := make([]table.Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	return keys
}
