package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/shared/fault"
	"ace/shared/rawtext"
	"ace/shared/table"
)

// connectFault translates an error of opening a connection into a fault. pgconn's text
// may quote connection settings, so the message has only what the server or the network
// reported.
func (n *Node) connectFault(err error) error {
	var known *fault.Error
	if errors.As(err, &known) { // an error of the password lookup
		return err
	}

	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		if pgErr.Code == invalidPassword && n.noPassword != "" {
			return fault.Wrap(err, fault.Invalid, "node %q (%s) requires a password: the cluster definition has none, %s", n.name, n.address, n.noPassword)
		}
		return fault.Wrap(err, codeOf(pgErr.Code), "node %q (%s) refused the connection: %s", n.name, n.address, pgErr.Message)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(err, fault.Unavailable, "node %q (%s) is unreachable: no answer within %s", n.name, n.address, n.connectLimit)
	}
	return fault.Wrap(err, fault.Unavailable, "node %q (%s) is unreachable: %s", n.name, n.address, rootCause(err))
}

// rootCause returns the text of the innermost error that err wraps, such as "connection
// refused". The errors around it may quote the connection string, so their texts are left
// out.
func rootCause(err error) string {
	for {
		next := errors.Unwrap(err)
		if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
			next = joined.Unwrap()[len(joined.Unwrap())-1]
		}
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// fault translates an error of a statement into a fault, and nil into nil. If ctx has
// ended, the error wraps the cause of its end instead. A fault and table.ErrMore are
// returned unchanged. doing describes the statement in the message, such as "comparing
// blocks".
func (n *Node) fault(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("node %s: %s: %w", n.name, doing, context.Cause(ctx))
	}

	var known *fault.Error
	if errors.As(err, &known) || errors.Is(err, table.ErrMore) {
		return err
	}

	var silent *silentError
	if errors.As(err, &silent) {
		return n.silenceFault(doing, silent)
	}

	var refused *messageError
	if errors.As(err, &refused) {
		return n.answerFault(err)
	}

	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return fault.Wrap(err, fault.Unavailable, "node %q (%s): the connection was lost while %s", n.name, n.address, doing)
	}

	if n.discreet && mayQuoteValue(pgErr) {
		pgErr = withoutValues(pgErr)
		err = pgErr
	}

	text := describe(pgErr)
	if hint, permanent := n.remedy(pgErr); hint != "" {
		text += ". Hint: " + hint
		if permanent {
			return fault.Wrap(err, fault.Invalid, "node %q: %s: %s", n.name, doing, text)
		}
	}

	return fault.Wrap(err, codeOf(pgErr.Code), "node %q: %s: %s", n.name, doing, text)
}

// silenceFault returns the fault for a server that has sent nothing for too long. Its
// code is Unavailable, because a retry uses another connection and may succeed.
func (n *Node) silenceFault(doing string, silent *silentError) error {
	allowed := silent.limits.silence
	var limit string
	switch {
	case silent.waited >= n.wait.total:
		limit = fmt.Sprintf("the server should have ended the statement after %s (ACE_STATEMENT_TIMEOUT)", n.timeout)
	case allowed == n.whileLocked:
		limit = fmt.Sprintf("in a repair or undo, ACE waits %s for an answer (ACE_REPAIR_ANSWER_TIMEOUT)", allowed)
	default: // a limit that no setting changes, such as commitTimeout
		limit = fmt.Sprintf("ACE waits %s for this answer", allowed)
	}

	cause := "Its server process or the network has stopped responding"
	if silent.waited < n.timeout { // the server has not ended the statement
		cause += ", or the statement needs longer"
	}
	return fault.Wrap(silent, fault.Unavailable, "node %q (%s) is silent: no answer for %s while %s, and the connection is still open. %s. Hint: %s",
		n.name, n.address, silent.waited.Round(time.Millisecond), doing, cause, limit)
}

// cancelFault adds a hint to the error of a cancelled statement: why the statement was
// cancelled. elapsed is the time since the statement was sent. cancelFault recognizes
// ACE's own statement timeout by elapsed. It recognizes the other reasons by the server's
// message, and only if the server writes its messages in English. Without a known reason
// it adds no hint.
func (n *Node) cancelFault(elapsed time.Duration, err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != statementCancelled {
		return err
	}

	var hint string
	switch byUser := strings.Contains(pgErr.Message, "user request"); {
	case byUser:
		hint = "another session cancelled the statement (pg_cancel_backend)"
	case elapsed >= n.timeout:
		hint = fmt.Sprintf("the limit for a statement is %s (ACE_STATEMENT_TIMEOUT); a smaller batch_size makes statements shorter", n.timeout)
	case strings.Contains(pgErr.Message, "statement timeout"):
		hint = "the role or database has a statement_timeout of its own: ALTER ROLE or ALTER DATABASE ... RESET statement_timeout"
	default:
		return err
	}
	return fault.Wrap(err, fault.CodeOf(err), "%s. Hint: %s", fault.PublicMessage(err), hint)
}

