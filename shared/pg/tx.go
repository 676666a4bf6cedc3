package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"ace/shared/table"
	"ace/shared/taskid"
)

// query is one statement with its parameters as text. A nil parameter means NULL. If row
// is set, it is called for each result row. The values of the row are valid only during
// that call. If affected is set, it is called after the last row, with the number of rows
// that the statement has returned or written.
type query struct {
	sql      string
	args     [][]byte
	row      func(values [][]byte) error
	affected func(rows int64)
	fixed    bool // the text is one of a few, so the statement may be prepared (prepared.go)
	values   bool // its rows have values of columns, so a row may be as large as PostgreSQL allows
}

// textArgs returns text parameters as the wire protocol sends them.
func textArgs(texts ...string) [][]byte {
	args := make([][]byte, len(texts))
	for i, text := range texts {
		args[i] = []byte(text)
	}
	return args
}

// readOnly begins a transaction whose statements all read one snapshot.
const readOnly = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

// state is the state of a transaction as far as the client knows it. The diagram is in
// doc.go.
type state int

const (
	stateUnbegun state = iota // no transaction on the server: the next call sends BEGIN
	stateBegun                // BEGIN was sent
	stateFailed               // a statement failed: the server accepts only a rollback
	stateClosed               // the connection was released
)

// Tx is a short read-only transaction with one snapshot. BEGIN and the pinned settings
// are sent with the first call, so an unused Tx costs no round trip. A Tx is not safe for
// concurrent use and must be closed.
type Tx struct {
	node     *Node
	conn     *pgxpool.Conn
	link     *link
	wait     limits        // how long the client waits for one statement
	idle     time.Duration // how long the server waits for the client
	use      sync.Mutex    // guards the fields conn, stream and lost; the heartbeat uses all three too
	lost     error         // why the connection was lost while no statement ran, or nil
	state    state
	mode     string // the statement that begins the transaction
	access   table.Access
	plans    []setting      // planner settings that are added to the pinned ones or replace them
	snapshot string         // name of the snapshot to import; empty: the transaction takes its own
	commits  bool           // table.EndTransaction ends the transaction with COMMIT, not with ROLLBACK
	stream   *stream        // the open stream of results, or nil
	found    table.Identity // identity of the server, once the transaction has begun

	cancelBeats context.CancelFunc // ends the heartbeat and its wait for the server; nil without a heartbeat
}

// Begin acquires a connection for a transaction. The transaction begins on the server
// with the first call.
func (n *Node) Begin(ctx context.Context, access table.Access) (*Tx, error) {
	conn, err := n.acquire(ctx, access)
	if err != nil {
		return nil, err
	}
	return n.newTx(conn, readOnly, access), nil
}

func (n *Node) newTx(conn *pgxpool.Conn, mode string, access table.Access) *Tx {
	return &Tx{
		node: n, conn: conn, link: linkOf(conn.Conn().PgConn().Conn()), wait: n.wait, mode: mode, access: access,
		// The transaction is idle until the slowest node has answered, which may need the
		// full statement timeout.
		idle: n.timeout + idleMargin,
	}
}

// beginCatalog is like Begin, but for a transaction that reads only system catalogs.
func (n *Node) beginCatalog(ctx context.Context) (*Tx, error) {
	tx, err := n.Begin(ctx, table.Access{SearchPath: catalogPath})
	if err != nil {
		return nil, err
	}
	tx.plans = catalogPlans
	return tx, nil
}

// beginDescribing is like beginCatalog, but for a transaction that reads the catalog
// entries of one table by prepared statements.
func (n *Node) beginDescribing(ctx context.Context) (*Tx, error) {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return nil, err
	}
	tx.plans = describingPlans
	return tx, nil
}

// Close ends the transaction and releases the connection.
func (t *Tx) Close() {
	if t.state == stateClosed {
		return
	}
	t.wait = closing()
	if t.stream != nil {
		_ = t.stream.close()
	}

	switch {
	case t.conn.Conn().IsClosed():
	case t.state == stateFailed && t.access.Foreign:
		t.closeSession()
	case t.state == stateBegun:
		t.abandon()
	}

	t.link.idle()
	t.conn.Release() // the pool closes a connection on which a transaction is still open
	t.conn, t.state = nil, stateClosed
}

