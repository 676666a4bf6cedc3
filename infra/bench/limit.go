package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ace/shared/rowdigest"
	"ace/shared/table"
)

// limitOf measures and returns the limit of a case, in seconds: the time that PostgreSQL
// needs for the same amount of work. For a repair, this work is a plain copy of as many
// rows, as the server times it. For a rerun, it is one lookup of each key. For every
// other case, it is the digest scan (see the package comment).
func (b *bench) limitOf(ctx context.Context, c benchCase) (float64, error) {
	scan, err := b.limit(ctx, c)
	if err != nil || c.Follow != repair {
		return scan, err
	}
	var times []float64
	for range limitRuns {
		if _, err := b.nodes.One(ctx, 0, "-c", "CREATE TABLE copied (LIKE "+c.Table+" INCLUDING ALL)"); err != nil {
			return 0, err
		}
		plan, err := b.nodes.One(ctx, 0, "-c", "EXPLAIN (ANALYZE, TIMING OFF) INSERT INTO copied SELECT * FROM "+c.Table)
		if err != nil {
			return 0, err
		}
		took, err := executionTime(plan)
		if err != nil {
			return 0, err
		}
		times = append(times, took)
		if _, err := b.nodes.One(ctx, 0, "-c", "DROP TABLE copied"); err != nil {
			return 0, err
		}
	}
	return median(times), nil
}

// executionTime returns the time in the last line of what EXPLAIN ANALYZE printed, in
// seconds.
func executionTime(plan string) (float64, error) {
	_, text, _ := strings.Cut(plan, "Execution Time: ")
	ms, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(text), " ms"), 64)
	return ms / 1000, err
}

// limitQuery returns the statement whose duration is measured by the function limit. The
// statement computes the service's own row digest of every row. It reads the table in
// physical order or, for a rerun, looks up each key.
func (b *bench) limitQuery(ctx context.Context, c benchCase) (string, error) {
	digest, err := b.digest(ctx, c.Table)
	if err != nil || c.Follow != rerun {
		return fmt.Sprintf("SELECT count(*), bit_xor(%s) FROM %s", digest, c.Table), err
	}
	return fmt.Sprintf(`SELECT count(*), bit_xor(x) FROM unnest((SELECT array_agg(index ORDER BY index) FROM %[2]s)) AS k(key)
		CROSS JOIN LATERAL (SELECT %[1]s AS x FROM %[2]s WHERE index = k.key OFFSET 0) found`, digest, c.Table), nil
}

// digest returns the SQL expression of the service's own row digest for a table.
func (b *bench) digest(ctx context.Context, name string) (string, error) {
	output, err := b.nodes.One(ctx, 0, "-F", "\t", "-c", fmt.Sprintf(`
		SELECT a.attname, t.oid, t.typname, format_type(t.oid, -1), t.typtype
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = '%s'::regclass AND a.attnum > 0 ORDER BY a.attnum`, name))
	if err != nil {
		return "", err
	}
	var exprs []string
	for line := range strings.Lines(output) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		oid, err := strconv.ParseUint(fields[1], 10, 32)
		if err != nil {
			return "", err
		}
		column := rowdigest.Column{Deterministic: true, Type: rowdigest.Type{
			OID: uint32(oid), Schema: "pg_catalog", Name: fields[2], SQL: fields[3], Kind: fields[4][0],
		}}
		exprs = append(exprs, rowdigest.Expr(table.Quote(fields[0]), column, rowdigest.Options{SameEncoding: true}))
	}
	return rowdigest.Row(exprs, rowdigest.Seeds{Inner: 1, Outer: 2}), nil
}
