// Package pg connects to the PostgreSQL servers. It is the only package that imports pgx.
// It contains the connections, the catalog queries, and the statements that sample,
// digest, read and repair a table. It translates PostgreSQL's errors into faults that
// name the node.
//
// Every statement runs in a short transaction. If the role may lock the table, the
// transaction locks it before it takes its snapshot, because a snapshot that is older
// than a rewrite of the table would show an empty table. Every transaction pins the
// settings that decide how values are written as text (settings.go), so these texts do
// not depend on the settings of the role, of the database or of a session that a pooler
// reuses. Transactions are READ ONLY and end with ROLLBACK. There are two exceptions: the
// transactions of a repair (repair.go), and the transaction of FlushLog, which is READ
// ONLY but ends with COMMIT.
//
// The catalog queries of a comparison are prepared statements, which stay in the session,
// but never in the session of a transaction pooler (prepared.go).
//
// Identifiers are quoted with pgx.Identifier and values are parameters. The only SQL that
// is not written here is the user's table_filter, which the server's own parser checks
// first (filter.go).
//
// Every wait is bounded. link.go bounds the time for which the client waits for a server
// that sends nothing. A server rolls a transaction back if it receives nothing from the
// client for too long. In a repair this limit is short, because the transaction may hold
// row locks. So heartbeat.go sends messages while the client waits for other nodes or for
// the archive.
//
// # States of a transaction
//
// A Tx has a connection from the start. Its first call begins a transaction on the
// server. Before that call, the state is unbegun:
//
//	         Begin
//	           |
//	           v      call            call fails
//	+-->   unbegun ---------> begun -------------> failed
//	|                         |  ^                   |
//	+-- EndTransaction, Renew +  +-- ROLLBACK TO ----+
//	|                                SAVEPOINT       |
//	+---------------------- ROLLBACK ----------------+
//
// Close leads from every state to closed and returns the connection to the pool. If Close
// cannot undo what user code may have left in the session, it closes the connection
// instead. In the state begun, at most one stream of results is open. The caller must
// close the stream before the next call.
package pg
