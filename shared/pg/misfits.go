package pg

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/shared/fault"
	"ace/shared/table"
)

// A text that one node returns may be invalid on another node: its encoding lacks a
// character, an enum lacks a label, a domain's check refuses the value, or a regclass
// names a table that does not exist. Such a text is called a misfit. In this package,
// "the node cannot read the key" means that a text of the key is a misfit. A statement
// with a misfit as a parameter fails before it has read or written a row. The functions
// of this file then find out which of the statement's texts are misfits.

// The names of savepoints. keysMark precedes a statement with keys, writeMark a statement
// that writes or converts values, and probeMark the statements that find misfits and
// unreadable values.
const (
	keysMark  = "ace_keys"
	writeMark = "ace_write"
	probeMark = "ace_probe"
)

// rollbackTo undoes the statements since a savepoint after one of them has failed, and
// releases the savepoint.
func (t *Tx) rollbackTo(ctx context.Context, savepoint string) error {
	t.state = stateBegun // the server accepts these statements
	return t.run(ctx, "rolling back to a savepoint", query{sql: "ROLLBACK TO SAVEPOINT " + savepoint}, query{sql: "RELEASE SAVEPOINT " + savepoint})
}

// textsPerProbe is the number of texts that one statement tests at first. If the
// statement fails, each of its texts is tested alone.
const textsPerProbe = 100

// isMisfit reports whether a SQLSTATE may mean that a text is invalid for its type. These
// are data exceptions, violations of a domain's checks, the errors of reg* types, and
// those that a domain's function raises.
func isMisfit(sqlstate string) bool {
	switch sqlstate {
	case "23514", "23502", "0A000", "P0001":
		return true
	case insufficientPrivilege:
		return false
	}
	class := sqlstate[:min(2, len(sqlstate))]
	return class == "22" || class == "42" || class == "3F"
}

// misfit is a text that is invalid for its column's type on this node.
type misfit struct {
	column int
	err    error
}

// misfits returns the first misfit of each row that has a misfit, by the index of the
// row. p describes the columns of the rows. The transaction can continue afterwards, with
// the same snapshot.
func (t *Tx) misfits(ctx context.Context, p params, rows []table.Row) (map[int]misfit, error) {
	if err := t.run(ctx, "reading keys and values", query{sql: "SAVEPOINT " + probeMark}); err != nil {
		return nil, err
	}

	found := map[int]misfit{}
	for c := range p {
		bad, err := t.badTexts(ctx, p[c], column(rows, c))
		if err != nil {
			return nil, err
		}
		for i, row := range rows {
			if row[c] == nil {
				continue
			}
			if err := bad[*row[c]]; err != nil && found[i].err == nil {
				found[i] = misfit{c, err}
			}
		}
	}

	return found, t.run(ctx, "reading keys and values", query{sql: "RELEASE SAVEPOINT " + probeMark})
}

// misfit returns the reason why a statement with these values failed: a
// table.ViolationError that names the first value that is invalid for its column's type,
// or the statement's own error if every value is valid.
func (t *Tx) misfit(ctx context.Context, doing string, failed error, values written) error {
	found, err := t.misfits(ctx, values.params, values.rows)
	if err != nil || len(found) == 0 {
		return asViolation(failed)
	}

	place := slices.Min(slices.Collect(maps.Keys(found)))
	var known *fault.Error
	if err := t.node.fault(ctx, doing, errors.Unwrap(found[place].err)); !asFault(err, &known) {
		return err
	}
	return &table.ViolationError{Column: values.names[found[place].column], Place: place, Fault: known}
}