// closing returns how long the client may wait for a transaction to close whose results
// are no longer needed.
func closing() limits { return limits{silence: cancelGrace, total: cancelGrace} }

// abandon rolls the transaction back. If user code may have run in the session
// (access.Foreign), abandon also resets the session, or closes it if that fails.
func (t *Tx) abandon() {
	ctx, cancel := context.WithTimeout(context.Background(), cancelGrace)
	defer cancel()

	t.link.allow(t.wait)
	pipeline := t.conn.Conn().PgConn().StartPipeline(ctx)
	for _, sql := range t.ending(rollback) {
		pipeline.SendQueryParams(sql, nil, nil, nil, nil)
	}

	err := pipeline.Sync()
	if closing := pipeline.Close(); err == nil {
		err = closing
	}
	if err != nil && t.access.Foreign {
		t.closeSession()
	}
}

// closeSession closes the session.
func (t *Tx) closeSession() {
	ctx, cancel := context.WithTimeout(context.Background(), cancelGrace)
	defer cancel()
	_ = t.conn.Conn().Close(ctx)
}

// Renew ends the transaction without releasing the connection. The next call begins
// another transaction, with a new snapshot.
func (t *Tx) Renew(ctx context.Context) error {
	if t.state == stateUnbegun && t.stream == nil {
		return nil
	}
	return t.rollback(ctx, "ending a snapshot")
}

// rollback ends the transaction on the server, even after a statement has failed. It
// keeps the connection.
func (t *Tx) rollback(ctx context.Context, doing string) error {
	if t.state == stateFailed {
		t.state = stateBegun // the server accepts this statement
	}
	return t.finish(ctx, doing, rollback)
}

// finish ends the transaction on the server with verb (COMMIT or ROLLBACK). It keeps the
// connection, and the next call begins another transaction.
func (t *Tx) finish(ctx context.Context, doing, verb string) error {
	if err := t.run(ctx, doing, query{sql: verb}); err != nil {
		return err
	}
	t.state = stateUnbegun
	return nil
}

// run sends the queries in one round trip and calls their row handlers. doing describes
// the statements in errors.
func (t *Tx) run(ctx context.Context, doing string, queries ...query) error {
	return t.call(ctx, doing, 0, queries...)
}

// call is like run, but with the options of a call.
func (t *Tx) call(ctx context.Context, doing string, options table.CallOption, queries ...query) error {
	s, err := t.open(ctx, doing, options, queries...)
	if err != nil {
		return err
	}
	for {
		i, values, err := s.next()
		if err != nil {
			_ = s.close()
			return err
		}
		if values == nil {
			return s.close()
		}
		if queries[i].row == nil {
			continue
		}
		if err := t.node.read(queries[i].row, values); err != nil {
			s.abandonFalse(err)
			_ = s.close()
			return t.node.fault(ctx, doing, err)
		}
	}
}

// open sends the queries and returns the stream of their results.
func (t *Tx) open(ctx context.Context, doing string, options table.CallOption, queries ...query) (*stream, error) {
	t.lock(ctx)
	defer t.use.Unlock()
	if err := t.usable(); err != nil {
		return nil, err
	}

	t.link.allow(t.wait)
	s := &stream{tx: t, ctx: ctx, doing: doing, sentAt: time.Now(), pipeline: t.conn.Conn().PgConn().StartPipeline(ctx)}

	if t.state == stateUnbegun {
		t.state = stateBegun
		t.found = table.Identity{}
		s.send(toBegin, t.beginning(ctx)...)
	}
	if options.Has(table.ReleaseLocks) {
		s.send(internal, query{sql: "SAVEPOINT ace"})
	}

	t.link.expectValues(slices.ContainsFunc(queries, func(q query) bool { return q.values }))
	s.send(ofCaller, queries...)
	if !t.access.Files.IsZero() {
		s.send(internal, t.checkFiles(t.access.Relation, t.access.Files))
	}
	// Rolling back to a savepoint releases the locks that were acquired since. The
	// snapshot stays.
	if options.Has(table.ReleaseLocks) {
		s.send(internal, query{sql: "ROLLBACK TO SAVEPOINT ace"}, query{sql: "RELEASE SAVEPOINT ace"})
	}
	if options.Has(table.EndTransaction) {
		for _, sql := range t.ending(t.verb()) {
			s.send(internal, query{sql: sql})
		}
		t.state = stateUnbegun
	}

	if err := s.pipeline.Sync(); err != nil {
		_ = s.end()
		return nil, t.node.fault(ctx, doing, err)
	}

	t.stream = s
	return s, nil
}

