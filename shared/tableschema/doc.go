// Package tableschema finds what the descriptions of one table on several nodes have in common: the columns to be compared
// and how each is digested so that equal values give equal digests on every node, the key that rows are matched by, and
// whether the nodes order it alike. Out of that it writes the SQL fragments by which each node's table is read.
//
// It refuses what cannot be compared, naming nodes and columns. It reads no catalogue and sends nothing.
package tableschema
