package pg

import (
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// Discreet returns a copy of the node for a task with redacted columns. An error of the
// copy does not contain the server's message if the message may quote a value of a row.
// The server's own log has it.
func (n *Node) Discreet() *Node {
	discreet := *n
	discreet.discreet = true
	return &discreet
}

// omitted replaces a message that may quote a value.
const omitted = "the message is omitted, because it may quote a value of a redacted column; the server's log has it"

// internalError is the SQLSTATE of an error for which the server or an extension has
// chosen no other one.
const internalError = "XX000"

// mayQuoteValue reports whether the message of an error may quote a value of a row. It is
// false for an error with a position, which is about the text of the statement (values
// are parameters), for a missing privilege, and for the classes of errors that are about
// the server and its objects. A function can raise an error with any SQLSTATE, and the
// types of extensions such as PostGIS report invalid values as internal errors.
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

// withoutValues returns the error with the parts that the code of this package uses, and
// none that may quote a value.
func withoutValues(e *pgconn.PgError) *pgconn.PgError {
	return &pgconn.PgError{
		Severity: e.Severity, SeverityUnlocalized: e.SeverityUnlocalized, Code: e.Code, Message: omitted,
		SchemaName: e.SchemaName, TableName: e.TableName, ColumnName: e.ColumnName, DataTypeName: e.DataTypeName,
		ConstraintName: e.ConstraintName, File: e.File, Line: e.Line, Routine: e.Routine,
	}
}
