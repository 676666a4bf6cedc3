package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"ace/shared/table"
)

// query is one statement with its parameters as text; nil is NULL. row, if set, is called for each result row; the
// values are valid only during the call.
type query struct {
	sql  string
	args [][]byte
	row  func(values [][]byte) error
}

// textArgs turns text parameters into what the wire protocol takes.
func textArgs(texts ...string) [][]byte {
	args := make([][]byte, len(texts))
	for i, text := range texts {
		args[i] = []byte(text)
	}
	return args
}

// readOnly begins a transaction whose statements see one snapshot.
const readOnly = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

// state is what the client knows of a transaction. The diagram is in doc.go.
type state int

const (
	stateUnbegun state = iota // no transaction on the server: the next call sends BEGIN
	stateBegun                // BEGIN was sent
	stateFailed               // a statement failed: the server accepts only a rollback
	stateClosed               // the connection was given back
)

// Tx is a short read-only transaction with one snapshot. BEGIN and the pinned settings travel with the first
// statements, so a Tx that was only opened has cost nothing. It is used by one goroutine at a time and must be closed.
type Tx struct {
	node     *Node
	conn     *pgxpool.Conn
	state    state
	mode     string // how it begins
	access   table.Access
	plans    []setting      // in addition to the pinned settings, or instead of some of them
	snapshot string         // exported by another transaction; "": its own
	commits  bool           // it ends with COMMIT instead of ROLLBACK
	stream   *stream        // results that are being read; nil: none
	found    table.Identity // of the server, once the transaction has begun
}

// Begin takes a connection for a transaction, which begins on the server with the first query.
func (n *Node) Begin(ctx context.Context, access table.Access) (*Tx, error) {
	conn, err := n.acquire(ctx, access)
	if err != nil {
		return nil, err
	}
	return &Tx{node: n, conn: conn, mode: readOnly, access: access}, nil
}

// beginCatalog is Begin for a transaction that reads system catalogs only.
func (n *Node) beginCatalog(ctx context.Context) (*Tx, error) {
	tx, err := n.Begin(ctx, table.Access{SearchPath: catalogPath})
	if err != nil {
		return nil, err
	}
	tx.plans = catalogPlans
	return tx, nil
}

// Close ends the transaction and gives the connection back.
func (t *Tx) Close() {
	if t.state == stateClosed {
		return
	}
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
	t.conn.Release() // a connection that is not idle is closed by the pool
	t.conn, t.state = nil, stateClosed
}

// abandon rolls the transaction back. A session that cannot be reset is closed.
func (t *Tx) abandon() {
	ctx, cancel := context.WithTimeout(context.Background(), cancelGrace)
	defer cancel()

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

// Renew ends the transaction but keeps the connection: the next query begins another one, with a snapshot of its own.
func (t *Tx) Renew(ctx context.Context) error {
	if t.state == stateUnbegun && t.stream == nil {
		return nil
	}
	return t.rollback(ctx, "ending a snapshot")
}

// rollback ends the transaction on the server, whether a statement failed or not.
func (t *Tx) rollback(ctx context.Context, doing string) error {
	if t.state == stateFailed {
		t.state = stateBegun // the server accepts this statement
	}
	if err := t.run(ctx, doing, query{sql: rollback}); err != nil {
		return err
	}
	t.state = stateUnbegun
	return nil
}

// run sends the queries in one round trip and gives the rows to their handlers.
func (t *Tx) run(ctx context.Context, doing string, queries ...query) error {
	return t.call(ctx, doing, 0, queries...)
}

// call is run with options.
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
		if err := queries[i].row(values); err != nil {
			_ = s.close()
			return t.node.fault(ctx, doing, err)
		}
	}
}

// open sends the queries and leaves the results to be read.
func (t *Tx) open(ctx context.Context, doing string, options table.CallOption, queries ...query) (*stream, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	s := &stream{tx: t, ctx: ctx, doing: doing, pipeline: t.conn.Conn().PgConn().StartPipeline(ctx)}

	if t.state == stateUnbegun {
		t.state = stateBegun
		t.found = table.Identity{}
		s.send(toBegin, t.beginning()...)
	}
	if options.Has(table.ReleaseLocks) {
		s.send(internal, query{sql: "SAVEPOINT ace"})
	}
	s.send(ofCaller, queries...)
	if !t.access.Files.IsZero() {
		s.send(internal, t.checkFiles(t.access.Relation, t.access.Files))
	}
	if options.Has(table.ReleaseLocks) { // locks taken behind a savepoint go with it, the snapshot stays
		s.send(internal, query{sql: "ROLLBACK TO SAVEPOINT ace"}, query{sql: "RELEASE SAVEPOINT ace"})
	}
	if options.Has(table.EndTransaction) {
		for _, sql := range t.ending(t.verb()) {
			s.send(internal, query{sql: sql})
		}
		t.state = stateUnbegun
	}

	if err := s.pipeline.Sync(); err != nil {
		_ = s.close()
		return nil, t.node.fault(ctx, doing, err)
	}
	t.stream = s
	return s, nil
}