// usable returns an error unless the next statements may be sent.
func (t *Tx) usable() error {
	switch {
	case t.lost != nil:
		return t.lost
	case t.stream != nil:
		return errors.New("pg: a stream of this transaction is still open")
	case t.state == stateFailed:
		return errors.New("pg: a statement of this transaction has failed")
	case t.state == stateClosed:
		return errors.New("pg: this transaction is closed")
	}
	return nil
}

// beginning returns the statements that precede the first query. LOCK precedes every
// statement that takes a snapshot: rewriting a table (ALTER TABLE, pg_repack, REPACK) is
// not MVCC-safe, so a snapshot older than the rewrite would show an empty table. LOCK and
// SET take no snapshot. An imported snapshot may be older than this LOCK, but the
// transaction that exported it has locked the table too.
func (t *Tx) beginning(ctx context.Context) []query {
	name := applicationName(t.node.application, taskid.Of(ctx))
	queries := []query{{sql: t.mode}}
	if t.snapshot != "" {
		queries = append(queries, importQuery(t.snapshot))
	}
	if t.access.Lock {
		queries = append(queries,
			// While the session waits for the lock, its application_name must show the task.
			query{sql: "SET LOCAL application_name = '" + escapeLiteral(name) + "'"},
			// Otherwise the role's own statement_timeout could end the wait for the lock, with
			// another error.
			query{sql: fmt.Sprintf("SET LOCAL statement_timeout = %d", t.node.timeout.Milliseconds())},
			query{sql: "SET LOCAL lock_timeout = '" + lockTimeout + "'"},
			query{sql: lockSQL(t.access.Relation)})
	}
	return append(queries, t.withIdentity(settingsQuery(withPlans(t.plans), t.access.SearchPath, name, timeouts{t.node.timeout, t.idle})))
}

// The statements that end a transaction.
const (
	commit   = "COMMIT"
	rollback = "ROLLBACK"
)

// verb returns the statement that ends the transaction. A transaction that reads is
// rolled back, which also undoes what functions in a table_filter changed.
func (t *Tx) verb() string {
	if t.commits {
		return commit
	}
	return rollback
}

// ending returns the statements that end the transaction: verb (COMMIT or ROLLBACK) and,
// if user code may have run in the session (access.Foreign), DISCARD ALL. DISCARD ALL
// removes what a rollback does not undo, such as session locks and prepared statements,
// before the session is used again. It is sent in the same pipeline because a transaction
// pooler may run the next pipeline in another session.
func (t *Tx) ending(verb string) []string {
	if t.access.Foreign {
		return []string{verb, "DISCARD ALL"}
	}
	return []string{verb}
}

// purpose is why a statement was sent.
type purpose int

const (
	ofCaller purpose = iota // the statement is a query of the call
	toBegin                 // the statement begins the transaction
	internal                // the statement is a savepoint, a check, or the end of the transaction
)

// sent is a statement whose results have not been read yet.
type sent struct {
	query
	purpose purpose
	index   int // index among the statements of the same purpose
}

// stream reads the results of pipelined queries row by row. All of its queries run under
// the context of the call that opened it, so it has that context as a field.
type stream struct {
	tx       *Tx
	ctx      context.Context //nolint:containedctx // distinguishes a cancelled query from a lost connection
	doing    string
	sentAt   time.Time
	pipeline *pgconn.Pipeline
	reader   *pgconn.ResultReader // reads the current statement; nil between statements
	current  sent                 // the statement whose result is being read
	rows     int                  // number of rows read of a statement that is not a query of the call
	pending  []sent               // the statements after current

	preparing []statement // the statements whose preparation the server has not confirmed yet
}

func (s *stream) send(purpose purpose, queries ...query) {
	for i, q := range queries {
		s.sendQuery(q)
		s.pending = append(s.pending, sent{query: q, purpose: purpose, index: i})
	}
}

