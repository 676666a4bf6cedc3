package pg

import "ace/shared/rowdigest"

// probeDigest returns an expression for the digest of a row of constants. The row digest
// uses different expressions for columns of different types, and the row has a constant
// for each of these expressions. So two nodes on which the result is equal hash all
// values alike.
func probeDigest(seeds rowdigest.Seeds) string {
	exprs := []string{
		"true", "int2 '-7'", "int4 '123456789'", "oid '4000000000'", "date '2024-02-29'",
		"uuid '00112233-4455-6677-8899-aabbccddeeff'", "bytea '\\x00ff10'", "name 'abc'", `"char" 'x'`,
		"inet '192.168.0.1/24'", "cidr '10.0.0.0/8'", "macaddr '08:00:2b:01:02:03'", "macaddr8 '08:00:2b:01:02:03:04:05'",
		"text 'plain, since not every server encoding has more'", "int8send(1)", "float8send(-0.5)", "numeric_send(1.00)", "NULL::text",
		"jsonb_send('{\"b\":1,\"a\":[null]}')", "array_send('{{1,2},{3,NULL}}'::int[])", "timestamptz_send('1999-12-31 23:59:59.999+00')",
	}
	return rowdigest.Row(exprs, seeds)
}
