// Package rowdigest decides when two rows are the same: it writes the SQL expressions
// with which a server digests a row. It is pure: it sends no statement itself.
//
// Two values are the same if the output function of their type returns the same text for
// both. A digest has 64 bits and needs no extension:
//
//	hashtextextended(
//	    to_hex(hash_record_extended(ROW(e1, e2, ...), inner)) COLLATE "C", outer)
//
// Here e1, e2 and so on are the expressions of the columns, and inner and outer are
// seeds.
//
// The digests of a set of rows are combined by XOR and stored with the number of rows.
// The inner hash combines the columns linearly, so if two rows swapped values, the XOR of
// their inner hashes could stay the same. The outer hash prevents that. It hashes the
// text of the inner hash, because PostgreSQL's hash of a bigint has only 32 bits. to_hex
// is cheaper than int8send and a second record. Under collation "C", the hash of a text
// is that of its bytes.
//
// Rows that differ have the same digest with probability 2^-64. Rows that are the same
// have the same digest on every server with the same hash functions, whatever its
// settings, collations and OIDs. If the hash functions of two servers differ, the nodes
// must be compared by the portable digest (RowSHA256).
//
// There are exceptions: a type may have several binary forms with the same text, such as
// a NaN with either sign. Such forms are called twins: their digests differ although the
// values are the same. So if TextExpr reports twins for a column, different digests do
// not prove that two rows differ. Then the texts of the values must be compared.
//
// The expression of a column is chosen by the column's type, from explicit lists
// (types.go). Nothing is inferred from the similarity of types. PostgreSQL's own hash
// functions cannot be used for most types: they return the same hash for equal values
// with different texts (numeric 1.0 and 1.00), fold 64 bits to 32 (int8 and timestamps),
// or hash OIDs (enums).
package rowdigest
