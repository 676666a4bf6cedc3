// Package rules reads rules documents and decides rows by them. A rules document is a
// list of rules for a repair. Each rule selects rows and states which version wins.
// docs/RULES.md describes the format.
//
// Parse checks a text completely without a server. Check compares a document with the
// nodes and columns of one repair. NewDecider returns the resolve.Decider of a document.
// What only a server can decide, because it depends on the types of the columns, is
// part of the interface Server. The package itself reads no database.
package rules

import (
	"time"

	"ace/shared/api"
	"ace/shared/table"
)

const (
	// MaxSize is the maximum size of a document in bytes.
	MaxSize = api.MaxRules

	maxRules = 1000
	maxKeys  = 10_000
	maxWhere = 8192 // as for a table_filter
)

// Document is a rules document.
type Document struct {
	Rules     []Rule
	Otherwise Rule // decides the rows that no rule matches; its number is 0, and it has no selectors
}

// Rule is one rule.
type Rule struct {
	Number int // from 1
	Line   int // the line of the document on which the rule begins
	Name   string
	When   Selectors
	Take   Action
}

// Kind is a kind of difference.
type Kind string

// The kinds of difference.
const (
	Different Kind = "different" // every node has the row, and at least two versions differ
	Missing   Kind = "missing"   // at least one node lacks the row
)

// Selectors select rows. A row must match all of them. An empty field selects every row.
type Selectors struct {
	Nodes   []string // Kind and Columns look at these nodes only
	Kind    Kind
	On      []string // every one of these nodes lacks the row
	Columns []string // at least one of these columns differs
	Keys    []table.Key
	Written *Written
	Where   string
}

// Written selects rows by the last write of a version. A version must match all fields.
type Written struct {
	Before, After time.Time // the zero time means no limit
	Origin        *string   // "" means a transaction of the node itself; nil means any origin
	On            []string  // the nodes whose versions count; nil means all
}

// ActionKind is a kind of action.
type ActionKind string

// The kinds of action. A document contains the names of all but the last two.
const (
	Newest    ActionKind = "newest"
	Majority  ActionKind = "majority"
	Union     ActionKind = "union"
	FillNulls ActionKind = "fill_nulls"
	Delete    ActionKind = "delete"
	Skip      ActionKind = "skip"
	Undecided ActionKind = "undecided"
	OfNode    ActionKind = "node"    // {node: n1}
	ByColumn  ActionKind = "columns" // {columns: {...}, default: ...}
)

// Action states which version of a row wins.
type Action struct {
	Kind    ActionKind
	Node    string   // the node of OfNode
	Columns []Column // the listed columns of ByColumn, in the order of the document
	Default *Choice  // the choice for the other columns of ByColumn; nil if there is none
}

// Column is a column with its choice.
type Column struct {
	Name   string
	Choice Choice
}

// ChoiceKind is a way to choose the value of a column.
type ChoiceKind string

// The ways to choose the value of a column. A document contains the names of all but the
// last one.
const (
	NewestValue ChoiceKind = "newest"
	NonNull     ChoiceKind = "non_null"
	Min         ChoiceKind = "min"
	Max         ChoiceKind = "max"
	ValueOfNode ChoiceKind = "node" // {node: n1}
)

// Choice is how the value of a column is chosen.
type Choice struct {
	Kind ChoiceKind
	Node string // the node of ValueOfNode
}
