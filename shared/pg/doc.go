// Package pg speaks to the PostgreSQL servers. It is the only package that imports pgx: connections, the catalogue, the
// statements that sample, digest and read a table, and the translation of PostgreSQL's errors into faults that name
// the node.
//
// Every statement runs in a short transaction. It locks the table before it takes its snapshot, and pins
// the settings that decide how values look (settings.go), so that nothing depends on the role, the
// database or a pooler's session. Transactions are READ ONLY and end with ROLLBACK, except those of a
// repair (repair.go).
// Identifiers are quoted by pgx.Identifier, values are parameters; the only foreign SQL is the user's table_filter,
// which the server's own parser has judged before (filter.go).
package pg
