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

// Tx is a short read-only transaction with one snapshot. BEGIN and the pinned settings travel with the first
// statements, so a Tx that was only opened has cost nothing. It is used by one goroutine at a time and must be closed.
type Tx struct {
	node     *Node
	conn     *pgxpool.Conn
	mode     string // how it begins
	access   table.Access
	plans    []setting // in addition to the pinned settings, or instead of some of them
	snapshot string    // exported by another transaction; "": its own
	begun    bool
	last     bool // the transaction's end travels with the next queries
	keep     bool // the next queries' locks end with them
	commits  bool // what it does is to last
	broken   bool
	active   *stream
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
	if t.conn == nil {
		return
	}
	if t.active != nil {
		_ = t.active.close()
	}
	switch {
	case t.conn.Conn().IsClosed():
	case t.broken && t.access.Foreign:
		t.hangUp()
	case t.begun && !t.broken:
		t.abandon()
	}
	t.conn.Release() // a connection that is not idle is closed by the pool
	t.conn = nil
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
		t.hangUp()
	}
}

// hangUp closes the session.
func (t *Tx) hangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), cancelGrace)
	defer cancel()
	_ = t.conn.Conn().Close(ctx)
}

// Renew ends the transaction but keeps the connection: the next query begins another one, with a snapshot of its own.
func (t *Tx) Renew(ctx context.Context) error {
	if t.active != nil {
		return errors.New("pg: a stream of this transaction is still open")
	}
	if !t.begun {
		return nil
	}
	if err := t.run(ctx, "ending a snapshot", query{sql: "ROLLBACK"}); err != nil {
		return err
	}
	t.begun = false
	return nil
}

// Last says that the next call is the last of this transaction, so that its end need not be sent by itself: over a long
// way that halves the time of a transaction of one statement.
func (t *Tx) Last() { t.last = true }

// Keep says that the transaction goes on after the next call, but without the locks that this takes: whoever wants to alter
// the table need not wait for the transaction's end.
func (t *Tx) Keep() { t.keep = true }

// run sends the queries in one round trip and gives the rows to their handlers.
func (t *Tx) run(ctx context.Context, doing string, queries ...query) error {
	s, err := t.open(ctx, doing, queries...)
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
func (t *Tx) open(ctx context.Context, doing string, queries ...query) (*stream, error) {
	if t.active != nil {
		return nil, errors.New("pg: a stream of this transaction is still open")
	}
	s := &stream{tx: t, ctx: ctx, doing: doing, index: -1}
	s.pipeline = t.conn.Conn().PgConn().StartPipeline(ctx)
	if !t.begun {
		t.begun = true
		t.found = table.Identity{}
		s.opening = t.beginning()
		for _, q := range s.opening {
			s.index--
			s.send(q)
		}
	}
	if t.keep {
		s.index--
		s.send(query{sql: "SAVEPOINT ace"})
	}
	s.count, s.first = len(queries), s.index+1
	for _, q := range queries {
		s.send(q)
	}
	if !t.access.Files.IsZero() {
		check := t.sameFiles(t.access.Relation, t.access.Files)
		s.check = check.row
		s.send(check)
	}
	if t.keep { // locks taken behind a savepoint go with it, the snapshot stays
		s.send(query{sql: "ROLLBACK TO SAVEPOINT ace"})
		s.send(query{sql: "RELEASE SAVEPOINT ace"})
		t.keep = false
	}
	if t.last {
		for _, sql := range t.ending(t.verb()) {
			s.send(query{sql: sql})
		}
		t.begun, t.last = false, false
	}
	if err := s.pipeline.Sync(); err != nil {
		_ = s.close()
		return nil, t.node.fault(ctx, doing, err)
	}
	t.active = s
	return s, nil
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
	return append(queries, t.identified(settingsQuery(withPlans(t.plans), t.access.SearchPath, t.node.timeout)))
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

// stream reads the results of pipelined queries row by row. It lives within one call of its creator, which is why it
// may hold the context.
type stream struct {
	tx       *Tx
	ctx      context.Context //nolint:containedctx // needed to tell a cancelled query from a lost connection
	doing    string
	pipeline *pgconn.Pipeline
	reader   *pgconn.ResultReader
	index    int                         // of the query whose rows are being read; negative: BEGIN and what else comes first
	count    int                         // of the queries; an end of the transaction or savepoint may follow
	check    func(values [][]byte) error // reads the row of the check that follows the queries; nil: there is none
	opening  []query                     // what comes first: its rows are for their own handlers
	first    int                         // index of the first of these
}

func (s *stream) send(q query) {
	s.pipeline.SendQueryParams(q.sql, q.args, nil, nil, nil)
}

// next gives the index of a query and one of its rows, valid until the next call; nil values mean the end.
func (s *stream) next() (int, [][]byte, error) {
	for {
		if s.reader != nil {
			if s.reader.NextRow() {
				if s.index >= 0 && s.index < s.count {
					return s.index, s.reader.Values(), nil
				}
				if err := s.other(s.reader.Values()); err != nil {
					return s.index, nil, err
				}
				continue
			}
			_, err := s.reader.Close()
			s.reader = nil
			if err != nil {
				return s.index, nil, s.fail(err)
			}
		}
		result, err := s.pipeline.GetResults()
		if err != nil {
			return s.index, nil, s.fail(err)
		}
		switch r := result.(type) {
		case *pgconn.ResultReader:
			s.reader = r
			s.index++
		case *pgconn.PipelineSync, nil:
			return s.index, nil, nil
		}
	}
}

// other hands a row that is none of a query to its handler.
func (s *stream) other(row [][]byte) error {
	if s.index == s.count && s.check != nil {
		return s.check(row)
	}
	return s.opened(row)
}

// opened hands a row of an opening statement to its handler, before any row of the queries is used.
func (s *stream) opened(row [][]byte) error {
	at := s.index - s.first
	if at < 0 || at >= len(s.opening) || s.opening[at].row == nil {
		return nil
	}
	err := s.opening[at].row(row)
	if err != nil {
		s.tx.broken = true
		_ = s.pipeline.Close()
		return s.tx.reidentified(s.ctx, s.tx.node.fault(s.ctx, s.doing, err))
	}
	return nil
}

func (s *stream) fail(err error) error {
	s.tx.broken = true
	err = s.tx.node.lockFault(s.tx.access.Relation, s.tx.node.fault(s.ctx, s.doing, err))
	if s.tx.found.Started == "" {
		_ = s.pipeline.Close()
		return s.tx.reidentified(s.ctx, err)
	}
	return err
}

// close ends the reading; results not read yet are thrown away.
func (s *stream) close() error {
	s.tx.active = nil
	if err := s.pipeline.Close(); err != nil {
		s.tx.broken = true
		return s.tx.node.fault(s.ctx, s.doing, err)
	}
	return nil
}
