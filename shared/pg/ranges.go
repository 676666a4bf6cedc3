package pg

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ace/shared/fault"
	"ace/shared/rawtext"
	"ace/shared/table"
)

// shape states which bounds a range has: the lower one, the upper one, both or none. All
// ranges of one shape are read by one statement, because they need the same condition.
type shape struct{ lo, hi bool }

// batch has the ranges of one shape. origin has the index of each of these ranges in the
// list that the caller passed to byShape.
type batch struct {
	shape  shape
	ranges []table.Range
	origin []int
}

// byShape returns one batch for each shape. The ranges of a batch are in the order in
// which ranges lists them.
func byShape(ranges []table.Range) []*batch {
	var batches []*batch
	find := func(s shape) *batch {
		for _, b := range batches {
			if b.shape == s {
				return b
			}
		}
		batches = append(batches, &batch{shape: s})
		return batches[len(batches)-1]
	}

	for i, r := range ranges {
		b := find(shape{lo: r.Lo != nil, hi: r.Hi != nil})
		b.ranges = append(b.ranges, r)
		b.origin = append(b.origin, i)
	}

	return batches
}

// statement returns a statement over the ranges of the batch. For each range it runs
// SELECT head FROM ... WHERE ... tail, so head is the select list, and tail has the
// clauses after the WHERE clause. The first result column is the number of the range in
// the batch, from 1.
func (b *batch) statement(s table.Source, head, tail string) query {
	return b.lateral(s, func(rows string) string { return "SELECT " + head + rows + tail })
}

// lateral returns a statement over the ranges of the batch. For each range it runs the
// query that inner(rows) returns. rows has the FROM and WHERE clauses that select the
// rows of the range.
func (b *batch) lateral(s table.Source, inner func(rows string) string) query {
	if !b.shape.lo && !b.shape.hi { // the range is the whole table; a list never has more than one such range
		return query{sql: fmt.Sprintf("SELECT 1, ace_inner.* FROM (%s) ace_inner", inner(" FROM "+s.Relation+where(addFilter(s, ""))))}
	}

	name := uniqueName(s, "list")
	var columns params
	var bounds [2][]string
	var args [][]byte
	side := func(end int, prefix string, pick func(table.Range) table.Key) {
		side := orderParams(s, uniqueName(s, prefix))
		columns = append(columns, side...)
		bounds[end] = qualify(name, side.names())
		keys := make([]table.Key, len(b.ranges))
		for i, r := range b.ranges {
			keys[i] = pick(r)
		}
		args = append(args, side.ofKeys(keys)...)
	}

	if b.shape.lo {
		side(0, "lo", func(r table.Range) table.Key { return r.Lo })
	}
	if b.shape.hi {
		side(1, "hi", func(r table.Range) table.Key { return r.Hi })
	}

	rows := " FROM " + s.Relation + where(addFilter(s, within(s, bounds[0], bounds[1])))
	// The filter could refer to the list's columns, so their names must not occur in the
	// filter.
	ord := uniqueName(s, "ord")
	return query{args: args, sql: fmt.Sprintf("SELECT %s.%s, ace_inner.* FROM %s %s(%s, %s) CROSS JOIN LATERAL (%s) ace_inner",
		name, ord, columns.list(1), name, strings.Join(columns.names(), ", "), ord, inner(rows))}
}

// filter returns a FILTER clause for an aggregate in a statement of the batch. The clause
// excludes rows whose keys are outside the range. A damaged index can lead to such rows.
func (b *batch) filter(s table.Source) string {
	var bounds [2][]string
	if b.shape.lo {
		bounds[0] = qualify(uniqueName(s, "list"), orderParams(s, uniqueName(s, "lo")).names())
	}
	if b.shape.hi {
		bounds[1] = qualify(uniqueName(s, "list"), orderParams(s, uniqueName(s, "hi")).names())
	}
	if condition := within(s, bounds[0], bounds[1]); condition != "" {
		return " FILTER (WHERE " + condition + ")"
	}
	return ""
}

// place returns the index of the range to which a result row belongs, in the list that
// the caller passed to byShape. value is the first column of the row.
func (b *batch) place(value []byte) (int, error) {
	ord, err := strconv.Atoi(string(value))
	if err != nil || ord < 1 || ord > len(b.origin) {
		return 0, fault.New(fault.Internal, "the server answered for a range that was not requested")
	}
	return b.origin[ord-1], nil
}

