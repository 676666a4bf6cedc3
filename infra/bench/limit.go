package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ace/shared/rowdigest"
	"ace/shared/table"
)

// digestScan writes the statement that sets the limit: the service's own row digest over the whole table.
func (b *bench) digestScan(ctx context.Context, name string) (string, error) {
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
	return fmt.Sprintf("SELECT count(*), bit_xor(%s) FROM %s", rowdigest.Row(exprs, rowdigest.Seeds{Inner: 1, Outer: 2}), name), nil
}
