package pg

import (
	"context"
	"fmt"

	"ace/shared/fault"
	"ace/shared/rawtext"
	"ace/shared/table"
)

// A character that a database holds may have no equivalent in UTF-8, such as the byte 81 in WIN1252. A
// statement that meets one fails, and neither it nor its error says where: the row is looked for then.

// isUnreadable reports whether a SQLSTATE is that of text which cannot be sent in the client's encoding.
func isUnreadable(sqlstate string) bool { return sqlstate == "22P05" || sqlstate == "22021" }

// read is run for a statement that reads the table: if a text cannot be read the error names row and column.
func (t *Tx) read(ctx context.Context, doing string, s table.Source, queries ...query) error {
	return t.locate(ctx, s, t.run(ctx, doing, queries...))
}

// locate adds to the error of a statement that cannot read a text which row and column it is. The
// transaction is over.
func (t *Tx) locate(ctx context.Context, s table.Source, failed error) error {
	if !isUnreadable(sqlState(failed)) {
		return failed
	}
	unfiltered := s
	unfiltered.Filter, unfiltered.Within = "", table.Buckets{}
	for _, source := range []table.Source{s, unfiltered} {
		column, key, err := t.findUnreadable(ctx, source)
		if err == nil && column >= 0 {
			return fault.Wrap(failed, fault.CodeOf(failed), "%s (column %s of the row with the key %s)", fault.PublicMessage(failed), source.Columns[column], key)
		}
	}
	return failed
}

// findUnreadable looks for a row that cannot be read, in a transaction of its own: its key, and the place
// of the first column that is the reason; -1 if there is none.
func (t *Tx) findUnreadable(ctx context.Context, s table.Source) (int, table.Key, error) {
	if err := t.restart(ctx); err != nil {
		return -1, nil, err
	}
	rows := 0
	source := " FROM " + s.Relation + where(filtered(s, ""))
	readable := func(refs []string) string {
		return "SELECT pg_catalog.octet_length(pg_catalog.textsend(pg_catalog.concat(" + joined(refs) + ")))" + source
	}
	doing := "looking for a text that cannot be read"
	err := t.try(ctx, doing, query{sql: readable(s.Columns), row: func([][]byte) error { rows++; return nil }})
	if !isUnreadable(sqlState(err)) {
		return -1, nil, err
	}
	only := fmt.Sprintf(" OFFSET %d LIMIT 1", rows) // of the same scan in the same snapshot
	column := -1
	for i, ref := range s.Columns {
		err := t.try(ctx, doing, query{sql: readable([]string{ref}) + only})
		if isUnreadable(sqlState(err)) {
			column = i
			break
		}
		if err != nil {
			return -1, nil, err
		}
	}
	key, err := t.keyAsItIs(ctx, doing, "SELECT "+joined(s.Key)+source+only)
	return column, key, err
}

// keyAsItIs reads a key; one that cannot be read comes as its bytes in the server's encoding.
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

// restart ends the transaction and begins another one that scans tables in one order.
func (t *Tx) restart(ctx context.Context) error {
	t.begun, t.broken, t.last, t.keep = true, false, false, false
	if err := t.run(ctx, "rolling back", query{sql: "ROLLBACK"}); err != nil {
		return err
	}
	t.begun, t.snapshot = false, ""
	return t.run(ctx, "beginning again", settings(append(scanPlans, setting{"synchronize_seqscans", "off"}))...)
}

// try runs queries behind a savepoint, so that the transaction goes on after an error.
func (t *Tx) try(ctx context.Context, doing string, queries ...query) error {
	marked := append([]query{{sql: "SAVEPOINT " + probeMark}}, queries...)
	err := t.run(ctx, doing, append(marked, query{sql: "RELEASE SAVEPOINT " + probeMark})...)
	if sqlState(err) == "" {
		return err
	}
	if back := t.back(ctx, probeMark); back != nil {
		return back
	}
	return err
}
