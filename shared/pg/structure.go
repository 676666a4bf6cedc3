package pg

import (
	"context"
	"strings"

	"ace/shared/fault"
	"ace/shared/rawtext"
	"ace/shared/structure/catalog"
	"ace/shared/table"
)

// structurePlans are the settings of the statements that read the structure. To write an
// expression or the query of a view, the server opens the tables in it, and waits for a
// session that has locked one. A short limit is enough.
var structurePlans = []setting{{"lock_timeout", "3s"}} //nolint:gochecknoglobals // a constant list

// ReadStructure reads the structure of the schemas, or of all schemas of users if the
// list is empty, in one snapshot.
func (n *Node) ReadStructure(ctx context.Context, schemas []string) (catalog.Catalog, error) {
	tx, err := n.Begin(ctx, table.Access{SearchPath: catalogPath})
	if err != nil {
		return catalog.Catalog{}, err
	}
	defer tx.Close()

	tx.plans = structurePlans
	found, err := catalog.Read(ctx, tx, schemas)
	if err != nil && sqlState(err) == lockNotAvailable {
		tx.Close() // the pool may have no other connection
		return found, n.lockedFault(ctx, err)
	}
	return found, err
}

// lockedSQL returns the relations that a session has locked against reading.
const lockedSQL = `
SELECT DISTINCT n.nspname, c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND n.nspname <> 'pg_toast' AND c.relkind NOT IN ('i', 'I')
ORDER BY 1, 2 LIMIT 5`

// lockedFault adds the names of locked relations to an error that means that a lock was
// not granted within the limit.
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

// Query runs statements that have the same parameters. It calls row for each result row
// with the index of the statement.
func (t *Tx) Query(ctx context.Context, doing string, statements []string, args [][]byte, row func(statement int, values [][]byte) error) error {
	queries := make([]query, len(statements))
	for i, sql := range statements {
		queries[i] = query{sql: sql, args: args, row: func(values [][]byte) error { return row(i, values) }}
	}
	return t.run(ctx, doing, queries...)
}
