package pg

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// byKey writes a statement that looks every key up by the key index's equality, without the filter: head is what it
// selects of the row, lock how it locks it. The first result column is the key's place in the list + 1; a key without a
// row gives none.
func byKey(s table.Source, keys []table.Key, head, lock string) query {
	if s.Unindexed {
		return scanForKeys(s, keys, head, lock)
	}
	columns, name := list("k", len(s.Key)), own(s, "list")
	return query{
		args: columnsOf(keys, len(s.Key)),
		sql: fmt.Sprintf("SELECT %s.ord, ace_inner.* FROM %s %s CROSS JOIN LATERAL (SELECT %s FROM %s WHERE %s OFFSET 0%s) ace_inner",
			name, unnestKeys(s, columns), name, head, s.Relation, sameKey(s, qualify(name, columns)), lock),
	}
}

// Digests gives the digest of each key's row; nil where there is no row. One round trip.
func (t *Tx) Digests(ctx context.Context, s table.Source, keys []table.Key) ([]*int64, error) {
	digests := make([]*int64, len(keys))
	q := byKey(s, keys, s.Digest+" AS x", "")
	q.row = func(v [][]byte) error {
		i, err := place(v[0], len(keys))
		if err != nil {
			return err
		}
		if digests[i] != nil {
			return t.node.twice(keys[i])
		}
		x, err := strconv.ParseInt(string(v[1]), 10, 64)
		digests[i] = &x
		return err
	}
	return digests, t.run(ctx, "re-reading differing keys", append(settings(lookupPlans(s)), q)...)
}

// Spellings gives for each key the text that its row has it in, which may be another where equal keys need not look
// alike; nil where there is no row. One round trip.
func (t *Tx) Spellings(ctx context.Context, s table.Source, keys []table.Key) ([]table.Key, error) {
	spelt := make([]table.Key, len(keys))
	q := byKey(s, keys, strings.Join(s.Key, ", "), "")
	q.row = func(v [][]byte) error {
		i, err := place(v[0], len(keys))
		if err != nil {
			return err
		}
		if spelt[i] != nil {
			return t.node.twice(keys[i])
		}
		spelt[i] = readKey(v[1:])
		return nil
	}
	return spelt, t.run(ctx, "reading keys", append(settings(lookupPlans(s)), q)...)
}

// twice is the error of a unique index that is not.
func (n *Node) twice(key table.Key) error {
	return fault.New(fault.Invalid, "node %q has two rows with the key %s, so its unique index is damaged: rows cannot be told apart (REINDEX names the duplicates)",
		n.name, key)
}

// Rows opens a stream of the rows of these keys, in the order of the list.
func (t *Tx) Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error) {
	return t.rows(ctx, s, keys, "")
}

func (t *Tx) rows(ctx context.Context, s table.Source, keys []table.Key, lock string) (table.RowStream, error) {
	q := byKey(s, keys, s.Digest+" AS x, "+strings.Join(s.Columns, ", "), lock)
	st, err := t.open(ctx, "reading differing rows", append(settings(lookupPlans(s)), q)...)
	if err != nil {
		return nil, err
	}
	return &rowStream{stream: st, keys: keys, last: -1}, nil
}

// rowStream reads rows by key; at most one row is in memory, and the few small ones whose places are made together.
type rowStream struct {
	stream *stream
	keys   []table.Key
	last   int
	row    table.Row // places for the rows to come
	texts  []string
}

// Next gives the next row that exists, with its place in the list of keys; a place of -1 is the end.
func (r *rowStream) Next() (int, table.KeyedRow, error) {
	for {
		index, values, err := r.stream.next()
		if err != nil || values == nil {
			return -1, table.KeyedRow{}, err
		}
		if index == 0 { // the planner settings
			continue
		}
		i, err := place(values[0], len(r.keys))
		if err != nil {
			return -1, table.KeyedRow{}, err
		}
		if i == r.last {
			return -1, table.KeyedRow{}, r.stream.tx.node.twice(r.keys[i])
		}
		if i < r.last {
			return -1, table.KeyedRow{}, fault.New(fault.Internal, "node %q gave keys out of order", r.stream.tx.node.name)
		}
		r.last = i
		row, err := r.readRow(values[1:])
		return i, row, err
	}
}

// Close gives the transaction back for the next statement.
func (r *rowStream) Close() error { return r.stream.close() }

const (
	// rowsTogether is for how many rows places are made at once.
	rowsTogether = 64
	// smallRow is the text of a row that may share them: those of a large one should not be kept by its neighbours.
	smallRow = 1 << 10
)

// readRow copies digest and columns out of the connection's buffer, all texts of the row as one. The row may be kept.
func (r *rowStream) readRow(values [][]byte) (table.KeyedRow, error) {
	x, err := strconv.ParseInt(string(values[0]), 10, 64)
	if err != nil {
		return table.KeyedRow{}, fmt.Errorf("digest: %w", err)
	}
	columns := values[1:]
	size := 0
	for _, value := range columns {
		size += len(value)
	}
	var text strings.Builder // in one piece, which nobody else holds: a row may be large
	text.Grow(size)
	for _, value := range columns {
		text.Write(value)
	}
	row, texts := r.places(len(columns), size)
	all := text.String()
	for i, value := range columns {
		if value != nil {
			texts[i], all = all[:len(value)], all[len(value):]
			row[i] = &texts[i]
		}
	}
	return table.KeyedRow{Digest: x, Row: row}, nil
}

// places gives the memory of a row of so many columns and bytes.
func (r *rowStream) places(columns, size int) (table.Row, []string) {
	if size > smallRow {
		return make(table.Row, columns), make([]string, columns)
	}
	if len(r.row) < columns {
		r.row, r.texts = make(table.Row, rowsTogether*columns), make([]string, rowsTogether*columns)
	}
	row, texts := r.row[:columns:columns], r.texts[:columns:columns]
	r.row, r.texts = r.row[columns:], r.texts[columns:]
	return row, texts
}

func place(value []byte, count int) (int, error) {
	ord, err := strconv.Atoi(string(value))
	if err != nil || ord < 1 || ord > count {
		return 0, fault.New(fault.Internal, "the server answered for a key that was not asked for")
	}
	return ord - 1, nil
}
