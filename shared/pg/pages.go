package pg

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// bucketExpr gives the number of the leaf range a row belongs to: width_bucket over the boundaries, whose array is built
// once per statement from the parameters (a cast of an array parameter would be evaluated for every row). Anything
// but a plain scalar key is compared as a row, whose columns must have the very types of the boundaries'. Without
// boundaries the array is NULL, and all rows belong to range 0.
func bucketExpr(s table.Source, first int) string {
	names := list("b", len(s.Order))
	bounds := strings.Join(ordered(s, qualify("ace_b", names)), ", ")
	key := s.Order[0]
	if !s.ScalarOrder {
		bounds, key = "ROW("+bounds+")", "ROW("+strings.Join(cast(s.Order, s.OrderType), ", ")+")"
	}
	return fmt.Sprintf("coalesce(pg_catalog.width_bucket(%s, (SELECT pg_catalog.array_agg(%s ORDER BY ace_b.ord) FROM %s ace_b)), 0)", key, bounds,
		unnest(names, s.OrderType, first))
}

// PageSums reads pages once, in physical order, and gives the sum of each range between the boundaries that has rows:
// range i lies below bounds[i], the last above them all. A leaf that was rewritten since the plan is an error, since
// its rows may have moved between pages that were read and pages that were not.
func (t *Tx) PageSums(ctx context.Context, s table.Source, spans []table.Span, bounds []table.Key) (map[int]table.Sum, error) {
	sums := map[int]table.Sum{}
	queries := settings(pagePlans)
	width := len(s.Order)
	for _, span := range spans {
		if span.Leaf < 0 || span.Leaf >= len(s.Leaves) {
			return nil, fault.New(fault.Internal, "the plan has no leaf %d on node %q", span.Leaf, t.node.name)
		}
		leaf := s.Leaves[span.Leaf]
		queries = append(queries,
			query{sql: spanSQL(s, span, width), args: append(columnsOf(bounds, width), spanArgs(span)...), row: func(v [][]byte) error {
				bucket, err := strconv.Atoi(string(v[0]))
				if err != nil || bucket < 0 || bucket > len(bounds) {
					return fault.New(fault.Internal, "node %q answered for a range that was not asked for", t.node.name)
				}
				sum, err := readSum(v[1], v[2])
				sums[bucket] = sums[bucket].Add(sum)
				return err
			}})
		if leaf.Filenode != 0 {
			queries = append(queries, t.sameFilenode(leaf))
		}
	}
	return sums, t.run(ctx, "comparing pages", queries...)
}

func spanSQL(s table.Source, span table.Span, width int) string {
	condition := fmt.Sprintf("%s.ctid >= $%d::tid", s.Alias, width+1)
	if span.To >= 0 {
		condition += fmt.Sprintf(" AND %s.ctid < $%d::tid", s.Alias, width+2)
	}
	return fmt.Sprintf("SELECT b, count(*), pg_catalog.bit_xor(x) FROM (SELECT %s AS b, %s AS x FROM %s%s) ace_rows GROUP BY b",
		bucketExpr(s, 1), s.Digest, from(s, s.Leaves[span.Leaf]), where(filtered(s, condition)))
}

// from names a leaf so that the source's fragments, and the filter, can refer to it as the table.
func from(s table.Source, leaf table.Leaf) string {
	if leaf.Relation == s.Relation {
		return leaf.Relation
	}
	return leaf.Relation + " AS " + s.Alias
}

func spanArgs(span table.Span) [][]byte {
	args := textArgs(fmt.Sprintf("(%d,0)", span.From))
	if span.To >= 0 {
		args = append(args, textArgs(fmt.Sprintf("(%d,0)", span.To))...)
	}
	return args
}

// sameFilenode runs after the scan, whose lock keeps the table from being rewritten until the transaction ends.
func (t *Tx) sameFilenode(leaf table.Leaf) query {
	name := strings.TrimPrefix(leaf.Relation, "ONLY ")
	return query{sql: "SELECT pg_relation_filenode($1::text::regclass)", args: textArgs(name), row: func(v [][]byte) error {
		if string(v[0]) != strconv.FormatUint(uint64(leaf.Filenode), 10) {
			return fault.New(fault.Conflict, "node %q: %s was rewritten while it was being compared (VACUUM FULL, CLUSTER, TRUNCATE or ALTER TABLE): start the comparison again",
				t.node.name, name)
		}
		return nil
	}}
}

// ScanList gives key and digest of the rows of some ranges by reading the whole table: for tables whose order the
// index does not follow. The lists stand in the order of buckets; more than limit rows are table.ErrMore.
func (t *Tx) ScanList(ctx context.Context, s table.Source, bounds []table.Key, buckets []int, limit int64) ([][]table.Listed, error) {
	width := len(s.Order)
	place := make(map[int]int, len(buckets))
	numbers := make([]string, len(buckets))
	for i, bucket := range buckets {
		place[bucket] = i
		numbers[i] = strconv.Itoa(bucket)
	}
	lists := make([][]table.Listed, len(buckets))
	var total int64
	condition := fmt.Sprintf("%s = ANY ($%d::int[])", bucketExpr(s, 1), width+1)
	q := query{
		args: append(columnsOf(bounds, width), []byte("{"+strings.Join(numbers, ",")+"}")),
		sql: fmt.Sprintf("SELECT %s AS ace_bucket, %s, %s FROM %s%s ORDER BY 1, %s", bucketExpr(s, 1),
			strings.Join(s.Key, ", "), s.Digest, s.Relation, where(filtered(s, condition)), strings.Join(s.Order, ", ")),
		row: func(v [][]byte) error {
			bucket, err := strconv.Atoi(string(v[0]))
			i, ok := place[bucket]
			if err != nil || !ok {
				return fault.New(fault.Internal, "node %q answered for a range that was not asked for", t.node.name)
			}
			if total++; total > limit {
				return table.ErrMore
			}
			row, err := readListed(v[1:])
			lists[i] = append(lists[i], row)
			return err
		},
	}
	return lists, t.run(ctx, "listing differing ranges", append(settings(scanPlans), q)...)
}