// usable returns an error unless the next statements may be sent.
func (t *Tx) usable() error {
	switch {
	case t.stream != nil:
		return errors.New("pg: a stream of this transaction is still open")
	case t.state == stateFailed:
		return errors.New("pg: a statement of this transaction has failed")
	case t.state == stateClosed:
		return errors.New("pg: this transaction is closed")
	}
	return nil
}

// beginning returns the statements that come before the first query. A table that is locked is locked
// before any statement that takes a snapshot: rewriting a table (ALTER TABLE, pg_repack, REPACK) is
// not MVCC-safe, so a snapshot that is older than the rewrite would see an empty table. LOCK and SET
// take no snapshot.
func (t *Tx) beginning() []query {
	queries := []query{{sql: t.mode}}
	if t.snapshot != "" {
		queries = append(queries, importQuery(t.snapshot))
	}
	if t.access.Lock {
		queries = append(queries,
			// The role's own limit would end the wait for the lock with another error.
			query{sql: fmt.Sprintf("SET LOCAL statement_timeout = %d", t.node.timeout.Milliseconds())},
			query{sql: "SET LOCAL lock_timeout = '" + lockTimeout + "'"},
			query{sql: lockSQL(t.access.Relation)})
	}
	return append(queries, t.withIdentity(settingsQuery(withPlans(t.plans), t.access.SearchPath, t.node.timeout)))
}

// The statements that end a transaction.
const (
	commit   = "COMMIT"
	rollback = "ROLLBACK"
)

// verb returns how the transaction ends. A reading transaction is rolled back, which undoes what
// functions in a table_filter may have done, as far as it was done in the transaction.
func (t *Tx) verb() string {
	if t.commits {
		return commit
	}
	return rollback
}

// ending returns the statements that end the transaction. Session locks, prepared statements and
// other things that a rollback does not undo are discarded before anything else uses the session:
// in the same pipeline, since a transaction pooler may give the next one another session.
func (t *Tx) ending(verb string) []string {
	if t.access.Foreign {
		return []string{verb, "DISCARD ALL"}
	}
	return []string{verb}
}

// sender is the reason why a statement was sent.
type sender int

const (
	ofCaller sender = iota // it is a query of the call
	toBegin                // it begins the transaction
	internal               // a savepoint, a check, or the end of the transaction
)

// sent is a statement whose results have not been read yet.
type sent struct {
	query
	sender sender
	place  int // among the statements of the same sender
}

// stream reads the results of pipelined queries row by row. It lives within one call of its creator, which is why it
// may hold the context.
type stream struct {
	tx       *Tx
	ctx      context.Context //nolint:containedctx // needed to tell a cancelled query from a lost connection
	doing    string
	pipeline *pgconn.Pipeline
	reader   *pgconn.ResultReader // of the statement that is being read; nil: the next one comes
	current  sent                 // the statement that is being read
	pending  []sent               // the statements after it
}

func (s *stream) send(sender sender, queries ...query) {
	for i, q := range queries {
		s.pipeline.SendQueryParams(q.sql, q.args, nil, nil, nil)
		s.pending = append(s.pending, sent{query: q, sender: sender, place: i})
	}
}

// next gives the index of a query and one of its rows, valid until the next call; nil values mean the end.
func (s *stream) next() (int, [][]byte, error) {
	for {
		if s.reader == nil {
			more, err := s.nextResult()
			if err != nil || !more {
				return 0, nil, err
			}
		}

		if !s.reader.NextRow() {
			_, err := s.reader.Close()
			s.reader = nil
			if err != nil {
				return 0, nil, s.fail(err)
			}
			continue
		}
		if s.current.sender == ofCaller {
			return s.current.place, s.reader.Values(), nil
		}
		if err := s.handle(s.reader.Values()); err != nil {
			return 0, nil, err
		}
	}
}

// nextResult turns to the result of the next statement; false: there is none.
func (s *stream) nextResult() (bool, error) {
	result, err := s.pipeline.GetResults()
	if err != nil {
		return false, s.fail(err)
	}
	reader, ok := result.(*pgconn.ResultReader)
	if !ok {
		return false, nil
	}
	s.reader = reader
	s.current, s.pending = s.pending[0], s.pending[1:]
	return true, nil
}

// handle hands a row of a statement that is not the caller's to its handler. The rows of the statements
// that begin the transaction come before any row of the queries is used.
func (s *stream) handle(row [][]byte) error {
	if s.current.row == nil {
		return nil
	}
	err := s.current.row(row)
	if err != nil && s.current.sender == toBegin {
		s.tx.state = stateFailed
		_ = s.pipeline.Close()
		return s.tx.checkServer(s.ctx, s.tx.node.fault(s.ctx, s.doing, err))
	}
	return err
}

func (s *stream) fail(err error) error {
	s.tx.state = stateFailed
	err = s.tx.node.lockFault(s.tx.access.Relation, s.tx.node.fault(s.ctx, s.doing, err))
	if s.tx.found.Started == "" {
		_ = s.pipeline.Close()
		return s.tx.checkServer(s.ctx, err)
	}
	return err
}

// close ends the reading; results not read yet are thrown away.
func (s *stream) close() error {
	s.tx.stream = nil
	if err := s.pipeline.Close(); err != nil {
		s.tx.state = stateFailed
		return s.tx.node.fault(s.ctx, s.doing, err)
	}
	return nil
}
