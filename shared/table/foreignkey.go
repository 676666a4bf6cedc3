package table

import (
	"fmt"
	"strings"
)

// ForeignKey is a foreign key of a table, or one of another table that refers to it. A
// repair that disables triggers does not enforce it.
type ForeignKey struct {
	Name string `json:"name"`
	// Incoming means that another table refers to this one. Then Columns are the referenced
	// columns, else the referring ones. Self means that both are this table.
	Incoming bool `json:"incoming,omitempty"`
	Self     bool `json:"self,omitempty"`
	// Referring and Referenced are the tables as a FROM clause names them, and the columns
	// of each, quoted, in the same order.
	Referring         string   `json:"referring"`
	Referenced        string   `json:"referenced"`
	ReferringColumns  []string `json:"referring_columns"`
	ReferencedColumns []string `json:"referenced_columns"`
	// Columns are the names of this table's columns.
	Columns []string `json:"columns"`
	// Equal has the operators that compare a referenced with a referring column:
	// OPERATOR(pg_catalog.=).
	Equal []string `json:"equal"`
	Full  bool     `json:"full,omitempty"` // MATCH FULL
	// Hidden reports that the role may not read the columns of the other table.
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

// Refers returns the condition that the row named alias refers to a row at all.
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

// Sequence is a sequence from which a column takes its values.
type Sequence struct {
	Column string `json:"column"`
	Name   string `json:"name"` // quoted
	// Last is the last value that the sequence returned. It is nil if the role may not read
	// it.
	Last      *int64 `json:"last,omitempty"`
	Increment int64  `json:"increment"`
}

// Passed reports whether a value of the column is one that the sequence has yet to
// return.
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
