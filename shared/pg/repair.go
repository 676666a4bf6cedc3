package pg

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/shared/fault"
	"ace/shared/table"
)

// readWrite begins a transaction in which each statement sees everything that was
// committed before the statement began. So a statement that locks a row always reads the
// newest version of the row.
const readWrite = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

// commitTimeout bounds the wait for the response to COMMIT, unless RepairAnswerTimeout is
// shorter. Without the response the outcome is unknown.
const commitTimeout = 30 * time.Second

// commitGrace is the time for which Commit continues to wait for the response to COMMIT
// after its context has ended, because the task was cancelled or the service is stopping.
const commitGrace = 3 * time.Second

// outlasting returns a context that ends when grace has passed since the end of ctx.
func outlasting(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return later, func() {
		stop()
		cancel()
	}
}

// outcome is the known outcome of a transaction that writes.
type outcome int

const (
	undecided outcome = iota
	committed
	rolledBack // the transaction can write nothing more
)

// RepairTx is a transaction that writes. It is not safe for concurrent use and must be
// closed. Close before Commit undoes all changes. Close also closes the connection, so no
// session setting of a repair outlives the transaction.
//
// If the client sends nothing for the node's RepairAnswerTimeout, the server rolls the
// transaction back. So while the client waits for other nodes or the archive, a heartbeat
// keeps the transaction open.
type RepairTx struct {
	tx        *Tx
	outcome   outcome
	stopBeats func() // ends the heartbeat; it may be called more than once
	guarded   bool   // every statement that writes is guarded, see GuardWrites
}

// BeginRepair acquires a connection for a transaction. The transaction begins on the
// server with the first call. Unlike Begin, BeginRepair ignores access.Lock and
// access.Files: the caller must call Hold to lock the table and check its files.
func (n *Node) BeginRepair(ctx context.Context, access table.Access) (*RepairTx, error) {
	conn, err := n.acquire(ctx, access)
	if err != nil {
		return nil, err
	}
	tx := n.WhileLocked().newTx(conn, readWrite, access.Unguarded())
	tx.idle = min(n.whileLocked, tx.idle)
	return &RepairTx{tx: tx, stopBeats: tx.startHeartbeat()}, nil
}

// Close rolls the transaction back unless it was committed, and closes the session.
func (r *RepairTx) Close() {
	if r.tx.state == stateClosed {
		return
	}

	r.stopBeats()
	conn := r.tx.conn
	r.tx.conn, r.tx.state = nil, stateClosed
	r.tx.link.allow(closing())
	if r.tx.stream != nil {
		_ = r.tx.stream.pipeline.Close()
	}

	ctx, cancel := context.WithTimeout(context.Background(), cancelGrace)
	defer cancel()
	r.tx.link.allow(closing())
	if !conn.Conn().IsClosed() && r.outcome != committed {
		_, _ = conn.Conn().PgConn().Exec(ctx, "ROLLBACK").ReadAll() // releases the locks before the caller continues
	}

	_ = conn.Conn().Close(ctx)
	conn.Release()
}

// writingPins are the additional settings of a transaction that writes. With them, the
// planner looks up keys through the index.
var writingPins = []setting{ //nolint:gochecknoglobals // a constant list
	{"enable_seqscan", "off"}, {"enable_hashjoin", "off"}, {"enable_mergejoin", "off"},
}

// durableCommits is the query that sets synchronous_commit to local if it is off. Then
// the server confirms COMMIT only when the commit is on disk, so a confirmed commit
// survives a crash of the server.
const durableCommits = "SELECT pg_catalog.set_config('synchronous_commit', 'local', true) WHERE pg_catalog.current_setting('synchronous_commit') OPERATOR(pg_catalog.=) 'off'"

