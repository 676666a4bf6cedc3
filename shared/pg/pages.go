package pg

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// rangeExpr returns an expression for the number of the key range to which a row belongs:
// width_bucket over the boundaries. The boundaries are parameters, and first is the
// number of the first parameter (1 for $1). A subquery builds the array of boundaries
// once per statement; a cast of an array parameter would be evaluated for every row. If
// width_bucket cannot search the key's own type (see isScalarBucket), keys and boundaries
// are compared as ROW(...), and the columns of a key are cast to the types of the
// boundaries. Without boundaries the array is NULL, and all rows belong to range 0.
//
// If all boundaries are integers that a double precision number represents exactly, keys
// and boundaries are compared as such numbers, without a function call for each
// comparison. Keys that are too large to be represented exactly are rounded, but never
// beyond a boundary, so the number of their range stays the same.
func rangeExpr(s table.Source, first int, keys []table.Key) string {
	return rangeOf(s, first, keys, s.Order)
}

// rangeOf is like rangeExpr, but for the key in refs instead of that of the row.
func rangeOf(s table.Source, first int, keys []table.Key, refs []string) string {
	p := orderParams(s, "b")
	names := p.names()
	bounds, key := strings.Join(withCollations(s, qualify("ace_b", names)), ", "), refs[0]
	switch {
	case isExactFloat(s, keys):
		bounds, key = "ace_b."+names[0]+"::pg_catalog.float8", key+"::pg_catalog.float8"
	case !isScalarBucket(s):
		bounds, key = "ROW("+bounds+")", "ROW("+strings.Join(cast(refs, s.OrderType), ", ")+")"
	}
	return fmt.Sprintf("coalesce(pg_catalog.width_bucket(%s, (SELECT pg_catalog.array_agg(%s ORDER BY ace_b.ord) FROM %s ace_b)), 0)", key, bounds,
		p.list(first))
}

// isScalarBucket reports whether width_bucket can search an array of the key's own type.
// The key must be a single column. width_bucket ignores that the elements of an array are
// aligned, so it cannot search those of a type whose fixed length is not a multiple of
// its alignment, such as macaddr and timetz. The lengths of the types of extensions are
// not known, except that of citext.
func isScalarBucket(s table.Source) bool {
	if !s.ScalarOrder {
		return false
	}
	switch of := s.OrderType[0]; of {
	case "pg_catalog.macaddr", "pg_catalog.timetz":
		return false
	default:
		return !strings.Contains(of, ".") || strings.HasPrefix(of, "pg_catalog.") || strings.HasSuffix(of, ".citext")
	}
}

// checkBounds returns a query that verifies that the node puts every boundary into the
// range that begins with this boundary. Otherwise the ranges of rangeExpr would not be
// the key ranges between the boundaries.
func (n *Node) checkBounds(s table.Source, keys []table.Key) query {
	p := orderParams(s, "b")
	return query{
		args: p.ofKeys(keys),
		sql: fmt.Sprintf("SELECT pg_catalog.count(*) FROM %s ace_own WHERE %s OPERATOR(pg_catalog.<>) ace_own.ord",
			p.list(1), rangeOf(s, 1, keys, withCollations(s, qualify("ace_own", p.names())))),
		row: func(v [][]byte) error {
			if string(v[0]) != "0" {
				return fault.New(fault.Internal, "node %q orders %s of the %d boundaries of the plan differently", n.name, v[0], len(keys))
			}
			return nil
		},
	}
}

// maxExactFloat is 2^53. A double precision number represents every integer up to this
// absolute value exactly.
const maxExactFloat = 1 << 53

// isExactFloat reports whether the key is a single integer and a double precision number
// represents every boundary exactly.
func isExactFloat(s table.Source, bounds []table.Key) bool {
	if !s.ScalarOrder || s.OrderType[0] != "bigint" || len(bounds) == 0 {
		return false
	}
	for _, key := range bounds {
		n, err := strconv.ParseInt(key[0], 10, 64)
		if err != nil || n <= -maxExactFloat || n >= maxExactFloat {
			return false
		}
	}
	return true
}

