package pg

import (
	"context"

	"ace/shared/rowdigest"
)

// ProbeDigest digests constants of every kind that the digest treats by itself. Nodes that give different answers
// must be compared by the portable checksum.
func (n *Node) ProbeDigest(ctx context.Context, seeds rowdigest.Seeds) (string, error) {
	tx, err := n.Begin(ctx, catalogPath)
	if err != nil {
		return "", err
	}
	defer tx.Close()
	exprs := []string{
		"true", "int2 '-7'", "int4 '123456789'", "oid '4000000000'", "date '2024-02-29'",
		"uuid '00112233-4455-6677-8899-aabbccddeeff'", "bytea '\\x00ff10'", "name 'abc'", `"char" 'x'`,
		"inet '192.168.0.1/24'", "cidr '10.0.0.0/8'", "macaddr '08:00:2b:01:02:03'", "macaddr8 '08:00:2b:01:02:03:04:05'",
		"text 'plain, since not every server encoding has more'", "int8send(1)", "float8send(-0.5)", "numeric_send(1.00)", "NULL::text",
		"jsonb_send('{\"b\":1,\"a\":[null]}')", "array_send('{{1,2},{3,NULL}}'::int[])", "timestamptz_send('1999-12-31 23:59:59.999+00')",
	}
	var digest string
	err = tx.run(ctx, "probing the digest", query{
		sql: "SELECT " + rowdigest.Row(exprs, seeds),
		row: func(v [][]byte) error { digest = string(v[0]); return nil },
	})
	return digest, err
}
