// Package ddl writes the SQL that creates an object as the catalog of a node describes
// it, or changes the object of another node to match. The statements are text for people
// to review; ACE never executes them.
//
// Every name of a table or another object of a schema is written with its schema. A
// statement never drops a table, a column or a row. If no statement is safe, the
// functions return nil.
package ddl
