// Package pg connects to the PostgreSQL servers. It is the only package that imports pgx.
// It contains the connections, the catalog queries, and the statements that sample,
// digest, read and repair a table. It translates PostgreSQL's errors into faults that
// name the node.
//
// Every statement runs in a short transaction. If the role may lock the table, the
// transaction locks the table before it takes its snapshot. A snapshot from before a
// rewrite of the table would show an empty table. Every transaction pins the settings
// that decide how values are written as text (settings.go). So these texts do not depend
// on the settings of the role, the database or a session that a pooler reuses.
// Transactions are READ ONLY and end with ROLLBACK. There are two exceptions: the
// transactions of a repair (repair.go), and the transaction of FlushLog, which is READ
// ONLY but ends with COMMIT.
//
// A session prepares the catalog queries of a comparison once and reuses their plans. If
// the connection leads to a transaction pooler, no statement is prepared (prepared.go).
//
// Identifiers are quoted with pgx.Identifier and values are parameters. Two expressions
// come from the user: table_filter, and the where of a repair by rule. The server's own
// parser checks them first (filter.go, evaluate.go).
//
// Every wait is bounded. link.go bounds the time for which the client waits for a server
// that sends nothing. A server rolls a transaction back if the client sends nothing for
// too long. In a repair this limit is short, because the transaction may hold row locks.
// So heartbeat.go sends messages while the client waits for other nodes or for the
// archive.
//
// What a server sends is bounded too (messages.go), before the driver allocates memory.
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
