package pg

import (
	"context"

	"ace/shared/table"
)

// hasKey is the condition that a table c has an index that can serve as the key. An index
// that can serve only after a REINDEX counts too. The condition is less strict than
// readIndex: it may be true for an index that readIndex rejects, but is never false for
// one that readIndex accepts.
const hasKey = `EXISTS (
    SELECT FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
    JOIN pg_catalog.pg_am am ON am.oid = ic.relam
    WHERE i.indrelid = c.oid AND i.indisunique AND am.amname = 'btree' AND i.indpred IS NULL AND i.indexprs IS NULL
      AND (i.indisprimary OR i.indimmediate)
      AND NOT EXISTS (
        SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) k
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k]
        WHERE NOT a.attnotnull))`

// tablesSQL returns the tables and partitioned tables of the schema $1, without
// partitions, and whether each has a key.
const tablesSQL = `
SELECT c.relname, ` + hasKey + `
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname COLLATE "C"`

// Tables returns the tables of a schema in the order of their names, including
// partitioned tables but not partitions. It returns no tables if the schema does not
// exist.
func (n *Node) Tables(ctx context.Context, schema string) ([]table.Entry, error) {
	var tables []table.Entry
	return tables, n.ask(ctx, "listing tables", query{sql: tablesSQL, args: textArgs(schema), row: func(v [][]byte) error {
		tables = append(tables, table.Entry{Name: string(v[0]), HasKey: isTrue(v[1])})
		return nil
	}})
}
