package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/shared/fault"
	"ace/shared/rawtext"
	"ace/shared/table"
)

// readTexts copies the texts of a result row from the connection's buffer. NULL becomes
// nil.
func readTexts(values [][]byte) table.Row {
	row := make(table.Row, len(values))
	for i, value := range values {
		if value != nil {
			text := rawtext.Text(value)
			row[i] = &text
		}
	}
	return row
}

// pick returns the elements of a list at the given indexes.
func pick(list []string, at []int) []string {
	out := make([]string, len(at))
	for i, place := range at {
		out[i] = list[place]
	}
	return out
}

func commaList(list []string) string { return strings.Join(list, ", ") }

func allOf(terms []string) string { return strings.Join(terms, " AND ") }

func asFault(err error, into **fault.Error) bool { return errors.As(err, into) }

func asPgError(err error, into **pgconn.PgError) bool { return errors.As(err, into) }

func isViolation(err error) bool {
	var v *table.ViolationError
	return errors.As(err, &v)
}

// SetSearchPath sets the search_path for the next statements of the transaction.
func (t *Tx) SetSearchPath(ctx context.Context, path string) error {
	return t.run(ctx, "setting search_path", query{sql: "SELECT pg_catalog.set_config('search_path', $1, true)", args: textArgs(path)})
}

// Convert returns the rows with each value as the node would store it in the
// corresponding column of to. Each row has one value per element of to. The text of a
// value may change, because the value may come from a column of another type. If a type
// does not accept a value, the error is a table.ViolationError with the index of the row,
// and the transaction continues.
func (t *Tx) Convert(ctx context.Context, to []table.Conversion, rows []table.Row) ([]table.Row, error) {
	p, names := make(params, len(to)), make([]string, len(to))
	for i, name := range list("v", len(to)) {
		p[i], names[i] = param{name, to[i].Type, to[i].Parse}, to[i].Name
	}

	converted := make([]table.Row, 0, len(rows))
	err := t.run(ctx, "converting values", query{sql: "SAVEPOINT " + writeMark}, query{
		args:   p.ofRows(rows),
		values: true,
		sql:    fmt.Sprintf("SELECT %s FROM %s l ORDER BY l.ord", commaList(qualify("l", p.names())), p.list(1)),
		row: func(v [][]byte) error {
			if len(converted) == len(rows) {
				return t.node.answerFault(errors.New("more values than were sent"))
			}
			converted = append(converted, readTexts(v))
			return nil
		},
	}, query{sql: "RELEASE SAVEPOINT " + writeMark})
	if isMisfit(sqlState(err)) {
		if back := t.rollbackTo(ctx, writeMark); back != nil {
			return nil, err
		}
		return nil, t.misfit(ctx, "converting values", err, written{p, names, rows})
	}
	if err == nil && len(converted) != len(rows) {
		err = fault.New(fault.Internal, "node %q converted %d of %d rows", t.node.name, len(converted), len(rows))
	}

	return converted, err
}
