package table

import (
	"fmt"
	"strings"

	"ace/shared/fault"
)

// Target is one node's table as the statements of a repair write it. Values travel as text and are cast by the node.
type Target struct {
	Source // how it is read: Columns has what Names has
	// Into is the table's name without ONLY, which INSERT does not take: it never reaches a child.
	Into string `json:"into"`
	// Names are the columns, quoted; Types what the text of each is cast to, without a modifier, so that a value that is
	// too long is an error and never cut off.
	Names []string `json:"names"`
	Types []string `json:"types"`
	// Parse says how the node makes values of the texts; none in plans of earlier versions, which cast them.
	Parse []Parse `json:"parse,omitempty"`
	// Path is the search_path that user code needs while rows are written, such as triggers,
	// defaults and constraints: what the role would have.
	Path string `json:"path"`
}

// Conversion is a column whose values are converted to another type.
type Conversion struct {
	Name  string // quoted
	Type  string
	Parse Parse
}

// Writing is what one node's catalogue says about writing to a table.
type Writing struct {
	Role          string
	ServerVersion int
	// Insert and Update: the role may on every column that can be written.
	Insert, Update, Delete bool
	ReadOnly               string   // the setting by which the node takes no changes from the role; empty: none
	RowSecurity            bool     // policies would hide rows from the role
	ReplicaRole            bool     // the role may set session_replication_role
	Identity               []string // columns GENERATED ALWAYS AS IDENTITY
	Unique                 []string // columns that some unique or exclusion index looks at
	Extension              string   // the extension that the table belongs to; empty for none
	Triggers               []Trigger
	Rules                  []string // that rewrite INSERT, UPDATE or DELETE
	References             []Reference
	Deferrable             []Deferrable
}

// CheckWritable returns an error if the schema is one of the server's own: its tables are changed by
// DDL, and a row that is written there by itself damages the database.
func CheckWritable(schema, name string) error {
	switch {
	case schema == "pg_catalog" || schema == "information_schema":
	case strings.HasPrefix(schema, "pg_"): // pg_toast, pg_temp_1: PostgreSQL reserves the prefix
	default:
		return nil
	}
	return fault.New(fault.Invalid, "table_name is %.200s, a table of the server's own schema %.100s: such tables are compared, never written by a repair or undo; change what they describe by DDL on the node",
		Name(schema, name), display(schema))
}

// Trigger is a user's trigger of the table or of one of its partitions.
type Trigger struct {
	Name   string
	Always bool // fires whatever session_replication_role is: ENABLE ALWAYS
	// Replica: fires only where session_replication_role is replica: ENABLE REPLICA.
	Replica bool
}

// Reference is a foreign key of another table that changes its rows with ours: CASCADE, SET NULL or SET DEFAULT.
type Reference struct {
	Name, Table        string
	Columns            []string // of ours
	OnDelete, OnUpdate bool
}

// Deferrable is a constraint that PostgreSQL checks by a trigger, which does not fire for a replica.
type Deferrable struct {
	Name string `json:"name"`
	// Unchecked: no query of ours can check it either, being an exclusion constraint or one of a single partition.
	Unchecked bool     `json:"unchecked,omitempty"`
	Columns   []string `json:"columns,omitempty"` // quoted
	Equal     []string `json:"equal,omitempty"`   // operators: OPERATOR(pg_catalog.=)
	Distinct  bool     `json:"distinct"`          // NULLs are distinct from each other
}

// Subscription brings a table's changes to a node from elsewhere.
type Subscription struct {
	Name    string
	Slot    string // on the node that they come from; empty for none
	Enabled bool
	// LocalOnly: it leaves out what has an origin there, as what a repair writes: origin = none.
	LocalOnly bool
	Copied    bool // it has brought the rows that the table began with
}

// Position is a moment of a server.
type Position struct {
	LSN      string // of its log
	Snapshot string // as pg_current_snapshot gives it
}

// Mark names a transaction: which server, which of its timelines, which number.
type Mark struct {
	System   string `json:"system_identifier"`
	Timeline string `json:"timeline"`
	XID      string `json:"xid"` // xid8
}

// ViolationError is the error of a row that the node refuses: a constraint, or a value that does not fit.
type ViolationError struct {
	Constraint string // empty where it is none
	Unique     bool   // another row holds a value that must be unique
	// Column is the column of a value that the node cannot read as one of its type, quoted, and Place the
	// row's place in the list; empty where it is none.
	Column string
	Place  int
	Fault  *fault.Error
}

// Error is the fault's text.
func (v *ViolationError) Error() string { return v.Fault.Error() }

// Unwrap gives the fault.
func (v *ViolationError) Unwrap() error { return v.Fault }

// Of names the row that was refused.
func (v *ViolationError) Of(key Key) error {
	about := fmt.Sprintf("the row with the key %s", key)
	if v.Column != "" {
		about = fmt.Sprintf("column %s, %s", v.Column, about)
	}
	if v.Constraint != "" {
		about = fmt.Sprintf("constraint %q, %s", v.Constraint, about)
	}
	return fault.Wrap(v.Fault.Err, v.Fault.Code, "%s (%s)", v.Fault.Message, about)
}
