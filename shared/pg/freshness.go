package pg

import (
	"context"
	"fmt"
	"strconv"

	"ace/shared/table"
)

// horizon is an expression for the xmin of the statement's snapshot: every transaction
// with a lower id had ended when the snapshot was taken.
const horizon = "pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::pg_catalog.text"

// Freshness returns the row count of each range and the greatest xmin of its rows. It
// needs one round trip and neither sends nor digests rows.
//
// The xmin of a row has only 32 bits, but Freshness returns ids of 64 bits. Within a
// transaction, age() always counts back from the same transaction id, even if other
// transactions begin meanwhile. So the statement also returns the snapshot's xmax, which
// has 64 bits, and the age of this xmax. The sum of both, minus the age of a row, is the
// 64-bit id of the transaction that wrote the row.
func (t *Tx) Freshness(ctx context.Context, s table.Source, ranges []table.Range) ([]table.Freshness, error) {
	found := make([]table.Freshness, len(ranges))
	seen := make([]bool, len(ranges))
	queries := settings(plansFor(s, rangePlans))
	for _, b := range byShape(ranges) {
		q := b.statement(s, ages(s), "")
		q.row = func(v [][]byte) error {
			i, err := b.place(v[0])
			if err != nil {
				return err
			}
			seen[i] = true
			found[i], err = readFreshness(v[1:])
			return err
		}
		queries = append(queries, q)
	}

	if err := t.run(ctx, "looking for changes", queries...); err != nil {
		return nil, err
	}

	return found, t.node.checkAnswered(seen)
}

// PageFreshness is like Freshness, but for page ranges. It fails if a partition was
// rewritten since the plan was made.
func (t *Tx) PageFreshness(ctx context.Context, s table.Source, pages []table.PageRange, options ...table.CallOption) ([]table.Freshness, error) {
	found := make([]table.Freshness, len(pages))
	queries, err := t.perPageRange(s, pages, plansForPages(s, pages, table.Grouping{}), func(i int) query {
		return query{sql: "SELECT " + ages(s) + rowsOf(s, pages[i], 0), args: pageRangeArgs(pages[i]), row: func(v [][]byte) (err error) {
			found[i], err = readFreshness(v)
			return err
		}}
	})
	if err != nil {
		return nil, err
	}
	return found, t.call(ctx, "looking for changes", table.Combine(options), queries...)
}

// ages returns the select list whose result readFreshness reads: the row count of a
// range, the least age of its rows, and three columns about the snapshot.
func ages(s table.Source) string {
	return fmt.Sprintf(`pg_catalog.count(*) AS n, coalesce(pg_catalog.min(pg_catalog.age(%s.xmin)), 2147483647) AS a, %s,
		pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.text,
		pg_catalog.age(pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.xid)`, s.Alias, horizon)
}

// readFreshness reads a Freshness from the columns that ages selects: the row count, the
// least age of a row, xmin and xmax of the snapshot, and the age of xmax.
func readFreshness(v [][]byte) (table.Freshness, error) {
	var n [5]int64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseInt(string(v[i]), 10, 64); err != nil {
			return table.Freshness{}, fmt.Errorf("age of rows: %w", err)
		}
	}
	return table.Freshness{Rows: n[0], Youngest: n[3] + n[4] - n[1], Horizon: n[2], Next: n[3]}, nil
}

// readHorizon parses value, a horizon, and returns the lower of this horizon and before.
// before is the lowest horizon that was read so far, or 0 if none was read yet.
func readHorizon(value []byte, before int64) (int64, error) {
	h, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("snapshot: %w", err)
	}
	if before != 0 {
		h = min(h, before)
	}
	return h, nil
}
