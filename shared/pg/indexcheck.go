package pg

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// pagesAtOnce is the maximum number of pages that one statement of a scan reads (8 GB),
// so that the statement ends within the statement timeout.
const pagesAtOnce = 1 << 20

// damagedIndex returns the error for a key index that does not lead to the rows of the
// table. what describes the damage.
func (n *Node) damagedIndex(s table.Source, what string) error {
	index := "the index of the key of " + table.WithoutOnly(s.Relation)
	remedy := "REINDEX it"
	if s.KeyIndex != "" {
		index, remedy = "index "+s.KeyIndex, "run REINDEX INDEX "+s.KeyIndex
	}
	return fault.New(fault.Invalid, "node %q: %s is damaged: %s; %s, and check the other indexes of the server with amcheck (bt_index_check)",
		n.name, index, what, remedy)
}

// placeOf returns the position, from 0, of the key to which a result row of byKey
// belongs. value is the first column of the row, and count the number of keys that were
// looked up. placeOf returns an error if the key's index led to a row with another key.
func (n *Node) placeOf(s table.Source, value []byte, count int) (int, error) {
	if string(value) == "0" {
		return 0, n.damagedIndex(s, "it leads to a row that has another key")
	}
	at, err := place(value, count)
	if err != nil {
		return 0, n.answerFault(err)
	}
	return at, nil
}

// CheckAbsent returns an error if the table has a row with one of the keys although the
// key's index does not lead to it. The caller must have looked these keys up by the
// index, which led to no row. CheckAbsent scans the table without the index. If that scan
// finds a row to which the index still does not lead, it scans the table once more. If
// keys is empty, or if the source uses no index, CheckAbsent does nothing. The planner
// settings of a scan end with the scan, so they do not affect the next statements of the
// transaction.
func (t *Tx) CheckAbsent(ctx context.Context, s table.Source, keys []table.Key) error {
	if s.Unindexed {
		return nil
	}
	// In a READ COMMITTED transaction, a row may be deleted between the scan and the
	// lookup. So keys that only the scan has found are checked a second time.
	for range 2 {
		there, err := t.scanFor(ctx, s, keys)
		if err != nil {
			return err
		}
		if keys, err = t.unreachable(ctx, s, there); err != nil || len(keys) == 0 {
			return err
		}
	}
	return t.node.damagedIndex(s, fmt.Sprintf("it does not lead to the row with the key %s, which is in the table", keys[0]))
}

// scanFor returns those of the keys that have a row in the table. It scans the table
// without an index. It leaves out keys that the node cannot read, after usableKeys has
// checked that no row has them.
func (t *Tx) scanFor(ctx context.Context, s table.Source, keys []table.Key) ([]table.Key, error) {
	if len(keys) == 0 {
		return nil, nil
	}

	pages, err := t.mostPages(ctx, s)
	if err != nil {
		return nil, err
	}

	there, err := t.scanPages(ctx, s, keys, pages)
	if err == nil || plainKeys(s, keys) {
		return there, err
	}

	readable, _, err := t.usableKeys(ctx, s, keys, err)
	if err != nil || len(readable) == 0 {
		return nil, err
	}

	return t.scanPages(ctx, s, readable, pages)
}

func (t *Tx) scanPages(ctx context.Context, s table.Source, keys []table.Key, pages int64) ([]table.Key, error) {
	var there []table.Key
	p, name := keyParams(s), uniqueName(s, "list")
	queries := settings(append([]setting{{"enable_hashjoin", "on"}, {"enable_mergejoin", "on"}, {"enable_nestloop", "off"}}, noIndexes...))
	for _, pages := range pageRanges(s, pages) {
		queries = append(queries, query{
			args: p.ofKeys(keys),
			sql: fmt.Sprintf("SELECT DISTINCT %s.ord FROM %s CROSS JOIN %s %s WHERE %s%s",
				name, s.Relation, p.list(1), name, sameKey(s, qualify(name, p.names())), pages),
			row: func(v [][]byte) error {
				i, err := place(v[0], len(keys))
				if err == nil {
					there = append(there, keys[i])
				}
				return err
			},
		})
	}

	const options = table.ReleaseLocks // the locks are released by a rollback to a savepoint, which also ends the planner settings
	return there, t.call(ctx, "looking for rows that an index may miss", options, withSavepoint(queries, !plainKeys(s, keys), options)...)
}

