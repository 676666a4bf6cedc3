package pg

import (
	"context"

	"ace/shared/structure/catalog"
	"ace/shared/table"
)

// ReadStructure reads the structure of the schemas, or of all schemas of users if the
// list is empty, in one snapshot.
func (n *Node) ReadStructure(ctx context.Context, schemas []string) (catalog.Catalog, error) {
	tx, err := n.Begin(ctx, table.Access{SearchPath: catalogPath})
	if err != nil {
		return catalog.Catalog{}, err
	}
	defer tx.Close()

	return catalog.Read(ctx, tx, schemas)
}

// Query runs statements that have the same parameters. It calls row for each result row
// with the index of the statement.
func (t *Tx) Query(ctx context.Context, doing string, statements []string, args [][]byte, row func(statement int, values [][]byte) error) error {
	queries := make([]query, len(statements))
	for i, sql := range statements {
		queries[i] = query{sql: sql, args: args, row: func(values [][]byte) error { return row(i, values) }}
	}
	return t.run(ctx, doing, queries...)
}
