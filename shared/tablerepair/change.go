package tablerepair

import (
	"context"
	"slices"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/part"
	"ace/shared/table"
)

// What is done to a row.
const (
	opInsert = "insert"
	opUpdate = "update"
	opDelete = "delete"
)

// change is what was decided for one row, with all that is needed to do it and to take it back.
type change struct {
	Op string `json:"op"`
	// Key finds the target's row: as its own text, or as that of the row to be inserted.
	Key    table.Key `json:"key"`
	Before table.Row `json:"before,omitempty"` // all columns of the target's row; none for an insert
	// Columns and After: the places and new values of what an update sets. An insert has the first so many columns.
	Columns []int     `json:"columns,omitempty"`
	After   table.Row `json:"after,omitempty"`
}

// size is about how much memory the change takes, in bytes.
func (c change) size() int {
	n := 64
	for _, row := range []table.Row{c.Before, c.After} {
		for _, value := range row {
			n += 16
			if value != nil {
				n += len(*value)
			}
		}
	}
	return n
}

// row gives the row as it is to be; nil for a deletion. Columns that an insert leaves to the node are missing.
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
	// windowRows and windowBytes bound what one statement writes or one look-up waits for. One row may be larger.
	windowRows  = 500
	windowBytes = 4 << 20
)

// window collects changes until there is enough for a statement.
type window struct {
	list []placed
	size int
}

// placed is a change and its number among all of the attempt.
type placed struct {
	change
	at int64
}

func (w *window) add(c placed) (full bool) {
	w.list = append(w.list, c)
	w.size += c.size()
	return len(w.list) >= windowRows || w.size >= windowBytes
}

func (w *window) reset() { w.list, w.size = nil, 0 }

// picker chooses changes by what they do and by their numbers.
type picker func(op string, at int64) bool

func all(string, int64) bool { return true }

// only chooses by what is done.
func only(op string) picker { return func(o string, _ int64) bool { return o == op } }

// except chooses by what is not done.
func except(op string) picker { return func(o string, _ int64) bool { return o != op } }

// eachChange reads the changes of some parts that pick chooses.
func eachChange(ctx context.Context, store archive.Store, parts []Stored, pick picker, fn func(placed) error) error {
	at := int64(0)
	for _, stored := range parts {
		r, err := part.Open(ctx, store, stored.Key, stored.Header)
		if err != nil {
			return err
		}
		at, err = each(ctx, r, at, pick, fn)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// each reads a part whose first change has the number at, and gives the number that follows its last.
func each(ctx context.Context, r *part.Reader, at int64, pick picker, fn func(placed) error) (int64, error) {
	for ; ; at++ {
		line, err := r.NextLine()
		if err != nil || line == nil {
			return at, err
		}
		if at%windowRows == 0 && ctx.Err() != nil {
			return at, context.Cause(ctx)
		}
		if op, _ := opOf(line); op != "" && !pick(op, at) { // most of what is read more than once is read for nothing else
			continue
		}
		c, err := readChange(line)
		if err != nil {
			return at, r.Damaged(err)
		}
		if !pick(c.Op, at) {
			continue
		}
		if err := fn(placed{c, at}); err != nil {
			return at, err
		}
	}
}

// eachWindow reads the changes that pick chooses, in windows. While fn has one the next is read: pick must not depend on
// what fn does.
func eachWindow(ctx context.Context, store archive.Store, parts []Stored, pick picker, fn func([]placed) error) error {
	return fanout.Ahead(ctx, func(ctx context.Context, give func([]placed) error) error {
		var w window
		err := eachChange(ctx, store, parts, pick, func(c placed) error {
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

func keysOf(changes []placed) []table.Key {
	keys := make([]table.Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	return keys
}