// TryAdvisoryLock acquires the advisory lock of the table until the transaction ends.
// Only one transaction can have the lock. TryAdvisoryLock returns false if another
// session has it. It also applies the settings of a transaction that writes (writingPins
// and durableCommits), so the caller must call it before the first write.
func (r *RepairTx) TryAdvisoryLock(ctx context.Context, schema, name string) (bool, error) {
	var got bool
	queries := append(settings(writingPins), query{sql: durableCommits}, query{
		sql:  "SELECT " + table.TryRepairLock("$1::pg_catalog.text"),
		args: textArgs(quote(schema, name)),
		row:  func(v [][]byte) error { got = isTrue(v[0]); return nil },
	})
	return got, r.tx.run(ctx, "acquiring the advisory lock of the repair", queries...)
}

// DisableTriggers disables triggers and foreign keys for this transaction. Triggers with
// ENABLE REPLICA or ENABLE ALWAYS still fire.
func (r *RepairTx) DisableTriggers(ctx context.Context) error {
	return r.tx.run(ctx, "setting session_replication_role", replicaRole())
}

// EnableTriggers enables triggers and foreign keys for this transaction, even if the
// settings of the role or database disable them (session_replication_role = replica).
func (r *RepairTx) EnableTriggers(ctx context.Context) error {
	return r.tx.run(ctx, "setting session_replication_role", query{
		sql: "SELECT pg_catalog.set_config('session_replication_role', 'origin', true) WHERE pg_catalog.current_setting('session_replication_role') OPERATOR(pg_catalog.=) 'replica'",
	})
}

// SetSearchPath sets the search_path for the next statements of the transaction.
func (r *RepairTx) SetSearchPath(ctx context.Context, path string) error {
	return r.tx.SetSearchPath(ctx, path)
}

// Rows opens a stream of the rows with these keys, in the order of keys.
func (r *RepairTx) Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error) {
	return r.tx.rows(ctx, s, keys, "")
}

// Digests returns for each key the digest of its row, or nil if no row has the key.
func (r *RepairTx) Digests(ctx context.Context, s table.Source, keys []table.Key, options ...table.CallOption) ([]*int64, error) {
	return r.tx.Digests(ctx, s, keys, options...)
}

// Fingerprints is like Tx.Fingerprints.
func (r *RepairTx) Fingerprints(ctx context.Context, s table.Source, ranges []table.Range, want table.FingerprintRequest, options ...table.CallOption) ([]table.Fingerprint, error) {
	return r.tx.Fingerprints(ctx, s, ranges, want, options...)
}

// Lock is like Rows, but locks every row that it finds until the transaction ends.
func (r *RepairTx) Lock(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error) {
	return r.tx.rows(ctx, s, keys, " FOR UPDATE")
}

const serverMark = "(SELECT system_identifier FROM pg_catalog.pg_control_system()), CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'recovery' ELSE pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8) END"

// Mark returns the system identifier of the server, its timeline and the id of this
// transaction.
func (r *RepairTx) Mark(ctx context.Context) (table.Mark, error) {
	return r.mark(ctx, ", pg_catalog.pg_current_xact_id()")
}

// Server is like Mark, but the transaction id in the result is empty. Mark makes the
// server assign an id; Server does not.
func (r *RepairTx) Server(ctx context.Context) (table.Mark, error) { return r.mark(ctx, "") }

func (r *RepairTx) mark(ctx context.Context, xid string) (table.Mark, error) {
	var m table.Mark
	return m, r.tx.run(ctx, "naming the transaction", query{sql: "SELECT " + serverMark + xid, row: func(v [][]byte) error {
		m.System, m.Timeline = string(v[0]), string(v[1])
		if len(v) > 2 {
			m.XID = string(v[2])
		}
		return nil
	}})
}

// Status returns how the transaction with this id ended on this server: "committed",
// "aborted" or "in progress", or "" if the server no longer knows. If the server has not
// assigned the id yet, the transaction was lost in a crash, and Status returns "aborted".
func (r *RepairTx) Status(ctx context.Context, xid string) (string, error) {
	var status string
	err := r.tx.run(ctx, "asking how a transaction ended", query{
		sql:  "SELECT CASE WHEN $1::pg_catalog.xid8 OPERATOR(pg_catalog.>=) pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()) THEN 'aborted' ELSE coalesce(pg_catalog.pg_xact_status($1::pg_catalog.xid8), '') END",
		args: textArgs(xid),
		row:  func(v [][]byte) error { status = string(v[0]); return nil },
	})
	return status, err
}