// PageSums reads page ranges once, in physical order, and divides the rows of each into
// the groups that by describes. It calls each(place, group, sum) for every group of rows
// in every page range. place is the index of the page range, group the number of the
// group, and sum has the row count and the digest of the group.
//
// If by.Coarse is not 0, the groups of a page range are the by.Coarse coarse buckets.
// PageSums then also calls each for each of the by.Buckets fine buckets, with
// table.AllPageRanges as place. Such a sum is over the page ranges that one statement
// reads. There may be several statements, so the caller must add up all sums of a fine
// bucket.
//
// For each page range, PageSums returns the xmin of the snapshot in which it was read, or
// 0 if the range has no rows. It fails if a partition was rewritten since the plan was
// made, because a rewrite may move rows from pages that are not read yet to pages that
// were already read. There is one exception: if the transaction has locked the table, a
// partition that one statement reads as a whole may have been rewritten since.
func (t *Tx) PageSums(ctx context.Context, s table.Source, ranges []table.PageRange, by table.Grouping, each func(place, group int, sum table.Sum), options ...table.CallOption) ([]int64, error) {
	if by.Coarse > 0 {
		return t.bucketSums(ctx, s, ranges, by, each, options...)
	}

	horizons := make([]int64, len(ranges))
	group, args := groupExpr(s, by)
	var checks []query
	if len(by.Bounds) > 0 && by.Buckets == 0 {
		checks = append(checks, t.node.checkBounds(s, by.Bounds))
	}
	queries, err := t.perPageRange(s, ranges, plansForPages(s, ranges, by), func(i int) query {
		return query{sql: pageRangeSQL(s, ranges[i], group, len(args)), args: append(slices.Clone(args), pageRangeArgs(ranges[i])...), row: func(v [][]byte) error {
			number, err := strconv.Atoi(string(v[0]))
			if err != nil || number < 0 || number >= by.Groups() {
				return t.node.unexpectedRange()
			}
			sum, err := readSum(v[1], v[2])
			if err != nil {
				return err
			}
			each(i, number, sum)
			horizons[i], err = readHorizon(v[3], horizons[i])
			return err
		}}
	})
	if err != nil {
		return nil, err
	}

	return horizons, t.read(ctx, "comparing pages", s, table.Combine(options), append(checks, queries...)...)
}

// Limits of one statement over several page ranges.
const (
	// statementBytes is the approximate maximum length of the statement in bytes.
	statementBytes = 256 << 10
	// statementGroups is the maximum number of groups of rows in all page ranges of the
	// statement. The server holds all groups in memory, with some hundred bytes for each.
	statementGroups = 256 << 10
	// statementRanges is the maximum number of page ranges. At the start of the statement,
	// the server allocates the memory for all page ranges. For each page range, it allocates
	// memory for as many groups as the planner expects rows.
	statementRanges = 12
)

// bucketSums is PageSums for the case that by.Coarse is not 0. One statement reads
// several page ranges, and computes the sums of the coarse and of the fine buckets at
// once.
func (t *Tx) bucketSums(ctx context.Context, s table.Source, ranges []table.PageRange, by table.Grouping, each func(place, group int, sum table.Sum), options ...table.CallOption) ([]int64, error) {
	horizons := make([]int64, len(ranges))
	size := max(1, min(statementRanges, statementBytes/(300+len(s.Digest)+len(s.KeyHash)+len(s.Filter)), statementGroups/by.Buckets))
	var queries []query
	for from := 0; from < len(ranges); from += size {
		some := ranges[from:min(from+size, len(ranges))]
		var parts []string
		var args [][]byte
		asked, err := t.perPageRange(s, some, pagePlans, func(i int) query {
			parts = append(parts, bucketSumSQL(s, by, some[i], from+i, len(args)))
			args = append(args, pageRangeArgs(some[i])...)
			return query{}
		})
		if err != nil {
			return nil, err
		}
		if from == 0 {
			queries = append(queries, asked[0]) // the query that sets the planner settings
		}
		queries = append(queries, query{args: args, sql: coarseSumsSQL(by, parts), row: func(v [][]byte) error {
			place, group, sum, err := readBucketSum(v, len(ranges), by)
			if err != nil {
				return t.node.unexpectedRange()
			}
			each(place, group, sum)
			if place != table.AllPageRanges {
				horizons[place], err = readHorizon(v[4], horizons[place])
			}
			return err
		}})
		for _, q := range asked[1:] {
			if q.sql != "" { // q checks that a partition was not rewritten
				queries = append(queries, q)
			}
		}
	}

	return horizons, t.read(ctx, "comparing pages", s, table.Combine(options), queries...)
}

// bucketSumSQL returns the query for the row count and the digest of each fine bucket in
// one page range. number is the index of the page range, and params the number of the
// statement's parameters before those of the page range. Each page range has its own
// query and so its own small hash table. A lookup in it is much cheaper than in one hash
// table for all page ranges. The outer query (coarseSumsSQL) then adds up sums, not rows.
func bucketSumSQL(s table.Source, by table.Grouping, pages table.PageRange, number, params int) string {
	return fmt.Sprintf("SELECT %d AS s, %s AS g, pg_catalog.count(*) AS n, pg_catalog.bit_xor(%s) AS x%s GROUP BY 2",
		number, bucketOf(s, by.Buckets), s.Digest, rowsOf(s, pages, params))
}

