package pg

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ace/shared/fault"
	"ace/shared/rawtext"
	"ace/shared/table"
)

// byKey writes a statement that looks every key up by the key index's equality, without the filter: head is what it
// selects of the row, lock how it locks it. The first result column is the key's place in the list + 1, or 0 if the row
// has another key than the index says; a key without a row gives none.
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

// lookup is what a statement reads of the rows of some keys.
type lookup struct {
	doing   string
	head    string                            // what it selects
	row     func(place int, v [][]byte) error // handles a row; place is that of its key in the list
	options table.CallOption
}

// lookUp looks keys up in one round trip, and calls l.row for each row found. A key that the node cannot
// read has no row there.
func (t *Tx) lookUp(ctx context.Context, s table.Source, keys []table.Key, l lookup) error {
	last := l.options & table.EndTransaction
	seen, plain := false, plainKeys(s, keys)
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
	readable, places, err := t.readableKeys(ctx, keyParams(s), keys, err)
	if err == nil && len(readable) > 0 {
		err = ask(readable, places, last)
	}
	return t.locate(ctx, s, err)
}

// withSavepoint puts queries behind the savepoint keysMark: if the node cannot read one of their keys the
// transaction goes on without it. The savepoint of a transaction that ends with them needs no end.
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

// readableKeys is called after a statement behind keysMark that failed. It returns the keys that the node can
// read, with their places in the list, after which the statement can be sent again. The error is that of
// the statement if it failed for another reason.
func (t *Tx) readableKeys(ctx context.Context, p params, keys []table.Key, failed error) ([]table.Key, []int, error) {
	if !isMisfit(sqlState(failed)) {
		return nil, nil, failed
	}
	if err := t.rollbackTo(ctx, keysMark); err != nil {
		return nil, nil, failed
	}
	misfits, err := t.misfits(ctx, p, asRows(keys))
	if err != nil {
		return nil, nil, err
	}
	if len(misfits) == 0 {
		t.state = stateFailed
		return nil, nil, failed
	}
	var fit []table.Key
	var places []int
	for i, key := range keys {
		if _, misfit := misfits[i]; !misfit {
			fit, places = append(fit, key), append(places, i)
		}
	}
	return fit, places, nil
}

// Digests returns the digest of each key's row; nil where there is no row. One round trip.
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

// Spellings returns for each key the text that its row has it in, which may be another where equal keys
// need not look alike; nil where there is no row. One round trip.
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

// duplicateKey is the error of a unique index that is not.
func (n *Node) duplicateKey(key table.Key) error {
	return fault.New(fault.Invalid, "node %q has two rows with the key %s, so its unique index is damaged: rows cannot be told apart (REINDEX names the duplicates)",
		n.name, key)
}

// Rows opens a stream of the rows of these keys, in the order of the list.
func (t *Tx) Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error) {
	return t.rows(ctx, s, keys, "")
}

func (t *Tx) rows(ctx context.Context, s table.Source, keys []table.Key, lock string) (table.RowStream, error) {
	r := &rowStream{tx: t, ctx: ctx, source: s, lock: lock, keys: keys, last: -1}
	plain := plainKeys(s, keys)
	if lock == "" || plain {
		return r, r.open(keys, !plain)
	}
	// Locks behind a savepoint would cost the server another one for each row that is written later.
	p := keyParams(s)
	try := query{sql: "SELECT pg_catalog.count(l) FROM " + p.list(1) + " l", args: p.ofKeys(keys)}
	return r, r.open(keys, false, withSavepoint([]query{try}, true, 0)...)
}

// rowStream reads rows by key; at most one row is in memory, and the few small ones whose places are made together.
// It lives within one call of its creator, which is why it may hold the context.
type rowStream struct {
	tx     *Tx
	ctx    context.Context //nolint:containedctx // keys that the node cannot read are found out while rows are read
	source table.Source
	lock   string
	stream *stream
	query  int // whose rows are read, among those of the stream
	keys   []table.Key
	asked  []int // of the keys that are looked up, in keys; nil: all are
	last   int
	row    table.Row // places for the rows to come
	texts  []string
}

// open sends the statement after others, behind keysMark if that is wanted.
func (r *rowStream) open(keys []table.Key, mark bool, before ...query) (err error) {
	s := r.source
	q := byKey(s, keys, s.Digest+" AS x, "+strings.Join(s.Columns, ", "), r.lock)
	queries := append(before, withSavepoint(append(settings(lookupPlans(s)), q), mark, 0)...)
	r.query = slices.IndexFunc(queries, func(other query) bool { return other.sql == q.sql })
	r.stream, err = r.tx.open(r.ctx, "reading differing rows", 0, queries...)
	return err
}

// Next returns the next row that exists, with its place in the list of keys; a place of -1 is the end.
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
		i, err := r.place(values[0])
		if err != nil {
			return -1, table.KeyedRow{}, err
		}
		if i == r.last {
			return -1, table.KeyedRow{}, r.tx.node.duplicateKey(r.keys[i])
		}
		if i < r.last {
			return -1, table.KeyedRow{}, fault.New(fault.Internal, "node %q gave keys out of order", r.tx.node.name)
		}
		r.last = i
		row, err := r.readRow(values[1:])
		return i, row, err
	}
}

// place reads the place of a row's key in the list.
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

// retry looks up those of the keys that the node can read, if some cannot be.
func (r *rowStream) retry(failed error) error {
	if plainKeys(r.source, r.keys) {
		return failed
	}
	_ = r.stream.close()
	keys, places, err := r.tx.readableKeys(r.ctx, keyParams(r.source), r.keys, failed)
	if err != nil {
		return err
	}
	r.asked = append(make([]int, 0, len(places)), places...)
	return r.open(keys, false)
}

// Close gives the transaction back for the next statement.
func (r *rowStream) Close() error { return r.stream.close() }

const (
	// rowsPerAllocation is for how many rows places are made at once.
	rowsPerAllocation = 64
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
	if !rawtext.IsPlain([]byte(all)) {
		return table.KeyedRow{Digest: x, Row: readTexts(columns)}, nil
	}
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
		r.row, r.texts = make(table.Row, rowsPerAllocation*columns), make([]string, rowsPerAllocation*columns)
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