// columnsNowSQL returns the name, the declared type and the generated state of each
// current column.
const columnsNowSQL = `
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated <> ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`

// Columns returns the table's current columns: name, declared type, and whether they are
// generated. If this transaction has read rows of the table, it holds a lock that
// prevents changes of the columns until the transaction ends.
func (r *RepairTx) Columns(ctx context.Context, schema, name string) ([]table.Column, error) {
	var columns []table.Column
	path := func(path string) query {
		return query{sql: "SELECT pg_catalog.set_config('search_path', $1, true)", args: textArgs(path)}
	}
	return columns, r.tx.run(ctx, "reading the table's columns", path(catalogPath), query{
		sql: columnsNowSQL, args: textArgs(schema, name), row: func(v [][]byte) error {
			columns = append(columns, table.Column{Name: string(v[0]), Declared: string(v[1]), Generated: isTrue(v[2])})
			return nil
		},
	}, path(r.tx.access.SearchPath))
}

// CheckNow makes the server check all deferred constraints now, so that a violation is
// reported before COMMIT.
func (r *RepairTx) CheckNow(ctx context.Context) error {
	return asViolation(r.tx.run(ctx, "checking deferred constraints", query{sql: "SET CONSTRAINTS ALL IMMEDIATE"}))
}

// Commit commits the transaction. After any error except a table.ViolationError, the
// caller must assume that the outcome is unknown. Another transaction can find it out by
// Status, with the id that Mark returned before the Commit.
func (r *RepairTx) Commit(ctx context.Context) error {
	if r.outcome == rolledBack {
		return fault.New(fault.Internal, "node %q: the repair was rolled back and cannot be committed", r.tx.node.name)
	}

	ctx, cancel := outlasting(ctx, commitGrace)
	defer cancel()

	// lock waits until no heartbeat waits for a response. Cancelling a heartbeat while it
	// waits would close the connection.
	r.tx.lock(ctx)
	r.tx.cancelBeats()
	r.tx.use.Unlock()
	r.stopBeats()
	if r.tx.lost != nil { // COMMIT was not sent
		return r.tx.lost
	}

	limit := min(commitTimeout, r.tx.wait.silence)
	r.tx.link.allow(limits{silence: limit, total: limit})
	results, err := r.tx.conn.Conn().PgConn().Exec(ctx, "COMMIT").ReadAll()
	if err != nil {
		return asViolation(r.tx.node.fault(ctx, "committing", err))
	}
	if len(results) != 1 || results[0].CommandTag.String() != "COMMIT" {
		return fault.New(fault.Internal, "node %q rolled the repair back instead of committing it", r.tx.node.name)
	}

	r.outcome = committed
	return nil
}

// asViolation returns err as a table.ViolationError if the server refused a value, or a
// row because of a constraint. Other errors are returned unchanged.
func asViolation(err error) error {
	var known *fault.Error
	pgErr := serverError(err)
	if pgErr == nil || !asFault(err, &known) || !ofRow(pgErr.Code) {
		return err
	}
	unique := pgErr.Code == "23505" || pgErr.Code == "23P01"
	return &table.ViolationError{Constraint: pgErr.ConstraintName, Unique: unique, Fault: known}
}

// ofRow reports whether a SQLSTATE is about a value or a constraint.
func ofRow(sqlstate string) bool {
	class := sqlstate[:min(2, len(sqlstate))]
	return class == "22" || class == "23"
}

// written has the values that a statement writes.
type written struct {
	params params
	names  []string // names of the columns, quoted
	rows   []table.Row
}

