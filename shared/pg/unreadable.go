package pg

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/shared/fault"
	"ace/shared/rawtext"
	"ace/shared/table"
)

// A statement may fail because of one value of one row. A stored character may have no
// equivalent in UTF-8, such as the byte 81 in WIN1252; the expression of a virtual
// generated column may divide by zero; a value may be larger than 1 GB as text. The
// server's error names neither the row nor the column, so the functions of this file
// search for them after the failure.

// isUnreadable reports whether a SQLSTATE means that a text cannot be sent in the
// client's encoding.
func isUnreadable(sqlstate string) bool { return sqlstate == "22P05" || sqlstate == "22021" }

// isOfValue reports whether a stored value may be the reason for an error: it is a data
// exception, or a value is too large.
func isOfValue(err error) bool {
	return strings.HasPrefix(sqlState(err), "22") || isTooLarge(err)
}

// isTooLarge reports whether the reason for an error is a value or row that is larger
// than 1 GB as text.
func isTooLarge(err error) bool {
	var pgErr *pgconn.PgError
	return asPgError(err, &pgErr) && exceedsMemory(pgErr)
}

// exceedsMemory reports whether the reason for an error of the server is a value or row
// that is too large for the server.
func exceedsMemory(e *pgconn.PgError) bool {
	return e.Code == "54000" || e.Code == "XX000" && strings.HasPrefix(e.Message, "invalid memory alloc request size")
}

// read runs statements that read the table, as call does. If the reason for an error is a
// value of the table, the error names the row and the column of the value. Then the
// caller must not use the transaction any more (see locate).
func (t *Tx) read(ctx context.Context, doing string, s table.Source, options table.CallOption, queries ...query) error {
	return t.locate(ctx, s, t.call(ctx, doing, options, queries...))
}

// locate adds the row's key and the column to an error whose reason is a value of the
// table. The caller must not use the transaction afterwards, because locate searches with
// other settings and in another snapshot.
func (t *Tx) locate(ctx context.Context, s table.Source, failed error) error {
	if !isOfValue(failed) {
		return failed
	}

	unfiltered := s
	unfiltered.Filter, unfiltered.Within = "", table.Buckets{}
	for _, source := range []table.Source{s, unfiltered} {
		column, key, err := t.findUnreadable(ctx, source, failed)
		if err != nil {
			return failed
		}
		if key != nil {
			return withLocation(failed, source, column, key)
		}
	}

	return failed
}

// withLocation adds the row's key to an error. It also adds the column, unless column is
// -1 because only the row as a whole fails.
func withLocation(failed error, s table.Source, column int, key table.Key) error {
	place := fmt.Sprintf("the row with the key %s", key)
	if column >= 0 {
		place = fmt.Sprintf("column %s of %s", s.Columns[column], place)
	}
	remedy := ""
	if !isUnreadable(sqlState(failed)) && !isTooLarge(failed) {
		remedy = ". Hint: ignore_columns excludes the column"
	}
	return fault.Wrap(failed, fault.CodeOf(failed), "%s (%s)%s", fault.PublicMessage(failed), place, remedy)
}

// textSize returns an expression for the size of the text of columns. To compute it, the
// server converts the values to text and to the client's encoding, as if it sent them to
// the client. So the expression fails for the same values.
func textSize(refs []string) string {
	return "pg_catalog.octet_length(pg_catalog.textsend(pg_catalog.concat(" + commaList(refs) + ")))"
}

const doingSearch = "looking for a value that cannot be read"

