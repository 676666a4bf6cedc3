// Package pg connects to the PostgreSQL servers. It is the only package that imports pgx.
// It has the connections, the catalog queries, the statements that sample, digest, read
// and repair a table, and the translation of PostgreSQL's errors into faults that name
// the node.
//
// Every statement runs in a short transaction. If the role may lock the table, the
// transaction does so before it takes its snapshot. It pins the settings that decide how
// values are written as text (settings.go). Nothing depends on the settings of the role,
// the database or a pooler's session. Transactions are READ ONLY and end with ROLLBACK,
// except those of a repair (repair.go); that of FlushLog is READ ONLY but ends with
// COMMIT.
//
// Identifiers are quoted with pgx.Identifier and values are parameters. The only SQL that
// is not written here is the user's table_filter, which the server's own parser checks
// first (filter.go).
//
// Nothing waits for ever for a server that has fallen silent: link.go bounds the waits of
// every connection, and heartbeat.go lets the server of a repair end the transaction of a
// client that has fallen silent.
//
// # States of a transaction
//
// A Tx has a connection from the start and a transaction on the server from its first
// call:
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
// Close leads from every state to closed and returns the connection to the pool. If the
// session cannot be reset, it is closed instead. In the state begun, at most one stream
// of results is open. The next call must wait until it is closed.
package pg