// write sends q, a statement that writes rows. write fails unless the statement wrote
// want rows. If guarded is set, the statement is sent after a savepoint, so that the
// transaction can continue if the node refuses a row: then only this statement is undone.
// values are the values that the statement writes. If the node refuses one of them, write
// finds out which.
func (r *RepairTx) write(ctx context.Context, doing string, q query, want int, guarded bool, values written) error {
	guarded = guarded || r.guarded
	var wrote int64
	q.affected = func(rows int64) { wrote = rows }
	queries := []query{q}
	if guarded {
		queries = []query{{sql: "SAVEPOINT " + writeMark}, q, {sql: "RELEASE SAVEPOINT " + writeMark}}
	}

	err := r.tx.run(ctx, doing, queries...)
	if isMisfit(sqlState(err)) {
		return r.refuse(ctx, doing, err, guarded, values)
	}
	if err = asViolation(err); guarded && isViolation(err) {
		return cmp.Or(r.tx.rollbackTo(ctx, writeMark), err)
	}
	if err == nil && wrote != int64(want) {
		return fault.New(fault.Invalid, "node %q: %s wrote %d rows instead of %d: a trigger may have refused or added rows", r.tx.node.name, doing, wrote, want)
	}

	return err
}

// refuse returns the error of a statement that failed. The error names the value that is
// not valid for its column's type on the node, if there is one. guarded means that the
// statement was sent after a savepoint. If it was not, refuse rolls the transaction back
// and tests the values in another transaction on the same connection.
func (r *RepairTx) refuse(ctx context.Context, doing string, failed error, guarded bool, values written) error {
	if guarded {
		if err := r.tx.rollbackTo(ctx, writeMark); err != nil {
			return failed
		}
		return r.tx.misfit(ctx, doing, failed, values)
	}
	if err := r.end(ctx); err != nil {
		return failed
	}
	defer r.end(ctx) //nolint:errcheck // the connection is closed in any case
	return r.tx.misfit(ctx, doing, failed, values)
}

// end rolls the transaction back. Afterwards Commit returns an error.
func (r *RepairTx) end(ctx context.Context) error {
	r.outcome = rolledBack
	return r.tx.rollback(ctx, "rolling back")
}

// GuardWrites guards every further statement that writes: a table.ViolationError undoes
// only that statement and the transaction continues.
func (r *RepairTx) GuardWrites() { r.guarded = true }

// Delete deletes the rows with these keys, all of which must exist.
func (r *RepairTx) Delete(ctx context.Context, t table.Target, keys []table.Key) error {
	p, name := keyParams(t.Source), uniqueName(t.Source, "list")
	return r.write(ctx, "deleting rows", query{
		args: p.ofKeys(keys),
		sql: fmt.Sprintf("DELETE FROM %s USING %s %s WHERE %s",
			t.Relation, p.list(1), name, sameKey(t.Source, qualify(name, p.names()))),
	}, len(keys), false, written{})
}

// Update sets some columns of the rows with these keys, all of which must exist. columns
// are the indexes of these columns in t.Names. Each element of rows has one value per
// element of columns. If guarded is set, a table.ViolationError undoes only this Update
// and the transaction continues; that costs the server an extra lock per row.
func (r *RepairTx) Update(ctx context.Context, t table.Target, columns []int, keys []table.Key, rows []table.Row, guarded bool) error {
	name, keyed, values := uniqueName(t.Source, "list"), keyParams(t.Source), writtenParams(t, columns)
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = t.Names[c] + " = " + name + "." + values[i].name
	}
	return r.write(ctx, "updating rows", query{
		args: append(keyed.ofKeys(keys), values.ofRows(rows)...),
		sql: fmt.Sprintf("UPDATE %s SET %s FROM %s %s WHERE %s",
			t.Relation, commaList(set), slices.Concat(keyed, values).list(1), name, sameKey(t.Source, qualify(name, keyed.names()))),
	}, len(rows), guarded, written{values, pick(t.Names, columns), rows})
}

