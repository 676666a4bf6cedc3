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
	of := checked{name: "table_filter", what: "one boolean SQL expression over the table", text: s.Filter}
	return n.checkExpression(ctx, s.Access(), of, "SELECT 1 FROM "+s.Relation+" WHERE ")
}

// checked is a boolean expression of a user that the server checks. name and what
// describe it in messages.
type checked struct{ name, what, text string }

// checkExpression checks an expression as CheckFilter does. from is the beginning of a
// statement, up to and including WHERE. checkExpression returns the planner's estimate of
// the number of rows.
func (n *Node) checkExpression(ctx context.Context, access table.Access, of checked, from string) (int64, error) {
	tx, err := n.Begin(ctx, access)
	if err != nil {
		return 0, err
	}
	defer tx.Close()

	rows, err := tx.explainExpression(ctx, of, from+"(\n", "\n)")
	if err == nil {
		_, err = tx.explainExpression(ctx, of, from+"CASE WHEN\n", "\nTHEN true END")
	}
	return rows, err
}

// missingParameter is the SQLSTATE of an expression with a parameter such as $1.
const missingParameter = "08P01"

const doingFilter = "checking table_filter"

// explainExpression returns the row estimate of the statement that consists of before,
// the expression and after. If the expression is wrong, the error is a fault with code
// Invalid whose message shows the place of the mistake in the expression.
func (t *Tx) explainExpression(ctx context.Context, of checked, before, after string) (int64, error) {
	var plan []byte
	statement := explain(before+of.text+after, &plan)
	err := t.run(ctx, "checking "+of.name, statement)

	var pgErr *pgconn.PgError
	isWrong := errors.As(err, &pgErr) && (fault.CodeOf(err) == fault.Invalid || pgErr.Code == missingParameter)
	if isWrong && pgErr.Code != statementCancelled {
		shown := *pgErr
		shown.Position = 0 // a position in the statement, which the user does not know
		shown.Message = strings.ReplaceAll(shown.Message, after, "")
		text := strings.TrimSuffix(describe(&shown), ".")

		inBytes := t.conn.Conn().PgConn().ParameterStatus("server_encoding") == "SQL_ASCII"
		start := len(statement.sql) - len(after) - len(of.text)
		if at := offset(statement.sql, int(pgErr.Position), inBytes) - start; at >= 0 {
			text += ". The arrow marks the place: " + excerpt(of.text, at)
		}
		return 0, fault.Wrap(err, fault.Invalid, "%s is not %s on node %q: %s", of.name, of.what, t.node.name, text)
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
