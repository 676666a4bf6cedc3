package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ace/shared/fault"
	"ace/shared/rawtext"
	"ace/shared/table"
)

// byKey returns a statement that looks up the row of every key by the equality operators
// of the key's index. It ignores the filter. head is the select list for each row. lock
// is the locking clause (" FOR UPDATE") or empty. The first result column is the number
// of the key in keys, from 1, or 0 if the index leads to a row with another key. A key
// without a row has no result row.
func byKey(s table.Source, keys []table.Key, head, lock string) query {
	if s.Unindexed {
		return scanForKeys(s, keys, head, lock)
	}

	p, name := keyParams(s), uniqueName(s, "list")
	same := sameKey(s, qualify(name, p.names()))
	return query{
		args: p.ofKeys(keys),
		sql: fmt.Sprintf("SELECT ace_inner.* FROM %s %s CROSS JOIN LATERAL (SELECT CASE WHEN %s THEN %s.ord ELSE 0 END, %s FROM %s WHERE %s OFFSET 0%s) ace_inner",
			p.list(1), name, same, name, head, s.Relation, same, lock),
	}
}

// lookup describes a statement that reads the rows of some keys.
type lookup struct {
	doing   string
	head    string                            // the select list of the statement
	row     func(place int, v [][]byte) error // is called for each row; place is the index of the row's key in the list of keys
	options table.CallOption
}

// lookUp looks up keys in one round trip, and calls l.row for each row found. If some
// keys have a text that is invalid on this node (misfits.go), lookUp checks that no row
// of the table has such a key, and looks up the other keys.
func (t *Tx) lookUp(ctx context.Context, s table.Source, keys []table.Key, l lookup) error {
	last := l.options & table.EndTransaction
	plain := plainKeys(s, keys)
	seen := false
	ask := func(keys []table.Key, places []int, options table.CallOption) error {
		q := byKey(s, keys, l.head, "")
		q.row = func(v [][]byte) error {
			i, err := t.node.placeOf(s, v[0], len(keys))
			if err != nil {
				return err
			}
			if seen = true; places != nil {
				i = places[i]
			}
			return l.row(i, v[1:])
		}
		return t.call(ctx, l.doing, options, withSavepoint(append(settings(lookupPlans(s)), q), places == nil && !plain, last)...)
	}

	err := ask(keys, nil, l.options)
	if err == nil || seen || plain {
		return t.locate(ctx, s, err)
	}

	readable, places, err := t.usableKeys(ctx, s, keys, err)
	if err == nil && len(readable) > 0 {
		err = ask(readable, places, last)
	}

	return t.locate(ctx, s, err)
}

// withSavepoint returns the queries between a statement that sets the savepoint keysMark
// and one that releases it. So the transaction can continue if the node cannot read one
// of the keys. options are the options of the call that sends the queries. If they end
// the transaction, the savepoint is not released. If wanted is false, withSavepoint
// returns the queries unchanged.
func withSavepoint(queries []query, wanted bool, options table.CallOption) []query {
	if !wanted {
		return queries
	}
	queries = append([]query{{sql: "SAVEPOINT " + keysMark}}, queries...)
	if !options.Has(table.EndTransaction) {
		queries = append(queries, query{sql: "RELEASE SAVEPOINT " + keysMark})
	}
	return queries
}

// readableKeys handles the error failed of a statement that was sent after the savepoint
// keysMark. p has the columns of the statement's list of keys. readableKeys returns the
// keys that the node can read, their indexes in keys, and a map from the indexes of the
// other keys to their misfits (see misfits.go). The caller can then send the statement
// again for the readable keys. If misfits are not the reason for the error, readableKeys
// returns failed.
func (t *Tx) readableKeys(ctx context.Context, p params, keys []table.Key, failed error) ([]table.Key, []int, map[int]misfit, error) {
	if !isMisfit(sqlState(failed)) {
		return nil, nil, nil, failed
	}
	if err := t.rollbackTo(ctx, keysMark); err != nil {
		return nil, nil, nil, failed
	}

	misfits, err := t.misfits(ctx, p, asRows(keys))
	if err != nil {
		return nil, nil, nil, err
	}
	if len(misfits) == 0 {
		t.state = stateFailed
		return nil, nil, nil, failed
	}

	var fit []table.Key
	var places []int
	for i, key := range keys {
		if _, misfit := misfits[i]; !misfit {
			fit, places = append(fit, key), append(places, i)
		}
	}

	return fit, places, misfits, nil
}

