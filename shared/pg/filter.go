package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/shared/fault"
	"ace/shared/table"
)

// CheckFilter lets the server's parser check that the table_filter is one boolean
// expression. The filter must be valid both in parentheses and between CASE WHEN and
// THEN. A text that ends one of these constructs early is not valid in the other.
// CheckFilter returns the planner's estimate of the number of rows that the filter
// selects.
func (n *Node) CheckFilter(ctx context.Context, s table.Source) (int64, error) {
	tx, err := n.Begin(ctx, s.Access())
	if err != nil {
		return 0, err
	}
	defer tx.Close()
	rows, err := tx.explainRows(ctx, doingFilter, "SELECT 1 FROM "+s.Relation+" WHERE (\n"+s.Filter+"\n)")
	if err == nil {
		_, err = tx.explainRows(ctx, doingFilter, "SELECT 1 FROM "+s.Relation+" WHERE CASE WHEN\n"+s.Filter+"\nTHEN true END")
	}

	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return 0, fault.Wrap(err, fault.Invalid, "table_filter is not one boolean SQL expression over the table on node %q: %s", n.name, describe(pgErr))
	}

	return rows, err
}

const doingFilter = "checking table_filter"