// lockFault adds a hint with the table's name to an error that means that a lock was not
// granted within lock_timeout. Other errors are returned unchanged.
func (n *Node) lockFault(relation string, err error) error {
	if relation == "" || sqlState(err) != lockNotAvailable {
		return err
	}
	return fault.Wrap(err, fault.CodeOf(err), "%s. Hint: for %s another session has held or waited for a lock on %s that excludes reading, as ALTER TABLE, VACUUM FULL, TRUNCATE and pg_repack do: see pg_locks",
		fault.PublicMessage(err), lockTimeout, table.WithoutOnly(relation))
}

// lockNotAvailable is the SQLSTATE of a lock that was not granted within lock_timeout.
const lockNotAvailable = "55P03"

// remedy returns a hint for an error, or "" if it knows none. permanent means that the
// error will occur again until the user has followed the hint. remedy recognizes most
// errors by the SQLSTATE and the routine, which is the function of the server that
// reported the error. The message may be in any language, except that of an internal
// error.
func (n *Node) remedy(e *pgconn.PgError) (hint string, permanent bool) {
	role, grantee := "the role", "the role"
	if n.pool != nil {
		user := n.pool.Config().ConnConfig.User
		role, grantee = fmt.Sprintf("role %q", user), table.Quote(user)
	}

	schema, ofSchema := strings.CutPrefix(e.Message, "permission denied for schema ")
	switch {
	case exceedsMemory(e):
		return "a value or row is larger than 1 GB as text; ignore_columns leaves its column out", true
	case e.Code == "42501" && e.Routine == "check_enable_rls":
		return fmt.Sprintf("row security policies would hide rows from %s: ALTER ROLE ... BYPASSRLS, or connect as the owner of the table", role), true
	case e.Code == "42501" && ofSchema:
		return fmt.Sprintf("a type, operator or function of the table is in the schema: GRANT USAGE ON SCHEMA %s TO %s", table.Quote(schema), grantee), true
	case e.Code == "42501":
		return "GRANT the missing privilege to " + role + ": USAGE on the schema of a type or operator, EXECUTE on its function, SELECT on a column", true
	}

	return "", false
}

// invalidPassword is the SQLSTATE of a wrong or missing password.
const invalidPassword = "28P01"

// statementCancelled is the SQLSTATE of a statement that took too long or that an
// administrator cancelled.
const statementCancelled = "57014"

// notSupported is the SQLSTATE of an operation that the server cannot do, such as
// converting its encoding to UTF-8.
const notSupported = "0A000"

// invalidReference is the SQLSTATE with which a server refuses an UPDATE or DELETE
// because of a publication's row filter or list of columns.
const invalidReference = "42P10"

// describe returns the server's message with its position and hint. It omits DETAIL,
// which may quote a row, except for two errors whose DETAIL never does.
func describe(e *pgconn.PgError) string {
	text := fmt.Sprintf("%s (SQLSTATE %s)", shorten(e.Message), e.Code)
	// The DETAIL of notSupported names the encodings, that of invalidReference the reason.
	if e.Code == notSupported && strings.Contains(e.Message, "client_encoding") || e.Code == invalidReference && e.Detail != "" {
		text += ". " + e.Detail
	}
	if e.Position > 0 {
		text += fmt.Sprintf(" at character %d", e.Position)
	}
	if e.Hint != "" {
		text += ". Hint: " + e.Hint
	}
	return text
}

// maxMessage is the maximum length in bytes of a server's message in a fault. The
// server's message may quote a value of any length, and a fault's message has room for
// about a kilobyte.
const maxMessage = 800

// shorten returns a server's message as valid UTF-8 of about maxMessage bytes at most.
func shorten(message string) string {
	text := rawtext.Text([]byte(message))
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "..."
}

// codeOf returns the code of the fault for a SQLSTATE: Unavailable if the cause of the
// error may disappear by itself, and Invalid if the user must correct it.
func codeOf(sqlstate string) fault.Code {
	switch sqlstate {
	case "40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "72000", missingStatement:
		return fault.Unavailable
	}
	switch sqlstate[:min(2, len(sqlstate))] {
	case "08", "53", "58", "XX":
		return fault.Unavailable
	}
	return fault.Invalid
}