// Digests returns for each key the digest of its row, or nil if no row has the key. It
// needs one round trip.
func (t *Tx) Digests(ctx context.Context, s table.Source, keys []table.Key, options ...table.CallOption) ([]*int64, error) {
	digests := make([]*int64, len(keys))
	row := func(i int, v [][]byte) error {
		if digests[i] != nil {
			return t.node.duplicateKey(keys[i])
		}
		x, err := strconv.ParseInt(string(v[0]), 10, 64)
		digests[i] = &x
		return err
	}
	return digests, t.lookUp(ctx, s, keys, lookup{"re-reading differing keys", s.Digest + " AS x", row, table.Combine(options)})
}

// Spellings returns for each key the spelling that its row has, which may be another key
// variant, or nil if no row has the key. It needs one round trip.
func (t *Tx) Spellings(ctx context.Context, s table.Source, keys []table.Key, options ...table.CallOption) ([]table.Key, error) {
	spelt := make([]table.Key, len(keys))
	row := func(i int, v [][]byte) error {
		if spelt[i] != nil {
			return t.node.duplicateKey(keys[i])
		}
		spelt[i] = readKey(v)
		return nil
	}
	return spelt, t.lookUp(ctx, s, keys, lookup{"reading keys", strings.Join(s.Key, ", "), row, table.Combine(options)})
}

// duplicateKey returns the error for a key with two rows although the index of the key is
// unique.
func (n *Node) duplicateKey(key table.Key) error {
	return fault.New(fault.Invalid, "node %q has two rows with the key %s, so its unique index is damaged and rows cannot be identified: run REINDEX, which names the duplicates",
		n.name, key)
}

// Rows opens a stream of the rows with these keys, in the order of keys.
func (t *Tx) Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error) {
	return t.rows(ctx, s, keys, "")
}

func (t *Tx) rows(ctx context.Context, s table.Source, keys []table.Key, lock string) (table.RowStream, error) {
	r := &rowStream{tx: t, ctx: ctx, source: s, lock: lock, keys: keys, last: -1}
	plain := plainKeys(s, keys)
	if lock == "" || plain {
		return r, r.open(keys, !plain)
	}

	// If a row was locked after a savepoint and written after the release of the savepoint,
	// the server would have to lock the row twice: for the subtransaction and for the
	// transaction. So a cheap query first checks, inside the savepoint, that the node can
	// read the keys.
	p := keyParams(s)
	try := query{sql: "SELECT pg_catalog.count(l) FROM " + p.list(1) + " l", args: p.ofKeys(keys)}
	return r, r.open(keys, false, withSavepoint([]query{try}, true, 0)...)
}

// rowStream reads rows by key. It holds only one row in memory, and the small rows that
// share an allocation with this row. The stream is not used after its context ends, so it
// may have the context as a field.
type rowStream struct {
	tx     *Tx
	ctx    context.Context //nolint:containedctx // unreadable keys are found while rows are read
	source table.Source
	lock   string
	stream *stream
	query  int // index, among the queries that open sends, of the query that returns the rows
	keys   []table.Key
	asked  []int     // indexes in keys of the keys that are looked up; nil means all
	last   int       // index in keys of the last key that had a row; -1 before the first row
	row    table.Row // row and texts are memory that is allocated for the next rows
	texts  []string
}

// open sends the statement that reads the rows, after the queries in before. If mark is
// set, the statement is sent after the savepoint keysMark.
func (r *rowStream) open(keys []table.Key, mark bool, before ...query) (err error) {
	s := r.source
	head := s.Digest + " AS x, " + strings.Join(s.Columns, ", ")
	if s.Writes {
		head += ", " + writeColumns(s)
	}
	q := byKey(s, keys, head, r.lock)
	q.values = true
	queries := append(before, withSavepoint(append(settings(lookupPlans(s)), q), mark, 0)...)
	r.query = slices.IndexFunc(queries, func(other query) bool { return other.sql == q.sql })
	r.stream, err = r.tx.open(r.ctx, "reading differing rows", 0, queries...)
	return err
}

// Next returns the next row that exists and the index of its key in keys, the list with
// which the stream was opened. An index of -1 means that there are no more rows.
func (r *rowStream) Next() (int, table.KeyedRow, error) {
	for {
		index, values, err := r.stream.next()
		if err != nil && r.last < 0 && r.asked == nil {
			if err = r.retry(err); err == nil {
				continue
			}
		}
		if isOfValue(err) {
			_ = r.stream.close()
			err = r.tx.locateNext(r.ctx, r.source, r.keys[r.last+1:], err)
		}
		if err != nil || values == nil {
			return -1, table.KeyedRow{}, err
		}
		if index != r.query {
			continue
		}
		i, row, err := r.read(values)
		if err != nil {
			r.tx.link.abandon(err) // the rest of a false answer may have no end
			return -1, table.KeyedRow{}, err
		}
		return i, row, nil
	}
}

