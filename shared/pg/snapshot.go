package pg

import (
	"context"
	"strings"

	"ace/shared/fault"
)

// Export returns the name of the transaction's snapshot. Other transactions in the same
// database can import it as long as this transaction is open.
func (t *Tx) Export(ctx context.Context) (string, error) {
	var name string
	return name, t.run(ctx, "exporting a snapshot", query{sql: "SELECT pg_catalog.pg_export_snapshot()", row: func(v [][]byte) error {
		name = string(v[0])
		return nil
	}})
}

// Import makes the transaction read the snapshot that another transaction exported under
// the name. It must be the first call of the transaction, because any other call would
// take a snapshot. If the other transaction has ended, the error is Unavailable, and the
// caller must export another snapshot.
func (t *Tx) Import(ctx context.Context, name string) error {
	t.snapshot = name
	err := t.run(ctx, "importing a shared snapshot")
	if fault.CodeOf(err) == fault.Invalid {
		return fault.Wrap(err, fault.Unavailable, "%s", fault.PublicMessage(err))
	}
	return err
}

// importQuery returns the query that imports a snapshot. It must follow BEGIN directly:
// any query before it would take another snapshot.
func importQuery(name string) query {
	return query{sql: "SET TRANSACTION SNAPSHOT '" + strings.ReplaceAll(name, "'", "''") + "'"}
}