// findUnreadable scans the table for a row that cannot be read, in a new transaction. It
// returns the row's key and the index of the first column that cannot be read, or -1 if
// only the row as a whole fails. A nil key means that there is no such row. If the filter
// itself fails, findUnreadable returns an error.
func (t *Tx) findUnreadable(ctx context.Context, s table.Source, failed error) (int, table.Key, error) {
	if err := t.restart(ctx); err != nil {
		return -1, nil, err
	}

	source := " FROM " + s.Relation + where(addFilter(s, ""))
	head := textSize(s.Columns)
	if isTooLarge(failed) {
		// textSize fails for every row whose text is too large, even if its digest can be
		// computed. So the scan computes the digest, to find only a row whose digest fails.
		head = s.Digest
	}

	rows := 0
	err := t.try(ctx, doingSearch, query{sql: "SELECT " + head + source, row: func([][]byte) error { rows++; return nil }})
	if !isOfValue(err) {
		return -1, nil, err
	}

	only := fmt.Sprintf(" OFFSET %d LIMIT 1", rows) // the row that failed: the scan is repeated in the same snapshot and order
	if err := t.try(ctx, doingSearch, query{sql: "SELECT 1" + source + only}); err != nil {
		return -1, nil, err
	}

	column, err := t.findColumn(ctx, s, func(head string) query { return query{sql: "SELECT " + head + source + only} })
	if err != nil {
		return -1, nil, err
	}

	key, err := t.keyAsItIs(ctx, doingSearch, "SELECT "+commaList(s.Key)+source+only)
	return column, key, err
}

// findColumn returns the index of the first column whose value in a certain row cannot be
// read, or -1 if the values of all columns can be read. selecting(head) returns the query
// with the select list head for that row.
func (t *Tx) findColumn(ctx context.Context, s table.Source, selecting func(head string) query) (int, error) {
	for i, ref := range s.Columns {
		err := t.try(ctx, doingSearch, selecting(textSize([]string{ref})))
		if isOfValue(err) {
			return i, nil
		}
		if err != nil {
			return -1, err
		}
	}
	return -1, nil
}

// locateNext is like locate, for a statement that reads rows by key, in the order of the
// keys. keys are the keys whose rows it has not returned yet. If a row is too large, it
// belongs to the first of these keys for which the table has a row, so locateNext looks
// up the keys one by one. For another error, or if the statement uses no index, it calls
// locate. The caller must not use the transaction afterwards.
func (t *Tx) locateNext(ctx context.Context, s table.Source, keys []table.Key, failed error) error {
	if !isTooLarge(failed) || s.Unindexed {
		return t.locate(ctx, s, failed)
	}
	if t.restart(ctx) != nil {
		return failed
	}

	for _, key := range keys {
		exists := false
		q := byKey(s, []table.Key{key}, "1", "")
		q.row = func([][]byte) error { exists = true; return nil }
		if err := t.try(ctx, doingSearch, append(settings(lookupPlans(s)), q)...); err != nil && !isOfValue(err) {
			return failed
		}
		if !exists {
			continue
		}
		column, err := t.findColumn(ctx, s, func(head string) query { return byKey(s, []table.Key{key}, head, "") })
		if err != nil {
			return failed
		}
		return withLocation(failed, s, column, key)
	}

	return failed
}

// keyAsItIs reads a key. If the key cannot be converted to UTF-8, keyAsItIs returns its
// bytes in the server's encoding.
func (t *Tx) keyAsItIs(ctx context.Context, doing, sql string) (table.Key, error) {
	var key table.Key
	q := query{sql: sql, row: func(v [][]byte) error {
		key = make(table.Key, len(v))
		for i, text := range v {
			key[i] = rawtext.Text(text)
		}
		return nil
	}}

	err := t.try(ctx, doing, q)
	if isUnreadable(sqlState(err)) {
		err = t.try(ctx, doing, query{sql: "SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', true)"}, q)
	}
	return key, err
}

// restart ends the transaction and begins another one, in which all scans of a table have
// the same order.
func (t *Tx) restart(ctx context.Context) error {
	// The state may be unbegun after a call with EndTransaction. Then run would send BEGIN
	// before ROLLBACK.
	t.state = stateBegun
	if err := t.rollback(ctx, "rolling back"); err != nil {
		return err
	}
	t.snapshot = ""
	return t.run(ctx, "beginning again", settings(append(scanPlans, setting{"synchronize_seqscans", "off"}))...)
}

// try runs queries after a savepoint, so that the transaction can continue after an
// error.
func (t *Tx) try(ctx context.Context, doing string, queries ...query) error {
	marked := append([]query{{sql: "SAVEPOINT " + probeMark}}, queries...)
	err := t.run(ctx, doing, append(marked, query{sql: "RELEASE SAVEPOINT " + probeMark})...)
	if sqlState(err) == "" {
		return err
	}
	if back := t.rollbackTo(ctx, probeMark); back != nil {
		return back
	}
	return err
}
