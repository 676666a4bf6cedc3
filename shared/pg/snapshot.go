package pg

import (
	"context"
	"strings"

	"ace/shared/fault"
)

// Export gives the name of the transaction's snapshot. As long as the transaction is open, others of the same database can
// take that snapshot too.
func (t *Tx) Export(ctx context.Context) (string, error) {
	var name string
	return name, t.run(ctx, "sharing a snapshot", query{sql: "SELECT pg_catalog.pg_export_snapshot()", row: func(v [][]byte) error {
		name = string(v[0])
		return nil
	}})
}

// Import has a transaction that has not queried anything yet see what another one sees, whose snapshot was exported under
// that name. If that one has ended, the error is Unavailable: another snapshot has to be taken.
func (t *Tx) Import(ctx context.Context, name string) error {
	t.snapshot = name
	err := t.run(ctx, "taking a snapshot that is shared")
	if fault.CodeOf(err) == fault.Invalid {
		return fault.Wrap(err, fault.Unavailable, "%s", fault.PublicMessage(err))
	}
	return err
}

// importQuery stands directly behind BEGIN: the first query of a transaction would take a snapshot of its own.
func importQuery(name string) query {
	return query{sql: "SET TRANSACTION SNAPSHOT '" + strings.ReplaceAll(name, "'", "''") + "'"}
}
