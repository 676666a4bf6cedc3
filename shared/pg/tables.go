package pg

import (
	"context"

	"ace/shared/table"
)

// hasKey is a condition on a table c. It is false only if no index fulfills the
// conditions that readIndex checks for a key. Indexes that only need a REINDEX count as
// keys.
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

// tablesSQL returns tables and partitioned tables, but no partitions.
const tablesSQL = `
SELECT c.relname, ` + hasKey + `
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname COLLATE "C"`

// Tables returns the tables of a schema in the order of their names, including
// partitioned tables but not partitions. It returns none if the schema does not exist.
func (n *Node) Tables(ctx context.Context, schema string) ([]table.Entry, error) {
	var tables []table.Entry
	return tables, n.ask(ctx, "listing tables", query{sql: tablesSQL, args: textArgs(schema), row: func(v [][]byte) error {
		tables = append(tables, table.Entry{Name: string(v[0]), HasKey: isTrue(v[1])})
		return nil
	}})
}
