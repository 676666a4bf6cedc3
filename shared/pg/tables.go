package pg

import (
	"context"
)

// tablesSQL leaves partitions to the table they belong to.
const tablesSQL = `
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname COLLATE "C"`

// Tables gives the names of the tables of a schema, partitioned ones too but no partitions; none if there is no such
// schema.
func (n *Node) Tables(ctx context.Context, schema string) ([]string, error) {
	var names []string
	return names, n.ask(ctx, "listing tables", query{sql: tablesSQL, args: textArgs(schema), row: func(v [][]byte) error {
		names = append(names, string(v[0]))
		return nil
	}})
}
