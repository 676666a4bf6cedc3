package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/shared/fault"
	"ace/shared/table"
)

// CheckFilter lets the server's own parser judge the table_filter: it must be one boolean expression both inside
// parentheses and between CASE WHEN and THEN. Text that closes the one cannot also fit the other. It gives the
// planner's estimate of the rows it selects.
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
		return 0, fault.Wrap(err, fault.Invalid, "table_filter is not one boolean SQL expression over the table, says node %q: %s", n.name, describe(pgErr))
	}
	return rows, err
}

const doingFilter = "checking table_filter"
