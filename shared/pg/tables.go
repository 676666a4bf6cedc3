package pg

import (
	"context"
)

// tablesSQL returns tables and partitioned tables, but no partitions.
const tablesSQL = `
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname COLLATE "C"`

// Tables returns the names of the tables of a schema, including partitioned tables but
// not partitions. It returns none if the schema does not exist.
func (n *Node) Tables(ctx context.Context, schema string) ([]string, error) {
	var names []string
	return names, n.ask(ctx, "listing tables", query{sql: tablesSQL, args: textArgs(schema), row: func(v [][]byte) error {
		names = append(names, string(v[0]))
		return nil
	}})
}