// next returns the values of the next row of the call's results, and the index of the
// query to which the row belongs. The values are valid until the next call of next. If
// they are nil, there are no more rows.
func (s *stream) next() (int, [][]byte, error) {
	s.tx.use.Lock()
	defer s.tx.use.Unlock()
	for {
		if s.reader == nil {
			more, err := s.nextResult()
			if err != nil || !more {
				return 0, nil, err
			}
		}

		if !s.reader.NextRow() {
			tag, err := s.reader.Close()
			s.reader = nil
			if err != nil {
				return 0, nil, s.fail(err)
			}
			if s.current.affected != nil {
				s.current.affected(tag.RowsAffected())
			}
			continue
		}
		if s.current.purpose == ofCaller {
			return s.current.index, s.reader.Values(), nil
		}
		if s.rows++; s.rows > 1 {
			err := s.tx.node.answerFault(errors.New("several rows where the statement returns one"))
			s.tx.link.abandon(err)
			return 0, nil, s.fail(err)
		}
		if err := s.handle(s.reader.Values()); err != nil {
			return 0, nil, err
		}
	}
}

// nextResult moves to the result of the next statement. It returns false if there is
// none.
func (s *stream) nextResult() (bool, error) {
	for {
		result, err := s.pipeline.GetResults()
		if err != nil {
			return false, s.fail(err)
		}

		switch result := result.(type) {
		case *pgconn.PipelineSync: // read on: the response to the Sync of a heartbeat may follow
		case *pgconn.CloseComplete:
		case *pgconn.StatementDescription:
			s.confirm()
		case *pgconn.ResultReader:
			s.tx.link.allow(s.tx.wait)
			s.reader = result
			if len(s.pending) == 0 {
				return false, s.fail(s.tx.node.answerFault(errors.New("more results than statements")))
			}
			s.current, s.pending, s.rows = s.pending[0], s.pending[1:], 0
			return true, nil
		default:
			return false, nil
		}
	}
}

// handle calls the row handler of a statement that is not a query of the call. If the
// statement begins the transaction, an error of the row handler means that the connection
// leads to another server than before, or than the plan expects. Then handle makes the
// transaction fail. This row handler is called before the first row of the call is
// returned, so no row of a wrong server is used.
func (s *stream) handle(row [][]byte) error {
	if s.current.row == nil {
		return nil
	}

	err := s.tx.node.read(s.current.row, row)
	s.abandonFalse(err)
	if err != nil && s.current.purpose == toBegin {
		s.tx.state = stateFailed
		_ = s.pipeline.Close()
		return s.tx.checkServer(s.ctx, s.tx.node.fault(s.ctx, s.doing, err))
	}
	return err
}

// fail records that a statement has failed, and returns its error as a fault. If the
// transaction could not begin, the reason may be that the connection leads to another
// server, so fail checks the server's identity.
func (s *stream) fail(err error) error {
	s.tx.state = stateFailed
	node := s.tx.node
	if sqlState(err) == missingStatement {
		s.tx.forgetStatements()
	}
	err = node.lockFault(s.tx.access.Relation, node.cancelFault(time.Since(s.sentAt), node.fault(s.ctx, s.doing, err)))
	if s.tx.found.Started == "" {
		_ = s.pipeline.Close()
		return s.tx.checkServer(s.ctx, err)
	}
	return err
}

// abandonFalse abandons the connection if err means that the server's answer does not fit
// the statement. The rest of such an answer is not read, because it may have no end.
func (s *stream) abandonFalse(err error) {
	var of *answerError
	if errors.As(err, &of) {
		s.tx.link.abandon(err)
	}
}

// close ends the stream and discards the results that were not read.
func (s *stream) close() error {
	s.tx.use.Lock()
	defer s.tx.use.Unlock()
	return s.end()
}

// end is like close. The caller must hold the mutex of the transaction.
func (s *stream) end() error {
	s.tx.stream = nil
	s.tx.link.allow(s.tx.wait)
	if err := s.pipeline.Close(); err != nil {
		s.tx.state = stateFailed
		return s.tx.node.fault(s.ctx, s.doing, err)
	}
	return nil
}
