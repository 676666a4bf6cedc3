package pg

import (
	"context"
	"strings"

	"ace/shared/fault"
	"ace/shared/rawtext"
	"ace/shared/structure/catalog"
	"ace/shared/table"
)

// structurePlans are the settings of the statements that read the structure. To return
// the text of an expression or of a view's query, the server locks the tables in it. If
// another session has locked such a table, the statement fails after lock_timeout.
var structurePlans = []setting{{"lock_timeout", "3s"}} //nolint:gochecknoglobals // a constant list

// ReadStructure reads the structure of the schemas in one snapshot. If schemas is empty,
// it reads all schemas of users.
func (n *Node) ReadStructure(ctx context.Context, schemas []string) (catalog.Catalog, error) {
	tx, err := n.Begin(ctx, table.Access{SearchPath: catalogPath})
	if err != nil {
		return catalog.Catalog{}, err
	}
	defer tx.Close()

	tx.plans = structurePlans
	var version int
	if err := tx.run(ctx, "reading the structure", versionQuery(n.name, &version)); err != nil {
		return catalog.Catalog{}, err
	}
	found, err := catalog.Read(ctx, tx, version, schemas)
	if err != nil && sqlState(err) == lockNotAvailable {
		tx.Close() // lockedFault needs a connection, and the pool may have only this one
		return found, n.lockedFault(ctx, err)
	}
	return found, err
}

// lockedSQL returns up to five relations of the database for which a session has or
// requests a lock that excludes reading.
const lockedSQL = `
SELECT DISTINCT n.nspname, c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND n.nspname <> 'pg_toast' AND c.relkind NOT IN ('i', 'I')
ORDER BY 1, 2 LIMIT 5`

// lockedFault returns err, the error of a statement that has reached lock_timeout, with
// the names of locked relations added. It returns err unchanged if it finds none.
func (n *Node) lockedFault(ctx context.Context, err error) error {
	tx, beginErr := n.beginCatalog(ctx)
	if beginErr != nil {
		return err
	}
	defer tx.Close()

	var locked []string
	runErr := tx.run(ctx, "listing locks", query{sql: lockedSQL, row: func(v [][]byte) error {
		locked = append(locked, table.Name(rawtext.Text(v[0]), rawtext.Text(v[1])))
		return nil
	}})
	if runErr != nil || len(locked) == 0 {
		return err
	}
	return fault.Wrap(err, fault.CodeOf(err), "%s. Hint: another session has locked %s, as ALTER TABLE and VACUUM FULL do: see pg_locks",
		fault.PublicMessage(err), strings.Join(locked, ", "))
}

// Query runs statements that all have the parameters args. It calls row for each result
// row, with the index of the row's statement in statements.
func (t *Tx) Query(ctx context.Context, doing string, statements []string, args [][]byte, row func(statement int, values [][]byte) error) error {
	queries := make([]query, len(statements))
	for i, sql := range statements {
		queries[i] = query{sql: sql, args: args, row: func(values [][]byte) error { return row(i, values) }}
	}
	return t.run(ctx, doing, queries...)
}
