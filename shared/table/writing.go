package table

import (
	"fmt"
	"strings"

	"ace/shared/fault"
)

// Target describes how the statements of a repair write the table on one node. Values are
// sent as text, and the node casts them.
type Target struct {
	Source // how the table is read; its Columns are references to the columns in Names
	// Into is the table's name without ONLY. INSERT does not accept ONLY, and does not need
	// it, because it never writes to an inheritance child.
	Into string `json:"into"`
	// Names has the names of the columns, quoted. Types has the type to which the texts
	// of each column are cast. The type has no modifier, so a value that is too long is
	// an error and is never truncated.
	Names []string `json:"names"`
	Types []string `json:"types"`
	// Parse is how the node converts the texts of each column to values. It is empty in
	// plans of earlier versions; then all texts are cast (ParseCast).
	Parse []Parse `json:"parse,omitempty"`
	// Path is the search_path for user code that runs while rows are written: triggers,
	// defaults and constraints.
	Path string `json:"path"`
}

// Conversion describes a column, and how the node converts texts to values of its type.
type Conversion struct {
	Name  string `json:"name"` // the name of the column, quoted
	Type  string `json:"type"`
	Parse Parse  `json:"parse,omitempty"`
}

// Writing holds what the catalog of one node reports about writing to a table.
type Writing struct {
	Role          string
	ServerVersion int
	// Insert and Update describe on which columns the role has INSERT and UPDATE, leaving
	// out generated columns. Delete means that the role has DELETE on the table.
	Insert, Update Allowed
	Delete         bool
	Closed         []string      // schemas of the columns' types that the role may not use
	Functions      []string      // functions that the role may not execute although a repair calls them
	Unusable       []SequenceUse // sequences of column defaults that the role may not use
	ForeignKeys    []ForeignKey
	Sequences      []Sequence
	ReadOnly       string   // the setting that makes the node read-only for the role; empty if there is none
	ReplicaRole    bool     // the role may set session_replication_role
	Identity       []string // names of the columns that are GENERATED ALWAYS AS IDENTITY
	Unique         []string // columns of unique and exclusion indexes
	Extension      string   // the extension to which the table belongs; empty if there is none
	Triggers       []Trigger
	Rules          []string // rules that rewrite INSERT, UPDATE or DELETE
	References     []Reference
	Deferrable     []Deferrable
	// UpdateRefused and DeleteRefused are the errors with which the server refuses every
	// UPDATE or every DELETE in the table. An error is empty if the server accepts the
	// statement, or if this is not known.
	UpdateRefused, DeleteRefused string
	Required                     []string // columns that are NOT NULL and have no default
	Unmarked                     string   // why a repair's changes cannot have a replication origin; empty if they can or need none
}

// Allowed describes on which columns a role has a privilege.
type Allowed struct {
	Some   bool     // the role has the privilege on the table, or on at least one column
	Except []string // the columns on which the role lacks the privilege
}

// SequenceUse is a sequence from which the default of a column takes its value.
type SequenceUse struct {
	Column   string
	Sequence string // the name of the sequence, quoted
}

// CheckWritable returns an error if the schema belongs to the server. Only DDL may change
// the tables of such a schema, because writing their rows directly damages the database.
func CheckWritable(schema, name string) error {
	switch {
	case schema == "pg_catalog" || schema == "information_schema":
	case strings.HasPrefix(schema, "pg_"): // pg_toast, pg_temp_1: PostgreSQL reserves the prefix
	default:
		return nil
	}
	return fault.New(fault.Invalid, "table_name is %.200s, a table of the server's own schema %.100s: a repair or undo never writes to such tables, which can only be compared; use DDL on the node to change what they describe",
		Name(schema, name), Display(schema))
}

// Trigger is a trigger that a user created on the table or on one of its partitions.
type Trigger struct {
	Name   string
	Always bool // ENABLE ALWAYS: the trigger fires under every session_replication_role
	// Replica means ENABLE REPLICA: the trigger fires only if session_replication_role is
	// replica.
	Replica bool
}

// Reference is a foreign key of another table that refers to this table with the action
// CASCADE, SET NULL or SET DEFAULT. So a change of this table also changes rows of the
// other table. OnDelete and OnUpdate report whether the foreign key has such an action
// for DELETE and for UPDATE.
type Reference struct {
	Name, Table        string   // name of the foreign key, and the table to which it belongs
	Columns            []string // columns of this table to which the foreign key refers
	OnDelete, OnUpdate bool
}

// Deferrable is a primary key, unique constraint or exclusion constraint that was
// declared DEFERRABLE. PostgreSQL checks it by a trigger, which does not fire if
// session_replication_role is replica.
type Deferrable struct {
	Name string `json:"name"`
	// Unchecked means that a repair cannot check the constraint by a query of its own,
	// because the constraint is an exclusion constraint or belongs to a single partition.
	Unchecked bool     `json:"unchecked,omitempty"`
	Columns   []string `json:"columns,omitempty"` // the names of the columns, quoted
	Equal     []string `json:"equal,omitempty"`   // the equality operator of each column: OPERATOR(pg_catalog.=)
	// Base has the base type of each column whose type is a domain, and an empty string for
	// the others. It is missing in plans of earlier versions.
	Base     []string `json:"base,omitempty"`
	Distinct bool     `json:"distinct"` // the constraint treats NULLs as distinct from each other
}

// Subscription is a subscription by which a node receives changes of a table from another
// server.
type Subscription struct {
	Name    string
	Slot    string // replication slot on the publisher; empty if there is none
	Enabled bool
	// LocalOnly means origin = none: the subscription skips changes that have a
	// replication origin, such as those of a repair.
	LocalOnly bool
	Copied    bool // the subscription has completed its initial copy of the table
	// Running reports that the subscription has an apply worker. Errors counts the errors
	// that ended such workers; it is 0 on servers before PostgreSQL 15, because they do not
	// count errors.
	Running bool
	Errors  int64
	// DisableOnError means that an error disables the subscription.
	DisableOnError bool
	// SkipLSN is the position of the transaction that the subscription will skip, as an
	// administrator has set it (ALTER SUBSCRIPTION ... SKIP). It is empty if there is none.
	SkipLSN string
}

// Position is a position in the write-ahead log of a server, with a snapshot that was
// taken before the position was read.
type Position struct {
	LSN      string
	Snapshot string // the result of pg_current_snapshot
}

// Mark identifies a transaction by its server, timeline and transaction id.
type Mark struct {
	System   string `json:"system_identifier"`
	Timeline string `json:"timeline"`
	XID      string `json:"xid"` // the transaction id, as xid8 prints it
}

// ViolationError is the error for a row that the node refuses because the row violates a
// constraint, or because a value of the row is not valid for its column's type.
type ViolationError struct {
	Constraint string // constraint name; empty if no constraint is the reason
	Unique     bool   // the constraint is violated because another row has the same or a conflicting value
	// Column is the quoted name of the column whose type does not accept a value. Place is
	// the index of the row with that value, among the rows that were to be written or
	// converted. Column is empty if no such value is the reason.
	Column string
	Place  int
	Fault  *fault.Error
}

// Error returns the message of the fault.
func (v *ViolationError) Error() string { return v.Fault.Error() }

// Unwrap returns the fault.
func (v *ViolationError) Unwrap() error { return v.Fault }

// Of returns the fault with a message that also names the column and the constraint, if
// these are known, and the row. key is the key of the refused row.
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
