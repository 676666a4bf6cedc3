package tablerepair

import (
	"context"
	"slices"

	"ace/shared/archive"
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

// eachChange reads the changes of some parts.
func eachChange(ctx context.Context, store archive.Store, parts []Stored, fn func(placed) error) error {
	at := int64(0)
	for _, stored := range parts {
		r, err := part.Open(ctx, store, stored.Key, stored.Header)
		if err != nil {
			return err
		}
		err = each(r, func(c change) error {
			at++
			return fn(placed{c, at - 1})
		})
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func each(r *part.Reader, fn func(change) error) error {
	for {
		line, err := r.NextLine()
		if err != nil || line == nil {
			return err
		}
		c, err := readChange(line)
		if err != nil {
			return r.Damaged(err)
		}
		if err := fn(c); err != nil {
			return err
		}
	}
}

// eachWindow reads the changes that pick chooses, in windows.
func eachWindow(ctx context.Context, store archive.Store, parts []Stored, pick func(placed) bool, fn func([]placed) error) error {
	var w window
	err := eachChange(ctx, store, parts, func(c placed) error {
		if !pick(c) || !w.add(c) {
			return nil
		}
		defer w.reset()
		return fn(w.list)
	})
	if err != nil || len(w.list) == 0 {
		return err
	}
	return fn(w.list)
}

func keysOf(changes []placed) []table.Key {
	keys := make([]table.Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	return keys
}

// bitmap is a set of small numbers.
type bitmap []uint64

func (b *bitmap) set(i int64) {
	for int64(len(*b)) <= i/64 {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b bitmap) has(i int64) bool {
	return i/64 < int64(len(b)) && b[i/64]&(1<<(i%64)) != 0
}