// writtenParams returns the parameters for values of some columns of the target.
func writtenParams(t table.Target, columns []int) params {
	parse := make([]table.Parse, len(columns))
	for i, at := range columns {
		parse[i] = parseAt(t.Parse, at)
	}
	return valueParams(pick(t.Types, columns), parse)
}

// Insert inserts rows, each with one value per element of columns. columns are the
// indexes of the columns in t.Names. A table.ViolationError undoes only this Insert and
// the transaction continues.
func (r *RepairTx) Insert(ctx context.Context, t table.Target, columns []int, rows []table.Row) error {
	name, values := uniqueName(t.Source, "list"), writtenParams(t, columns)
	return r.write(ctx, "inserting rows", query{
		args: values.ofRows(rows),
		sql: fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s %s ORDER BY %s.ord",
			t.Into, commaList(pick(t.Names, columns)), commaList(qualify(name, values.names())), values.list(1), name, name),
	}, len(rows), true, written{values, pick(t.Names, columns), rows})
}

// Convert is like Tx.Convert.
func (r *RepairTx) Convert(ctx context.Context, to []table.Conversion, rows []table.Row) ([]table.Row, error) {
	converted, err := r.tx.Convert(ctx, to, rows)
	return converted, err
}

// Duplicate looks for a row that violates the deferrable unique constraint d because
// another row has the same values. It checks only the rows with these keys. It returns
// the index in keys of the key of such a row, or -1 if no row violates the constraint.
func (r *RepairTx) Duplicate(ctx context.Context, t table.Target, d table.Deferrable, keys []table.Key) (int, error) {
	p, name := keyParams(t.Source), uniqueName(t.Source, "list")
	other := uniqueName(t.Source, "other")
	equal := make([]string, len(d.Columns))
	for i, column := range d.Columns {
		ours, theirs := t.Alias+"."+column, other+"."+column
		equal[i] = fmt.Sprintf("%s %s %s", inBase(theirs, d, i), d.Equal[i], inBase(ours, d, i))
		if !d.Distinct {
			equal[i] = fmt.Sprintf("(%s OR %s IS NULL AND %s IS NULL)", equal[i], theirs, ours)
		}
	}

	at := -1
	err := r.tx.run(ctx, "checking a deferrable constraint", query{
		args: p.ofKeys(keys),
		sql: fmt.Sprintf("SELECT %s.ord FROM %s %s CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS n FROM %s WHERE %s AND (SELECT pg_catalog.count(*) FROM %s %s WHERE %s) OPERATOR(pg_catalog.>) 1) ace_inner WHERE ace_inner.n OPERATOR(pg_catalog.>) 0 LIMIT 1",
			name, p.list(1), name, t.Relation, sameKey(t.Source, qualify(name, p.names())), t.Relation, other, allOf(equal)),
		row: func(v [][]byte) (err error) {
			at, err = place(v[0], len(keys))
			return err
		},
	})

	return at, err
}

// inBase returns ref, a reference to column i of the constraint d. A value of a domain is
// cast to its base type, for which the constraint's operator is defined. Without the
// cast, the server could choose an operator that a user defined for the domain.
func inBase(ref string, d table.Deferrable, i int) string {
	if i >= len(d.Base) || d.Base[i] == "" {
		return ref
	}
	return "(" + ref + ")::" + d.Base[i]
}

// isPooled reports whether a pooler is between the client and the server, so that other
// clients may use the same session. With a pooler, the id of the server process differs
// from the id that was reported when the connection was opened.
func (r *RepairTx) isPooled(ctx context.Context) (bool, error) {
	var pid string
	err := r.tx.run(ctx, "looking for a pooler", query{sql: "SELECT pg_catalog.pg_backend_pid()", row: func(v [][]byte) error {
		pid = string(v[0])
		return nil
	}})
	return pid != strconv.FormatUint(uint64(r.tx.conn.Conn().PgConn().PID()), 10), err
}

func serverError(err error) *pgconn.PgError {
	var pgErr *pgconn.PgError
	if err == nil || !asPgError(err, &pgErr) {
		return nil
	}
	return pgErr
}