// coarseSumsSQL returns the query that combines parts, the queries of bucketSumSQL for
// several page ranges. The query returns the sum of each fine bucket over all of these
// page ranges, and the sum of each coarse bucket in each page range.
func coarseSumsSQL(by table.Grouping, parts []string) string {
	return fmt.Sprintf(`SELECT s, CASE WHEN s IS NULL THEN g ELSE c END, pg_catalog.sum(n), pg_catalog.bit_xor(x), (SELECT %s)
		FROM (SELECT s, g, g OPERATOR(pg_catalog.&) %d AS c, n, x FROM (%s) ace_stretches) ace_sums GROUP BY GROUPING SETS ((g), (s, c))`,
		horizon, by.Coarse-1, strings.Join(parts, " UNION ALL "))
}

// readBucketSum reads the index of the page range, the group, the row count and the
// digest from a result row of coarseSumsSQL. If the index is NULL, the sum is over all
// page ranges of the statement, and place is table.AllPageRanges. count is the number of
// page ranges of the call.
func readBucketSum(v [][]byte, count int, by table.Grouping) (place, group int, sum table.Sum, err error) {
	groups := by.Coarse
	if v[0] == nil {
		place, groups = table.AllPageRanges, by.Buckets
	} else if place, err = strconv.Atoi(string(v[0])); err != nil || place < 0 || place >= count {
		return 0, 0, sum, strconv.ErrRange
	}
	if group, err = strconv.Atoi(string(v[1])); err != nil || group < 0 || group >= groups {
		return 0, 0, sum, strconv.ErrRange
	}

	sum, err = readSum(v[2], v[3])
	return place, group, sum, err
}

// perPageRange returns first the query that applies the planner settings plans, and then
// the query ask(i) for every page range i. After the last page range of a partition, it
// adds a query that checks that the partition was not rewritten since the plan was made.
// That query is not needed if the transaction's lock prevents a rewrite.
func (t *Tx) perPageRange(s table.Source, ranges []table.PageRange, plans []setting, ask func(i int) query) ([]query, error) {
	queries := settings(plansFor(s, plans))
	for i, pages := range ranges {
		if pages.Partition < 0 || pages.Partition >= len(s.Partitions) {
			return nil, fault.New(fault.Internal, "the plan has no partition %d on node %q", pages.Partition, t.node.name)
		}
		queries = append(queries, ask(i))
		last := i+1 == len(ranges) || ranges[i+1].Partition != pages.Partition
		if !last {
			continue
		}
		switch partition := s.Partitions[pages.Partition]; {
		case pages.Whole() && t.access.Lock: // one statement reads the partition, from whichever files it has
		case partition.Filenode != 0:
			queries = append(queries, t.checkFilenode(partition))
		case t.access.Lock: // the lock of the transaction prevents a rewrite
		case s.Files.IsZero():
			return nil, fault.New(fault.Conflict, "node %q: an earlier version of ACE planned this and did not record the files of %s: start it again", t.node.name, table.WithoutOnly(partition.Relation))
		default:
			queries = append(queries, t.checkFiles(s.Relation, s.Files))
		}
	}
	return queries, nil
}

// groupExpr returns an expression for the number of the group to which a row belongs, and
// the parameters of the expression.
func groupExpr(s table.Source, by table.Grouping) (string, [][]byte) {
	if by.Buckets > 0 {
		return bucketOf(s, by.Buckets), nil
	}
	return rangeExpr(s, 1, by.Bounds), orderParams(s, "b").ofKeys(by.Bounds)
}

// plansForPages returns the planner settings of PageSums. If PageSums reads whole
// partitions, the server must use sequential scans. Only a sequential scan reads through
// a small ring of buffers, and so leaves the other shared buffers to other sessions.
func plansForPages(s table.Source, ranges []table.PageRange, by table.Grouping) []setting {
	if slices.ContainsFunc(ranges, func(r table.PageRange) bool { return !r.Whole() }) {
		return pagePlans
	}
	plans := append(slices.Clone(pagePlans), noIndexes...)
	if by.Parallel > 0 && !s.Foreign { // functions of users may be declared parallel safe without being so
		plans = append(plans, setting{"max_parallel_workers_per_gather", strconv.Itoa(by.Parallel)},
			setting{"parallel_setup_cost", "0"}, setting{"parallel_tuple_cost", "0"}, setting{"min_parallel_table_scan_size", "0"})
	}
	return plans
}

// unexpectedRange returns the error for a result row that belongs to no requested range
// or group.
func (n *Node) unexpectedRange() error {
	return fault.New(fault.Internal, "node %q answered for a range that was not requested", n.name)
}