// unreachable returns those of the keys for which the index leads to no row.
func (t *Tx) unreachable(ctx context.Context, s table.Source, keys []table.Key) ([]table.Key, error) {
	if len(keys) == 0 {
		return nil, nil
	}

	found := make([]bool, len(keys))
	row := func(i int, _ [][]byte) error {
		found[i] = true
		return nil
	}

	err := t.lookUp(ctx, s, keys, lookup{"looking rows up by an index", "1 AS one", row, table.ReleaseLocks})
	if err != nil {
		return nil, err
	}

	var left []table.Key
	for i, key := range keys {
		if !found[i] {
			left = append(left, key)
		}
	}

	return left, nil
}

// CountRows counts, without the use of an index, the rows that the filter selects.
func (t *Tx) CountRows(ctx context.Context, s table.Source) (int64, error) {
	sum, err := t.scanSum(ctx, s, "0::pg_catalog.int8")
	return sum.Rows, err
}

// rowPlace returns an expression for the hash of a row's physical position (its partition
// and ctid), a bigint.
func rowPlace(s table.Source) string {
	return fmt.Sprintf("pg_catalog.hashtidextended(%s.ctid, %s.tableoid::pg_catalog.int8)", s.Alias, s.Alias)
}

// CheckIndex checks that the index of the key leads to exactly the rows of the table. If
// the source has a filter, it also checks that the filter selects the same rows with
// indexes as without. The ranges must cover all keys. All statements of the transaction
// must read one snapshot. Otherwise CheckIndex would mistake a concurrent change for
// damage.
func (t *Tx) CheckIndex(ctx context.Context, s table.Source, ranges []table.Range) error {
	s.Within = table.Buckets{}
	filtered := s
	s.Filter = ""
	held, err := t.scanSum(ctx, s, rowPlace(s))
	if err != nil {
		return err
	}

	index, err := t.indexSum(ctx, s, ranges)
	switch {
	case err == nil && index == held && filtered.Filter != "":
		return t.checkFiltered(ctx, filtered, ranges)
	case err != nil || index == held:
		return err
	case index.Rows == held.Rows:
		return t.node.damagedIndex(s, fmt.Sprintf("it leads to other rows than the %d of the table", held.Rows))
	}
	return t.node.damagedIndex(s, fmt.Sprintf("it leads to %d of the %d rows of the table", index.Rows, held.Rows))
}

// checkFiltered checks that the filter selects the same rows with and without indexes.
// The server may use any index of the table to find them. If the indexes lead to other
// rows, checkFiltered scans the table again. If the second scan selects other rows than
// the first, the result of the filter does not depend on the rows alone. Then the
// difference proves no damage, and checkFiltered returns nil.
func (t *Tx) checkFiltered(ctx context.Context, s table.Source, ranges []table.Range) error {
	held, err := t.scanSum(ctx, s, rowPlace(s))
	if err != nil {
		return err
	}

	index, err := t.indexSum(ctx, s, ranges)
	if err != nil || index == held {
		return err
	}

	again, err := t.scanSum(ctx, s, rowPlace(s))
	if err != nil || again != held {
		return err
	}

	relation := table.WithoutOnly(s.Relation)
	return fault.New(fault.Invalid, "node %q: an index of %s is damaged: with the indexes, table_filter selects %d rows, without them %d; run REINDEX TABLE %s, and check the other indexes of the server with amcheck (bt_index_check)",
		t.node.name, relation, index.Rows, held.Rows, relation)
}