// read returns a row and the index of its key in r.keys. values are those of the result
// row.
func (r *rowStream) read(values [][]byte) (int, table.KeyedRow, error) {
	if len(values) == 0 {
		return -1, table.KeyedRow{}, r.tx.node.answerFault(errors.New("a row without columns"))
	}
	i, err := r.place(values[0])
	if err != nil {
		return -1, table.KeyedRow{}, err
	}
	if i == r.last {
		return -1, table.KeyedRow{}, r.tx.node.duplicateKey(r.keys[i])
	}
	if i < r.last {
		return -1, table.KeyedRow{}, r.tx.node.answerFault(errors.New("keys out of order"))
	}

	r.last = i
	var row table.KeyedRow
	err = r.tx.node.read(func(values [][]byte) error {
		row, err = r.readRow(values)
		return err
	}, values[1:])
	return i, row, err
}

// place returns the index in r.keys of the key to which a result row belongs. value is
// the first column of the row.
func (r *rowStream) place(value []byte) (int, error) {
	if r.asked == nil {
		return r.tx.node.placeOf(r.source, value, len(r.keys))
	}
	i, err := r.tx.node.placeOf(r.source, value, len(r.asked))
	if err != nil {
		return -1, err
	}
	return r.asked[i], nil
}

// retry handles the error of a statement that failed before its first row. If the reason
// is that the node cannot read some of the keys, retry sends the statement again for the
// other keys. Otherwise it returns the error.
func (r *rowStream) retry(failed error) error {
	if plainKeys(r.source, r.keys) {
		return failed
	}

	_ = r.stream.close()
	keys, places, err := r.tx.usableKeys(r.ctx, r.source, r.keys, failed)
	if err != nil {
		return err
	}

	r.asked = append(make([]int, 0, len(places)), places...)
	return r.open(keys, false)
}

// Close closes the stream, so that the transaction can send the next statement.
func (r *rowStream) Close() error { return r.stream.close() }

const (
	// rowsPerAllocation is the number of rows that share an allocation.
	rowsPerAllocation = 64
	// smallRow is the maximum size in bytes of the text of a row that shares an allocation.
	// A shared allocation, with the texts of all its rows, stays in memory as long as one of
	// its rows is in use. So a row with a large text must not share one.
	smallRow = 1 << 10
)

// readRow copies the digest and the columns of a row from the connection's buffer, so the
// row stays valid when the next row is read. All texts of the row share one allocation.
func (r *rowStream) readRow(values [][]byte) (table.KeyedRow, error) {
	x, err := strconv.ParseInt(string(values[0]), 10, 64)
	if err != nil {
		return table.KeyedRow{}, fmt.Errorf("digest: %w", err)
	}

	columns := values[1:]
	var write *table.LastWrite
	if r.source.Writes {
		last := len(columns) - 2
		write = readLastWrite(columns[last:])
		columns = columns[:last]
	}

	size := 0
	for _, value := range columns {
		size += len(value)
	}

	var text strings.Builder // one allocation for this row only: it may be large
	text.Grow(size)
	for _, value := range columns {
		text.Write(value)
	}

	row, texts := r.allocate(len(columns), size)
	all := text.String()
	if !rawtext.IsPlain([]byte(all)) {
		return table.KeyedRow{Digest: x, Row: readTexts(columns), Write: write}, nil
	}

	for i, value := range columns {
		if value != nil {
			texts[i], all = all[:len(value)], all[len(value):]
			row[i] = &texts[i]
		}
	}

	return table.KeyedRow{Digest: x, Row: row, Write: write}, nil
}

// allocate returns the memory for a row with this number of columns. size is the number
// of bytes of its texts.
func (r *rowStream) allocate(columns, size int) (table.Row, []string) {
	if size > smallRow {
		return make(table.Row, columns), make([]string, columns)
	}
	if len(r.row) < columns {
		r.row, r.texts = make(table.Row, rowsPerAllocation*columns), make([]string, rowsPerAllocation*columns)
	}
	row, texts := r.row[:columns:columns], r.texts[:columns:columns]
	r.row, r.texts = r.row[columns:], r.texts[columns:]
	return row, texts
}

// place parses value, the number (from 1) of an element in a list of count elements, and
// returns the index (from 0) of this element.
func place(value []byte, count int) (int, error) {
	ord, err := strconv.Atoi(string(value))
	if err != nil || ord < 1 || ord > count {
		return 0, fault.New(fault.Internal, "the server answered for a key that was not requested")
	}
	return ord - 1, nil
}
