package rowdigest

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// Seeds are the seeds of the hash functions. Each comparison uses its own random seeds,
// unless it reuses the sums of a baseline and therefore the seeds of the baseline. So if
// two different rows have the same digest in one comparison, they almost certainly have
// different digests in others. A repair uses its own random seeds for each target.
type Seeds struct {
	Inner int64 `json:"inner"`
	Outer int64 `json:"outer"`
}

// DrawSeeds returns random seeds. With seeds that are not known in advance, no row can be
// made to have the digest of another row.
func DrawSeeds() Seeds {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	return Seeds{
		Inner: int64(binary.NativeEndian.Uint64(random[:8])),
		Outer: int64(binary.NativeEndian.Uint64(random[8:])),
	}
}

// RowVersion identifies the expression that Row returns. Digests that were stored under
// another version cannot be compared with those of Row, even if the seeds are the same.
// Version 1 hashed the eight bytes of the inner hash instead of its hexadecimal text.
const RowVersion = 2

// FirstRowVersion is the first version of the expression. RowOf still returns it, because
// stored plans have it.
const FirstRowVersion = 1

// Row returns an SQL expression for the digest of a row, a bigint. exprs are the
// expressions that Expr or TextExpr returned for the row's columns. A server of version
// 14 or later can evaluate the expression. If the expression changes, RowVersion must
// change too.
func Row(exprs []string, seeds Seeds) string { return RowOf(RowVersion, exprs, seeds) }

// RowOf is like Row, but returns the expression of the given version.
func RowOf(version int, exprs []string, seeds Seeds) string {
	inner := hash(exprs, seeds.Inner)
	if version == FirstRowVersion {
		return hash([]string{call("int8send", inner)}, seeds.Outer)
	}
	return call("hashtextextended", fmt.Sprintf(`%s COLLATE pg_catalog."C", '%d'::bigint`, call("to_hex", inner), seeds.Outer))
}

// Key returns an SQL expression for the digest of a key, a bigint. version is that of
// RowOf. exprs are the expressions that Expr returned for the key's columns. Unlike the
// hash of a hash index, the digest distinguishes key variants: different spellings of one
// value.
func Key(version int, exprs []string, seeds Seeds) string {
	if len(exprs) == 1 { // there is no other column with which a value could be swapped
		return hash(exprs, seeds.Inner)
	}
	return RowOf(version, exprs, seeds)
}

// hash returns an SQL expression for the hash of a record. The seed is a quoted literal
// because the lowest bigint cannot be written without quotes.
func hash(fields []string, seed int64) string {
	return call("hash_record_extended", fmt.Sprintf("ROW(%s), '%d'::bigint", strings.Join(fields, ", "), seed))
}

// RowSHA256 returns an SQL expression for the portable digest of a row, a bigint. refs
// are SQL references to the row's columns, such as t."a". The digest is the first 64 bits
// of the SHA-256 of the seeds followed by the columns' texts. array_send writes each text
// with its length, and NULL with the length -1, so different rows have different bytes.
// The portable digest takes several times longer than the digest of Row, but it does not
// depend on PostgreSQL's hash functions. A server of version 11 or later can evaluate the
// expression.
func RowSHA256(refs []string, seeds Seeds) string {
	texts := make([]string, len(refs))
	for i, ref := range refs {
		texts[i] = text(ref)
	}
	salt := binary.BigEndian.AppendUint64(nil, uint64(seeds.Inner))
	salt = binary.BigEndian.AppendUint64(salt, uint64(seeds.Outer))
	row := call("array_send", "ARRAY["+strings.Join(texts, ", ")+"]::pg_catalog.bytea[]")
	sum := call("sha256", fmt.Sprintf(`'\x%s'::pg_catalog.bytea OPERATOR(pg_catalog.||) %s`, hex.EncodeToString(salt), row))
	return fmt.Sprintf("('x'::pg_catalog.text OPERATOR(pg_catalog.||) %s)::bit(64)::bigint", call("encode", call("substr", sum+", 1, 8")+", 'hex'"))
}
