// Package ddl writes the SQL that creates or changes an object as it is in a catalog. The
// statements are text for people to review; ACE never executes them.
//
// Every name is quoted and written with its schema. A statement never drops a table, a
// column or a row. If no statement is safe, there is none.
package ddl
