package table

import (
	"fmt"
	"strings"
)

// ForeignKey is a foreign key that a repair with disabled triggers does not enforce. It
// is either a foreign key of the repaired table ("this table"), or a foreign key of
// another table that refers to this table.
type ForeignKey struct {
	Name string `json:"name"`
	// Incoming means that the foreign key belongs to another table and refers to this
	// table. Self means that a foreign key of this table refers to this table.
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
	// Equal has, for each pair of columns, the operator that compares the referenced
	// column with the referring one: OPERATOR(pg_catalog.=).
	Equal []string `json:"equal"`
	Full  bool     `json:"full,omitempty"` // MATCH FULL
	// Hidden means that the role may not read the columns of the other table.
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

// Refers returns an SQL condition on a row of the referring table, whose alias is alias.
// It is true if the row must refer to an existing row. A row need not refer to a row if
// one of its referring columns is NULL or, with MATCH FULL, if all of them are NULL.
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
	Name   string `json:"name"` // quoted
	// Last is the last value that the sequence returned. It is nil if the role may not
	// read the value.
	Last      *int64 `json:"last,omitempty"`
	Increment int64  `json:"increment"`
}

// Passed reports whether a value of the column is beyond the last value of the sequence.
// Then the sequence may return the same value later, as a duplicate. Passed returns true
// if the last value is not known.
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
