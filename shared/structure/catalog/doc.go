// Package catalog reads the structure of one database from the system catalogs of one
// node: which objects the schemas have, and the properties of each.
//
// Objects are identified by name. No OID, and no other value that depends on the history
// of a database, leaves this package. A property that a server version does not have is
// absent, unless the older server behaves as if the property had a certain value (every
// constraint is enforced before PostgreSQL 18). Then the property has that value.
//
// Read needs no privilege on a table. It reads no rows of tables, with one exception: the
// largest (or smallest) value of a column that a sequence serves. It reads this value by
// one probe of an index, if an index begins with the column and the role may read the
// column. Read does not write and executes no code of users.
package catalog
