// Package tableschema finds what the descriptions of one table on several nodes have in
// common: the columns to compare, the key by which rows are matched, and whether the
// nodes order the key alike. For each column it decides how values are digested, so that
// equal values have equal digests on every node. From these decisions it writes the SQL
// fragments with which the table of each node is read.
//
// A table that cannot be compared is an error that names nodes and columns. The package
// reads no catalog and sends no statement.
package tableschema
