package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/shared/fault"
	"ace/shared/table"
)

// CheckFilter lets the server's parser check that the table_filter is one boolean
// expression. The filter must be valid both in parentheses and between CASE WHEN and
// THEN. A text that ends one of these constructs early, such as "true) OR (true", is not
// valid in the other. CheckFilter returns the planner's estimate of the number of rows
// that the filter selects.
func (n *Node) CheckFilter(ctx context.Context, s table.Source) (int64, error) {
	tx, err := n.Begin(ctx, s.Access())
	if err != nil {
		return 0, err
	}
	defer tx.Close()

	from := "SELECT 1 FROM " + s.Relation + " WHERE "
	rows, err := tx.explainFilter(ctx, s.Filter, from+"(\n", "\n)")
	if err == nil {
		_, err = tx.explainFilter(ctx, s.Filter, from+"CASE WHEN\n", "\nTHEN true END")
	}
	return rows, err
}

const doingFilter = "checking table_filter"

// explainFilter returns the row estimate of the statement that consists of before, the
// filter and after. If the filter is wrong, the error is a fault with code Invalid whose
// message shows the place of the mistake in the filter.
func (t *Tx) explainFilter(ctx context.Context, filter, before, after string) (int64, error) {
	var plan []byte
	statement := explain(before+filter+after, &plan)
	err := t.run(ctx, doingFilter, statement)

	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && fault.CodeOf(err) == fault.Invalid && pgErr.Code != statementCancelled {
		shown := *pgErr
		shown.Position = 0 // a position in the statement, which the user does not know
		shown.Message = strings.ReplaceAll(shown.Message, after, "")
		text := strings.TrimSuffix(describe(&shown), ".")

		inBytes := t.conn.Conn().PgConn().ParameterStatus("server_encoding") == "SQL_ASCII"
		start := len(statement.sql) - len(after) - len(filter)
		if at := offset(statement.sql, int(pgErr.Position), inBytes) - start; at >= 0 {
			text += ". The arrow marks the place: " + excerpt(filter, at)
		}
		return 0, fault.Wrap(err, fault.Invalid, "table_filter is not one boolean SQL expression over the table on node %q: %s", t.node.name, text)
	}
	if err != nil {
		return 0, err
	}
	return planRows(t.node.name, plan)
}

// offset converts position, the position in sql that an error of the server reports, to
// an offset in bytes. The server counts positions from 1, in characters or, if its
// encoding is SQL_ASCII, in bytes (inBytes). If position is 0, the error has no position,
// and offset returns -1.
func offset(sql string, position int, inBytes bool) int {
	if inBytes || position <= 0 {
		return min(position, len(sql)+1) - 1
	}
	for at := range sql {
		if position--; position == 0 {
			return at
		}
	}
	return len(sql)
}

// excerptLength is the maximum number of bytes of a filter that a message quotes on each
// side of the arrow.
const excerptLength = 60

// excerpt returns the part of a filter around an offset, on one line, with an arrow
// before the character at the offset. An offset beyond the filter means its end.
func excerpt(filter string, at int) string {
	at = runeStart(filter, at)
	from := runeStart(filter, max(0, at-excerptLength))
	to := runeStart(filter, at+excerptLength)

	before, after := filter[from:at], filter[at:to]
	if from > 0 {
		before = "..." + before
	}
	if to < len(filter) {
		after += "..."
	}

	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, fmt.Sprintf("%s-->%s", before, after))
}

// runeStart returns the start of the character at an offset, or the length of the text if
// the offset is beyond it.
func runeStart(text string, at int) int {
	if at >= len(text) {
		return len(text)
	}
	for at > 0 && !utf8.RuneStart(text[at]) {
		at--
	}
	return at
}
