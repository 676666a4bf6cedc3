package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/shared/fault"
	"ace/shared/table"
)

// arraysOf turns rows into one text array per column; NULL stays NULL.
func arraysOf(rows []table.Row, width int) [][]byte {
	args := make([][]byte, width)
	for c := range width {
		var b strings.Builder
		b.Grow(arraySize(rows, c))
		b.WriteByte('{')
		for i, row := range rows {
			if i > 0 {
				b.WriteByte(',')
			}
			if row[c] == nil {
				b.WriteString("NULL")
			} else {
				writeElement(&b, *row[c])
			}
		}
		b.WriteByte('}')
		args[c] = []byte(b.String())
	}
	return args
}

// arraySize is about how long the array gets: big values are not copied again and again.
func arraySize(rows []table.Row, column int) int {
	size := 2
	for _, row := range rows {
		size += 8
		if row[column] != nil {
			size += len(*row[column])
		}
	}
	return size
}

// readTexts copies values out of the connection's buffer.
func readTexts(values [][]byte) table.Row {
	row := make(table.Row, len(values))
	for i, value := range values {
		if value != nil {
			text := string(value)
			row[i] = &text
		}
	}
	return row
}

// picked gives the elements at these places.
func picked(list []string, at []int) []string {
	out := make([]string, len(at))
	for i, place := range at {
		out[i] = list[place]
	}
	return out
}

func joined(list []string) string { return strings.Join(list, ", ") }

func allOf(terms []string) string { return strings.Join(terms, " AND ") }

func asFault(err error, into **fault.Error) bool { return errors.As(err, into) }

func asPgError(err error, into **pgconn.PgError) bool { return errors.As(err, into) }

func isViolation(err error) bool {
	var v *table.ViolationError
	return errors.As(err, &v)
}

// Convert gives each value as the node would store it in columns of these types: the text of another type may look
// different. Each of rows has one value for each type. A value that does not fit is a table.ViolationError.
func (t *Tx) Convert(ctx context.Context, types []string, rows []table.Row) ([]table.Row, error) {
	names := list("v", len(types))
	converted := make([]table.Row, 0, len(rows))
	err := t.run(ctx, "converting values", query{
		args: arraysOf(rows, len(types)),
		sql: fmt.Sprintf("SELECT %s FROM %s l ORDER BY l.ord",
			joined(qualify("l", names)), unnestAs(names, cast(qualify("u", names), types), 1)),
		row: func(v [][]byte) error {
			converted = append(converted, readTexts(v))
			return nil
		},
	})
	if err == nil && len(converted) != len(rows) {
		err = fault.New(fault.Internal, "node %q converted %d of %d rows", t.node.name, len(converted), len(rows))
	}
	return converted, refused(err)
}
