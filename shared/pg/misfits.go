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

// A text that one node writes need not be a value on another: its encoding lacks a character, an enum a
// label, a domain's check refuses it, a table that a regclass names does not exist. A statement with
// such a text fails as a whole, before it has read or written a row. Only then is it asked which texts
// those are.

// Savepoints: around a statement with keys, around one that writes or converts values, and around the
// statements that find out what a node cannot read.
const (
	keysMark  = "ace_keys"
	writeMark = "ace_write"
	probeMark = "ace_probe"
)

// rollbackTo takes back what failed after a savepoint, and ends the savepoint.
func (t *Tx) rollbackTo(ctx context.Context, savepoint string) error {
	t.state = stateBegun // the server accepts these statements
	return t.run(ctx, "going back to a savepoint", query{sql: "ROLLBACK TO SAVEPOINT " + savepoint}, query{sql: "RELEASE SAVEPOINT " + savepoint})
}

// textsPerProbe is how many texts are first tried by one statement.
const textsPerProbe = 100

// isMisfit reports whether a SQLSTATE may be that of a text that is no value of its type: data
// exceptions, checks of domains, and what reg* types and a domain's functions report.
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

// misfit is a text that is no value of its column's type on this node.
type misfit struct {
	column int
	err    error
}

// misfits returns the rows that have a text which is no value of its type on this node, each with the
// first of these. The transaction goes on, in the snapshot it has.
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

// misfit returns the error of a statement that failed with values: a table.ViolationError that names the
// first value which is none of its type on this node, or the statement's own error.
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

// column returns the distinct texts of a column, in order.
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

// badTexts returns the errors of the texts that are no values of a type. A type that takes no text at
// all is an error, such as one that was dropped.
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

// maxPipelined bounds the statements that are under way at once.
const maxPipelined = 500

// tryAll has the node make values of some groups of texts, and returns the error of each group that it
// could not; nil for the others.
func (t *Tx) tryAll(ctx context.Context, of param, groups [][]string) ([]error, error) {
	failed := make([]error, 0, len(groups))
	for some := range slices.Chunk(groups, maxPipelined) {
		pipeline := t.conn.Conn().PgConn().StartPipeline(ctx)
		for _, group := range some {
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
		for range some {
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
	}
	return failed, nil
}

// failPipeline ends a pipeline after an error that ends the transaction too.
func (t *Tx) failPipeline(ctx context.Context, pipeline *pgconn.Pipeline, err error) error {
	_ = pipeline.Close()
	t.state = stateFailed
	return t.node.fault(ctx, "reading keys and values", err)
}

// readToSync reads the results of a pipeline up to the next synchronisation, and returns the first error.
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

// asKeys makes keys of one column of texts.
func asKeys(texts []string) []table.Key {
	keys := make([]table.Key, len(texts))
	for i, text := range texts {
		keys[i] = table.Key{text}
	}
	return keys
}

// asRows makes rows of keys.
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
