package pg

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"ace/shared/rawtext"
	"ace/shared/table"
)

// Fingerprints returns one Fingerprint for each range: the digests of all rows in key
// order, the combined digest of the keys and, if want.Keys is set, the keys themselves.
// It takes little longer than Sums, because the server sends all digests of a range as
// one value. If there are more rows than want allows, the error is table.ErrMore.
func (t *Tx) Fingerprints(ctx context.Context, s table.Source, ranges []table.Range, want table.FingerprintRequest, options ...table.CallOption) ([]table.Fingerprint, error) {
	prints := make([]table.Fingerprint, len(ranges))
	seen := make([]bool, len(ranges))
	var total int64
	queries := settings(plansFor(s, rangePlans))
	for _, b := range byShape(ranges) {
		q := b.lateral(s, func(rows string) string { return fingerprintSQL(s, rows, want.Keys, want.MaxRangeRows+1) })
		q.row = func(v [][]byte) error {
			i, err := b.place(v[0])
			if err != nil {
				return err
			}

			sum, err := readSum(v[1], v[2])
			if err != nil {
				return err
			}
			if total += sum.Rows; total > want.MaxRows || sum.Rows > want.MaxRangeRows {
				return table.ErrMore
			}

			seen[i], prints[i].KeyDigest = true, sum.Digest
			for _, array := range v[4:] {
				prints[i].KeyArrays = append(prints[i].KeyArrays, rawtext.Text(array))
			}

			prints[i].Rows, err = readDigests(v[3], sum.Rows)
			return err
		}
		queries = append(queries, q)
	}

	if err := t.read(ctx, "comparing rows", s, table.Combine(options), queries...); err != nil {
		return nil, err
	}

	return prints, t.node.checkAnswered(seen)
}

// fingerprintSQL returns the query that sorts and aggregates at most limit rows of a
// range. rows has the FROM and WHERE clauses that select the rows. If keys is set, the
// result includes the keys. The result for a range is a single row with all digests, so
// only limit bounds the memory of server and client. The query converts keys to text by
// concat, which calls the output function of the key's type. A cast to text may return
// another text.
func fingerprintSQL(s table.Source, rows string, keys bool, limit int64) string {
	head, inner := "", ""
	if keys {
		for i, column := range list("k", len(s.Key)) {
			head += fmt.Sprintf(", pg_catalog.array_agg(pg_catalog.concat(%s))", column)
			inner += fmt.Sprintf(", %s AS %s", s.Key[i], column)
		}
	}
	return fmt.Sprintf(`SELECT pg_catalog.count(*), coalesce(pg_catalog.bit_xor(k), 0), coalesce(pg_catalog.string_agg(pg_catalog.int8send(x), ''::pg_catalog.bytea), ''::pg_catalog.bytea)%s
		FROM (SELECT %s AS x, %s AS k%s%s ORDER BY %s LIMIT %d) ace_rows`,
		head, s.Digest, s.KeyDigest, inner, rows, strings.Join(s.Order, ", "), limit)
}

// readDigests reads the digests of rows from text, the hexadecimal form of a bytea with
// eight bytes for each row. rows is the number of rows that the query counted.
func readDigests(text []byte, rows int64) ([]int64, error) {
	const width = 8
	if int64(len(text)) != 2+2*width*rows {
		return nil, fmt.Errorf("%d bytes instead of the digests of %d rows", len(text), rows)
	}

	raw := make([]byte, rows*width)
	if _, err := hex.Decode(raw, text[2:]); err != nil {
		return nil, fmt.Errorf("digests: %w", err)
	}

	digests := make([]int64, rows)
	for i := range digests {
		digests[i] = int64(binary.BigEndian.Uint64(raw[i*width:]))
	}
	return digests, nil
}