// column returns the distinct texts of one column, sorted. at is the index of the column.
func column(rows []table.Row, at int) []string {
	var texts []string
	for _, row := range rows {
		if row[at] != nil {
			texts = append(texts, *row[at])
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// badTexts tests the texts of one column. It returns the server's error for each text
// that is invalid for the column's type. If the type accepts no text at all, for example
// because it was dropped, badTexts returns an error.
func (t *Tx) badTexts(ctx context.Context, of param, texts []string) (map[string]error, error) {
	groups := append([][]string{nil}, slices.Collect(slices.Chunk(texts, textsPerProbe))...)
	failed, err := t.tryAll(ctx, of, groups)
	if err != nil {
		return nil, err
	}
	if failed[0] != nil {
		return nil, failed[0]
	}

	var single [][]string
	for i, group := range groups {
		if failed[i] != nil {
			single = append(single, slices.Collect(slices.Chunk(group, 1))...)
		}
	}

	bad := map[string]error{}
	if failed, err = t.tryAll(ctx, of, single); err != nil {
		return nil, err
	}

	for i, group := range single {
		if failed[i] != nil {
			bad[group[0]] = failed[i]
		}
	}

	return bad, nil
}

// maxPipelined is the maximum number of statements in a pipeline.
const maxPipelined = 500

// tryAll sends groups of texts to the node, which converts them to the type of a column
// (of). The result has an element for each group: the server's error if a text of the
// group cannot be converted, else nil.
func (t *Tx) tryAll(ctx context.Context, of param, groups [][]string) ([]error, error) {
	failed := make([]error, 0, len(groups))
	for some := range slices.Chunk(groups, maxPipelined) {
		chunk, err := t.tryChunk(ctx, of, some)
		if err != nil {
			return nil, err
		}
		failed = append(failed, chunk...)
	}
	return failed, nil
}

// tryChunk is like tryAll, but for at most maxPipelined groups.
func (t *Tx) tryChunk(ctx context.Context, of param, groups [][]string) ([]error, error) {
	t.lock(ctx)
	defer t.use.Unlock()
	if err := t.usable(); err != nil {
		return nil, err
	}

	t.link.allow(t.wait)
	pipeline := t.conn.Conn().PgConn().StartPipeline(ctx)
	for _, group := range groups {
		pipeline.SendQueryParams("SELECT pg_catalog.count(l."+of.name+") FROM "+params{of}.list(1)+" l",
			params{of}.ofKeys(asKeys(group)), nil, nil, nil)
		if err := pipeline.Sync(); err != nil {
			return nil, t.failPipeline(ctx, pipeline, err)
		}
		pipeline.SendQueryParams("ROLLBACK TO SAVEPOINT "+probeMark, nil, nil, nil, nil)
		if err := pipeline.Sync(); err != nil {
			return nil, t.failPipeline(ctx, pipeline, err)
		}
	}

	failed := make([]error, 0, len(groups))
	for range groups {
		err := readToSync(pipeline)
		if back := readToSync(pipeline); back != nil {
			return nil, t.failPipeline(ctx, pipeline, back)
		}
		err = t.node.fault(ctx, "reading keys and values", err)
		if err != nil && !isMisfit(sqlState(err)) {
			return nil, t.failPipeline(ctx, pipeline, err)
		}
		failed = append(failed, err)
	}
	if err := pipeline.Close(); err != nil {
		return nil, t.failPipeline(ctx, pipeline, err)
	}
	return failed, nil
}

// failPipeline closes a pipeline after an error and returns the error as a fault. The
// transaction cannot continue. The caller must hold the mutex of the transaction.
func (t *Tx) failPipeline(ctx context.Context, pipeline *pgconn.Pipeline, err error) error {
	_ = pipeline.Close()
	t.state = stateFailed
	return t.node.fault(ctx, "reading keys and values", err)
}

// readToSync reads the results of a pipeline up to the next Sync, and returns the first
// error.
func readToSync(pipeline *pgconn.Pipeline) (first error) {
	for {
		result, err := pipeline.GetResults()
		switch r := result.(type) {
		case *pgconn.ResultReader:
			_, err = r.Close()
		case *pgconn.PipelineSync, nil:
			if err == nil {
				return first
			}
		}
		if err != nil && first == nil {
			first = err
		}
		if err != nil && sqlState(err) == "" { // the connection is lost
			return first
		}
	}
}

// asKeys returns each text as a key of one column.
func asKeys(texts []string) []table.Key {
	keys := make([]table.Key, len(texts))
	for i, text := range texts {
		keys[i] = table.Key{text}
	}
	return keys
}

// asRows returns keys as rows.
func asRows(keys []table.Key) []table.Row {
	rows := make([]table.Row, len(keys))
	for i, key := range keys {
		rows[i] = make(table.Row, len(key))
		for c := range key {
			rows[i][c] = &key[c]
		}
	}
	return rows
}
