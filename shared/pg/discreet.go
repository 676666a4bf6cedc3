package pg

import (
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// Discreet returns a copy of the node for a task with redacted columns. The errors that
// the copy returns do not contain a message of the server that may quote a value of a
// row. Only the server's own log has such a message.
func (n *Node) Discreet() *Node {
	discreet := *n
	discreet.discreet = true
	return &discreet
}

// omitted replaces a message that may quote a value.
const omitted = "the message is omitted, because it may quote a value of a redacted column; the server's log has it"

// internalError is the SQLSTATE of an error to which the server or an extension has
// assigned no specific SQLSTATE.
const internalError = "XX000"

// mayQuoteValue reports whether the message of an error may quote a value of a row. These
// messages quote none:
//
//   - An error with a position is about the text of the statement, and values are passed
//     as parameters, not in that text.
//   - A missing privilege, and the classes of errors that are about the server and its
//     objects, are not about values.
//
// There are two exceptions. Functions in PL/pgSQL and PL/Python can raise an error with
// any SQLSTATE. The types of extensions such as PostGIS report invalid values as internal
// errors. So an internal error may quote a value, unless a value exceeds the memory of
// the server (see exceedsMemory).
func mayQuoteValue(e *pgconn.PgError) bool {
	switch {
	case e.Routine == "exec_stmt_raise", e.Routine == "PLy_elog_impl": // RAISE of PL/pgSQL, errors of PL/Python
		return true
	case e.Code == internalError:
		return !exceedsMemory(e)
	case e.Position > 0 || e.Code == insufficientPrivilege:
		return false
	}
	ofServer := []string{"08", "25", "28", "3B", "40", "53", "54", "55", "57", "58", "72", "XX"}
	return !slices.Contains(ofServer, e.Code[:min(2, len(e.Code))])
}

// withoutValues returns a copy of the error that has only the fields that this package
// uses and that quote no value. The constant omitted replaces the message.
func withoutValues(e *pgconn.PgError) *pgconn.PgError {
	return &pgconn.PgError{
		Severity: e.Severity, SeverityUnlocalized: e.SeverityUnlocalized, Code: e.Code, Message: omitted,
		SchemaName: e.SchemaName, TableName: e.TableName, ColumnName: e.ColumnName, DataTypeName: e.DataTypeName,
		ConstraintName: e.ConstraintName, File: e.File, Line: e.Line, Routine: e.Routine,
	}
}
