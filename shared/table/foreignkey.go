package table

import (
	"fmt"
	"strings"
)

// ForeignKey is a foreign key that a repair with disabled triggers does not enforce. It
// is a foreign key of the repaired table ("this table"), or a foreign key that refers to
// this table.
type ForeignKey struct {
	Name string `json:"name"`
	// Incoming means that the foreign key refers to this table. Otherwise it belongs to this
	// table. Self means that both are true. Such a foreign key is listed twice: once with
	// Incoming, and once without.
	Incoming bool `json:"incoming,omitempty"`
	Self     bool `json:"self,omitempty"`
	// Referring and Referenced are the two tables as a FROM clause names them.
	// ReferringColumns and ReferencedColumns are the columns of each, quoted, in the same
	// order.
	Referring         string   `json:"referring"`
	Referenced        string   `json:"referenced"`
	ReferringColumns  []string `json:"referring_columns"`
	ReferencedColumns []string `json:"referenced_columns"`
	// Columns are the names of this table's columns in the foreign key: the referenced
	// columns if Incoming is set, and the referring columns otherwise.
	Columns []string `json:"columns"`
	// Equal has, for each pair of columns, the operator that compares the referenced column
	// with the referring one, such as OPERATOR(pg_catalog.=).
	Equal []string `json:"equal"`
	Full  bool     `json:"full,omitempty"` // the foreign key is MATCH FULL
	// Hidden means that the role may not read all rows of the foreign key's columns in both
	// tables, because of privileges or row security.
	Hidden bool `json:"hidden,omitempty"`
}

// Query returns a statement that lists the rows that violate the foreign key.
func (f ForeignKey) Query() string {
	equal := make([]string, len(f.ReferringColumns))
	for i, column := range f.ReferringColumns {
		equal[i] = fmt.Sprintf("p.%s = c.%s", f.ReferencedColumns[i], column)
	}
	return fmt.Sprintf("SELECT c.* FROM %s c WHERE %s AND NOT EXISTS (SELECT FROM %s p WHERE %s)",
		f.Referring, f.Refers("c"), f.Referenced, strings.Join(equal, " AND "))
}

// Refers returns the SQL condition that a row of the referring table must refer to an
// existing row. alias is the alias of the referring table. A row need not refer to an
// existing row if one of its referring columns is NULL or, with MATCH FULL, if all of
// them are NULL.
func (f ForeignKey) Refers(alias string) string {
	tests := make([]string, len(f.ReferringColumns))
	for i, column := range f.ReferringColumns {
		tests[i] = alias + "." + column + " IS NOT NULL"
	}
	if f.Full {
		return "(" + strings.Join(tests, " OR ") + ")"
	}
	return strings.Join(tests, " AND ")
}

// Sequence is a sequence that provides the default values of a column.
type Sequence struct {
	Column string `json:"column"`
	Name   string `json:"name"` // the name of the sequence, quoted
	// Last is the last value that the sequence returned. It is nil if the role may not
	// read the value.
	Last      *int64 `json:"last,omitempty"`
	Increment int64  `json:"increment"`
}

// Passed reports whether a value of the column is beyond the last value of the sequence.
// Then the sequence may return the same value later, and an INSERT with it may violate a
// unique constraint. Passed returns true if the last value is not known.
func (s Sequence) Passed(value int64) bool {
	switch {
	case s.Last == nil:
		return true
	case s.Increment < 0:
		return value < *s.Last
	}
	return value > *s.Last
}

// Remedy returns a statement that moves the sequence past all values of the table.
func (s Sequence) Remedy(relation string) string {
	extreme, further := "max", "greatest"
	if s.Increment < 0 {
		extreme, further = "min", "least"
	}
	return fmt.Sprintf("SELECT setval('%s', %s((SELECT %s(%s) FROM %s), (SELECT last_value FROM %s)))",
		strings.ReplaceAll(s.Name, "'", "''"), further, extreme, Quote(s.Column), relation, s.Name)
}
