// Package catalog reads the structure of one database from the system catalogs of one
// node: which objects the schemas have, and the properties of each.
//
// Objects are identified by name. No OID, and no other value that depends on the history
// of a database, leaves this package. A property that a server version does not have is
// absent, unless the older server behaves as if the property had a certain value; then it
// has that value.
//
// Read needs no privilege on a table. It reads rows of no table, with one exception: for
// a sequence that serves a column, it reads the largest value of that column by one probe
// of an index, if the role has SELECT on the column. Read does not write and executes no
// code of users.
package catalog