// Sums returns the row count and the combined digest of each range, and the xmin of the
// snapshot: every transaction with a lower id had ended when the snapshot was taken. If
// the statements read the ranges in several snapshots, Sums returns the lowest xmin.
// Without ranges, the xmin is 0. Sums needs one round trip.
func (t *Tx) Sums(ctx context.Context, s table.Source, ranges []table.Range, options ...table.CallOption) ([]table.Sum, int64, error) {
	var seenBy int64
	sums := make([]table.Sum, len(ranges))
	seen := make([]bool, len(ranges))
	queries := settings(plansFor(s, rangePlans))
	for _, b := range byShape(ranges) {
		q := b.statement(s, "pg_catalog.count(*) AS n, coalesce(pg_catalog.bit_xor("+s.Digest+"), 0) AS x, "+horizon, "")
		q.row = func(v [][]byte) error {
			i, err := b.place(v[0])
			if err != nil {
				return err
			}
			seen[i] = true
			if sums[i], err = readSum(v[1], v[2]); err != nil {
				return err
			}
			seenBy, err = readHorizon(v[3], seenBy)
			return err
		}
		queries = append(queries, q)
	}

	if err := t.read(ctx, "comparing blocks", s, table.Combine(options), queries...); err != nil {
		return nil, 0, err
	}

	return sums, seenBy, t.node.checkAnswered(seen)
}

// checkAnswered returns an error if a range has no result, because the caller would
// mistake it for an empty range. seen reports for each range whether it has a result.
func (n *Node) checkAnswered(seen []bool) error {
	if i := slices.Index(seen, false); i >= 0 {
		return fault.New(fault.Internal, "node %q returned no digest for range %d of %d", n.name, i+1, len(seen))
	}
	return nil
}

// List returns the key and digest of every row of each range, in key order within a
// range. If there are more than limit rows in all ranges together, the error is
// table.ErrMore.
func (t *Tx) List(ctx context.Context, s table.Source, ranges []table.Range, limit int64, options ...table.CallOption) ([][]table.Listed, error) {
	lists := make([][]table.Listed, len(ranges))
	var total int64
	queries := settings(plansFor(s, rangePlans))
	for _, b := range byShape(ranges) {
		q := b.statement(s, strings.Join(s.Key, ", ")+", "+s.Digest, " ORDER BY "+strings.Join(s.Order, ", "))
		q.row = func(v [][]byte) error {
			i, err := b.place(v[0])
			if err != nil {
				return err
			}
			if total++; total > limit {
				return table.ErrMore
			}
			row, err := readListed(v[1:])
			lists[i] = append(lists[i], row)
			return err
		}
		queries = append(queries, q)
	}

	return lists, t.read(ctx, "listing differing blocks", s, table.Combine(options), queries...)
}

// Cut returns the key of every step-th row of a range, beginning with row number step.
// These keys are boundaries that split a range with more rows than the plan expected.
func (t *Tx) Cut(ctx context.Context, s table.Source, r table.Range, step int64) ([]table.Key, error) {
	return t.cut(ctx, s, r, step, rangePlans, 0)
}

func (t *Tx) cut(ctx context.Context, s table.Source, r table.Range, step int64, plans []setting, options table.CallOption) ([]table.Key, error) {
	var keys []table.Key
	b := byShape([]table.Range{r})[0]
	names := list("k", len(s.Order))
	selected := bounds(s)
	for i, name := range names {
		selected[i] += " AS " + name
	}

	numbered := fmt.Sprintf("%s, pg_catalog.row_number() OVER (ORDER BY %s) AS n", strings.Join(selected, ", "), strings.Join(s.Order, ", "))
	q := b.statement(s, numbered, "")
	q.sql = fmt.Sprintf("SELECT %s FROM (%s) ace_cut WHERE (n OPERATOR(pg_catalog.%%) %d) OPERATOR(pg_catalog.=) 0 ORDER BY n", strings.Join(names, ", "), q.sql, step)
	q.row = func(v [][]byte) error {
		keys = append(keys, readKey(v))
		return nil
	}

	return keys, t.read(ctx, "splitting a block", s, options, append(settings(plansFor(s, plans)), q)...)
}

// settings returns the query that applies planner settings for the rest of the
// transaction. It returns no query if list is empty.
func settings(list []setting) []query {
	if len(list) == 0 {
		return nil
	}

	var b strings.Builder
	for i, s := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "pg_catalog.set_config('%s', '%s', true)", s.name, s.value)
	}
	return []query{{sql: "SELECT " + b.String()}}
}

func readSum(rows, digest []byte) (table.Sum, error) {
	n, err := strconv.ParseInt(string(rows), 10, 64)
	if err != nil {
		return table.Sum{}, fmt.Errorf("row count: %w", err)
	}
	x, err := strconv.ParseInt(string(digest), 10, 64)
	if err != nil {
		return table.Sum{}, fmt.Errorf("digest: %w", err)
	}
	return table.Sum{Rows: n, Digest: x}, nil
}

func readKey(values [][]byte) table.Key {
	key := make(table.Key, len(values))
	for i, value := range values {
		key[i] = rawtext.Text(value)
	}
	return key
}

// readListed reads the key columns and the digest that follows them.
func readListed(values [][]byte) (table.Listed, error) {
	last := len(values) - 1
	digest, err := strconv.ParseInt(string(values[last]), 10, 64)
	if err != nil {
		return table.Listed{}, fmt.Errorf("digest: %w", err)
	}
	return table.Listed{Key: readKey(values[:last]), Digest: digest}, nil
}