// pageRangeSQL returns the query for the row count and the digest of each group of rows
// in a page range. group is the expression for the number of the group, and params the
// number of parameters of this expression.
func pageRangeSQL(s table.Source, pages table.PageRange, group string, params int) string {
	return fmt.Sprintf("SELECT g, pg_catalog.count(*), pg_catalog.bit_xor(x), (SELECT %s) FROM (SELECT %s AS g, %s AS x%s) ace_rows GROUP BY g",
		horizon, group, s.Digest, rowsOf(s, pages, params))
}

// rowsOf returns the FROM and WHERE clauses that select the rows of a page range. params
// is the number of parameters before those of the page range.
func rowsOf(s table.Source, pages table.PageRange, params int) string {
	if pages.Whole() { // without a condition on ctid, so that the server can scan the partition sequentially
		return " FROM " + from(s, s.Partitions[pages.Partition]) + where(addFilter(s, ""))
	}
	condition := fmt.Sprintf("%s.ctid OPERATOR(pg_catalog.>=) $%d::pg_catalog.tid", s.Alias, params+1)
	if pages.To >= 0 {
		condition += fmt.Sprintf(" AND %s.ctid OPERATOR(pg_catalog.<) $%d::pg_catalog.tid", s.Alias, params+2)
	}
	return " FROM " + from(s, s.Partitions[pages.Partition]) + where(addFilter(s, condition))
}

// from returns a partition for a FROM clause. The partition has the table's name as its
// alias, so that the source's fragments and the filter refer to it as the table.
func from(s table.Source, partition table.Partition) string {
	if partition.Relation == s.Relation {
		return partition.Relation
	}
	return partition.Relation + " AS " + s.Alias
}

func pageRangeArgs(pages table.PageRange) [][]byte {
	if pages.Whole() {
		return nil
	}
	args := textArgs(fmt.Sprintf("(%d,0)", pages.From))
	if pages.To >= 0 {
		args = append(args, textArgs(fmt.Sprintf("(%d,0)", pages.To))...)
	}
	return args
}

// checkFilenode returns the query that checks that a partition was not rewritten since
// the plan was made. The caller must send it after the scan, whose lock prevents a
// rewrite until the transaction ends.
func (t *Tx) checkFilenode(partition table.Partition) query {
	name := table.WithoutOnly(partition.Relation)
	return query{sql: "SELECT pg_catalog.pg_relation_filenode($1::pg_catalog.text::pg_catalog.regclass)", args: textArgs(name), row: func(v [][]byte) error {
		if string(v[0]) != strconv.FormatUint(uint64(partition.Filenode), 10) {
			return fault.New(fault.Conflict, "node %q: %s was rewritten while it was being compared (VACUUM FULL, CLUSTER, TRUNCATE or ALTER TABLE): start the comparison again",
				t.node.name, name)
		}
		return nil
	}}
}

// ScanList returns the key and digest of every row of some key ranges. bounds divide all
// keys into len(bounds)+1 ranges. ranges has the numbers of the ranges to list; nil means
// all. ScanList reads the whole table in physical order. The result has a list for each
// of the len(bounds)+1 ranges, and each list is in key order. The list of a range that is
// not in ranges is empty. If there are more than limit rows, the error is table.ErrMore.
func (t *Tx) ScanList(ctx context.Context, s table.Source, bounds []table.Key, ranges []int, limit int64, options ...table.CallOption) ([][]table.Listed, error) {
	args := orderParams(s, "b").ofKeys(bounds)
	condition := ""
	if ranges != nil {
		args = append(args, []byte(intArray(ranges)))
		condition = fmt.Sprintf("%s OPERATOR(pg_catalog.=) ANY ($%d::int[])", rangeExpr(s, 1, bounds), len(args))
	}

	lists := make([][]table.Listed, len(bounds)+1)
	var total int64
	q := query{
		args: args,
		sql: fmt.Sprintf("SELECT %s AS ace_range, %s, %s FROM %s%s ORDER BY 1, %s", rangeExpr(s, 1, bounds),
			strings.Join(s.Key, ", "), s.Digest, s.Relation, where(addFilter(s, condition)), strings.Join(s.Order, ", ")),
		row: func(v [][]byte) error {
			i, err := strconv.Atoi(string(v[0]))
			if err != nil || i < 0 || i >= len(lists) {
				return t.node.unexpectedRange()
			}
			if total++; total > limit {
				return table.ErrMore
			}
			row, err := readListed(v[1:])
			lists[i] = append(lists[i], row)
			return err
		},
	}

	return lists, t.read(ctx, "listing differing ranges", s, table.Combine(options), append(settings(plansFor(s, scanPlans)), q)...)
}