// indexSum counts the rows of the ranges by the index, and combines the hashes of their
// physical positions by XOR. A damaged index may lead to a row whose key is outside the
// range. indexSum does not count such a row, so that CheckIndex finds a lower count than
// in the table.
func (t *Tx) indexSum(ctx context.Context, s table.Source, ranges []table.Range) (sum table.Sum, err error) {
	queries := settings(rangePlans)
	for _, b := range byShape(ranges) {
		head := fmt.Sprintf("pg_catalog.count(*)%s AS n, coalesce(pg_catalog.bit_xor(%s), 0) AS x", b.filter(s), rowPlace(s))
		q := b.statement(s, head, "")
		q.row = func(v [][]byte) error {
			part, err := readSum(v[1], v[2])
			sum = sum.Add(part)
			return err
		}
		queries = append(queries, q)
	}
	return sum, t.run(ctx, "counting rows by an index", queries...)
}

// scanSum counts, without the use of an index, the rows that the filter selects. It also
// computes for each of these rows the value of number, an SQL expression of type bigint,
// and combines the values by XOR.
func (t *Tx) scanSum(ctx context.Context, s table.Source, number string) (sum table.Sum, err error) {
	pages, err := t.mostPages(ctx, s)
	if err != nil {
		return sum, err
	}

	queries := settings(noIndexes)
	for _, pages := range pageRanges(s, pages) {
		queries = append(queries, query{
			sql: fmt.Sprintf("SELECT pg_catalog.count(*), coalesce(pg_catalog.bit_xor(%s), 0) FROM %s%s",
				number, s.Relation, where(addFilter(s, strings.TrimPrefix(pages, " AND ")))),
			row: func(v [][]byte) error {
				part, err := readSum(v[0], v[1])
				sum = sum.Add(part)
				return err
			},
		})
	}

	return sum, t.call(ctx, "counting rows without an index", table.ReleaseLocks, queries...)
}

// mostPages returns the number of pages of the table or of its largest partition.
func (t *Tx) mostPages(ctx context.Context, s table.Source) (pages int64, err error) {
	return pages, t.run(ctx, "measuring the table", query{
		sql: `SELECT coalesce(pg_catalog.max(pg_catalog.pg_relation_size(r.oid)), 0) OPERATOR(pg_catalog./) pg_catalog.current_setting('block_size')::pg_catalog.int8
			FROM (SELECT $1::pg_catalog.text::pg_catalog.regclass UNION ALL
			      SELECT t.relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.text::pg_catalog.regclass) t) r(oid)`,
		args: textArgs(table.WithoutOnly(s.Relation)),
		row: func(v [][]byte) error {
			var err error
			pages, err = strconv.ParseInt(string(v[0]), 10, 64)
			return err
		},
	})
}

// pageRanges returns SQL conditions that together cover all pages of a table. pages is
// the number of pages of its largest partition. Each condition begins with " AND ". If
// there are at most pagesAtOnce pages, the only element is "", which means all pages.
func pageRanges(s table.Source, pages int64) []string {
	if pages <= pagesAtOnce {
		return []string{""}
	}

	var ranges []string
	for from := int64(0); from < pages; from += pagesAtOnce {
		condition := fmt.Sprintf(" AND %s.ctid OPERATOR(pg_catalog.>=) '(%d,0)'::pg_catalog.tid", s.Alias, from)
		if from+pagesAtOnce < pages {
			condition += fmt.Sprintf(" AND %s.ctid OPERATOR(pg_catalog.<) '(%d,0)'::pg_catalog.tid", s.Alias, from+pagesAtOnce)
		}
		ranges = append(ranges, condition)
	}
	return ranges
}

// CheckAbsent is like Tx.CheckAbsent.
func (r *RepairTx) CheckAbsent(ctx context.Context, s table.Source, keys []table.Key) error {
	return r.tx.CheckAbsent(ctx, s, keys)
}
