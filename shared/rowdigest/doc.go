// Package rowdigest decides, in one place, when two rows are the same: it writes the SQL expressions by which a server
// digests a row. It is pure: it knows no connection and runs nothing.
//
// Two values are the same when their stored values are, that is when the types' output functions give the same text.
// A digest is 64 bits and needs no extension:
//
//	hash_record_extended(ROW(int8send(hash_record_extended(ROW(e1, e2, ...), inner))), outer)
//
// Digests of a set of rows are combined by XOR, next to a count. The inner hash is linear in its columns, so that values
// swapped between two rows could cancel; the outer hash over the eight bytes prevents that. Rows that differ have the
// same digest with probability 2^-64. Rows that are the same have the same digest on every server, whatever its
// version, settings, collations and OIDs, but for oddities below the text, such as the sign of a NaN: a difference of
// digests is one of values only where TextExpr has no twins, or the texts differ too.
//
// What e is for a column depends on its type through explicit lists (types.go); nothing is inferred from a type's
// likeness to another. PostgreSQL's own hash functions cannot be used for most types: they hash by equality (numeric 1.0
// and 1.00), fold 64 bits to 32 (int8 and timestamps), or hash OIDs (enums).
package rowdigest
