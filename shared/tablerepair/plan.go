package tablerepair

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/redact"
	"ace/shared/table"
)

// planFormat is the version of a stored plan. It changes when a runner could misread an
// older plan.
const planFormat = "ace-repair-plan/1"

// Plan holds everything that the repair of the targets depends on, except for the rows.
// It is stored once and never changed.
type Plan struct {
	Format      string    `json:"format"`
	TaskID      string    `json:"task_id"`
	PlannedAt   time.Time `json:"planned_at"`
	ClusterName string    `json:"cluster_name"`
	DBName      string    `json:"dbname"`
	Schema      string    `json:"schema"`
	Table       string    `json:"table"`

	Source   string   `json:"source_of_truth,omitempty"` // the name of a node; empty for an undo
	Document Document `json:"document"`                  // zero for an undo
	// Server is the server of the source. It is zero for an undo.
	Server table.Identity `json:"server,omitzero"`
	Undoes string         `json:"undoes,omitempty"` // the task whose repair is undone
	// Resolve is set for a repair by rule. Source is empty then.
	Resolve *Resolution `json:"resolve,omitempty"`

	DryRun       bool `json:"dry_run,omitempty"`
	UpsertOnly   bool `json:"upsert_only,omitempty"`
	InsertOnly   bool `json:"insert_only,omitempty"`
	FireTriggers bool `json:"fire_triggers,omitempty"`
	AllowCascade bool `json:"allow_cascade,omitempty"`
	Report       bool `json:"generate_report,omitempty"`
	Scripts      bool `json:"generate_sql,omitempty"`

	Key      []string `json:"key"`
	Targets  []Target `json:"targets"`
	Warnings []string `json:"warnings,omitempty"`
	// Redaction has the columns that are redacted in the report: the redacted columns of the
	// document or, in an undo, of the repair. The key of the hashes is stored only in the
	// plan.
	Redaction redact.Redaction `json:"redaction,omitzero"`

	hash string // SHA-256 of the stored bytes
}

// Document identifies the diff document whose rows are repaired. Key is its key in the
// archive.
type Document struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
}

// Target is one node to be repaired.
type Target struct {
	Node string `json:"node"`
	// Server is the server that was at the node's address when the plan was made. Every
	// transaction of the task fails on another server.
	Server table.Identity `json:"server,omitzero"`
	Keys   Keys           `json:"keys"` // keys to read; none for an undo
	// Before is set if the node precedes the source in the cluster. All repairs acquire
	// connections in the cluster's order, so that two repairs never wait for each other.
	Before bool `json:"before,omitempty"`
	// Read describes how the source's table is read, Write how the target's table is read
	// and written. Read has only the first Common elements of Columns.
	Read  table.Source `json:"read"`
	Write table.Target `json:"write"`
	// ReadDigest and WriteDigest are expressions for the digest of the source's row and of
	// the target's row. Equal rows have equal digests. Both are empty if the rows cannot
	// become equal in all columns, because the nodes or the document treat a column
	// differently. They are also empty in a dry run and in an undo.
	ReadDigest  string `json:"read_digest,omitempty"`
	WriteDigest string `json:"write_digest,omitempty"`
	// Columns are in the order of Write.Names. The source has the first Common of them too;
	// only the target has the others.
	Columns []Column `json:"columns"`
	Common  int      `json:"common"`
	// Encodings is a text for error messages that names the server encodings of source and
	// target. It is empty if they are equal.
	Encodings string `json:"encodings,omitempty"`
	// ServerEncoding is the encoding of the target's database. It is empty in plans of
	// earlier versions.
	ServerEncoding string `json:"server_encoding,omitempty"`
	// ByText is set if a key column is ordered by its text, because source and target may
	// order its values differently. Then a node may treat keys with different texts as
	// equal, so two keys may identify one row.
	ByText bool `json:"by_text,omitempty"`
	// SmallSource and SmallTarget are set if the node's table is small enough to be scanned
	// for keys that its index does not find.
	SmallSource bool `json:"small_source,omitempty"`
	SmallTarget bool `json:"small_target,omitempty"`

	Deferrable []table.Deferrable `json:"deferrable,omitempty"`
	// ForeignKeys are the foreign keys that the repair does not enforce. Sequences are the
	// sequences from which columns take their values.
	ForeignKeys []table.ForeignKey `json:"foreign_keys,omitempty"`
	Sequences   []table.Sequence   `json:"sequences,omitempty"`
	// Deletes and Updates are the foreign keys of other tables through which a deletion or
	// an update in this table would also change rows of those tables (ON DELETE CASCADE, ON
	// UPDATE SET NULL). They are empty unless fire_triggers is set.
	Deletes []string `json:"deletes,omitempty"`
	Updates []Reach  `json:"updates,omitempty"`
	// Fires is set if a trigger fires during the repair. The trigger may make changes that
	// the repair has not decided.
	Fires bool `json:"fires,omitempty"`
	// Attempt is the number of the attempt that an undo undoes.
	Attempt int           `json:"attempt,omitempty"`
	Denied  *table.Denied `json:"denied,omitempty"`  // the privileges that the role lacks
	Problem *Problem      `json:"problem,omitempty"` // why this node cannot be repaired
	// UpdateRefused and DeleteRefused are the errors with which the node refuses every
	// update or every deletion of a row of this table. An empty string means that the node
	// permits them.
	UpdateRefused string `json:"update_refused,omitempty"`
	DeleteRefused string `json:"delete_refused,omitempty"`
	// Required are columns that the source lacks and without which no row can be inserted.
	Required []string `json:"required,omitempty"`
	// Unmarked is the reason why the changes cannot have a replication origin, if it is
	// known from the catalog.
	Unmarked string `json:"unmarked,omitempty"`
}

// Keys describes the parts in which the document's keys for one pair of nodes are stored.
// Name is random, so that a plan never uses the parts of another run. A run may store
// its parts and then fail before it stores its plan. In those parts, the keys may be in
// another order.
type Keys struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Parts int    `json:"parts"`
}

// Reach is a foreign key of another table. Columns are the indexes of the columns of this
// table to which it refers. An update of one of them also changes the other table's rows
// that refer to the updated row.
type Reach struct {
	Name    string `json:"name"`
	Columns []int  `json:"columns"`
}

// Column is a column of the target.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`               // the declared type
	Key      bool   `json:"key,omitempty"`      // part of the key
	Ignored  bool   `json:"ignored,omitempty"`  // ignored by the comparison, so never updated
	Written  bool   `json:"written,omitempty"`  // can be written, since it is not generated
	Identity bool   `json:"identity,omitempty"` // GENERATED ALWAYS AS IDENTITY: no UPDATE can set it
	Unique   bool   `json:"unique,omitempty"`   // part of some unique index
	// Convert is the type to which the target converts the source's text. An empty string
	// means that the text is used as it is.
	Convert string `json:"convert,omitempty"`
	// Checked is set if the conversion runs the CHECK constraints of a domain. They may need
	// the role's search_path, so the conversion runs with Write.Path.
	Checked bool `json:"checked,omitempty"`
	// Parse is how a statement converts the text to the type Convert.
	Parse table.Parse `json:"parse,omitempty"`
	// Back is the source's declared type, if its type modifier differs from the target's (as
	// in numeric(9,4) and numeric(9,2)); otherwise it is empty. A value fits into the
	// target's column if a conversion to Convert and then to Back does not change it.
	Back string `json:"back,omitempty"`
	// Padded is set if a comparison ignores the zeros or blanks that the type modifier adds,
	// so that a converted value is equal to the source's value.
	Padded bool `json:"padded,omitempty"`
	// NotNull is set if the column is NOT NULL and can be written.
	NotNull bool `json:"not_null,omitempty"`
	// Redacted is set if reports contain keyed hashes instead of the column's values.
	Redacted bool `json:"redacted,omitempty"`
}

// Problem is an error as a plan or a result stores it.
type Problem struct {
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
}

func problemOf(err error) *Problem {
	return &Problem{Code: fault.CodeOf(err), Message: fault.PublicMessage(err)}
}

func (p *Problem) err() error { return fault.New(p.Code, "%s", p.Message) }

// written returns the indexes of the columns that can be written, among the first limit
// columns.
func (t *Target) written(limit int) []int {
	var at []int
	for i, c := range t.Columns[:limit] {
		if c.Written {
			at = append(at, i)
		}
	}
	return at
}

// Hash returns the hexadecimal SHA-256 of the stored plan, which identifies the plan.
func (p *Plan) Hash() string { return p.hash }

// storePlan stores a plan. If the task has a plan already, that plan is returned.
func storePlan(ctx context.Context, store archive.Store, p *Plan) (*Plan, error) {
	err := archive.PutJSONIfAbsent(ctx, store, archive.PlanKey(p.TaskID), p)
	if err != nil && !errors.Is(err, archive.ErrPrecondition) {
		return nil, err
	}
	return loadPlan(ctx, store, p.TaskID)
}

// loadPlan reads the plan of a task. The error is archive.ErrNotFound if there is none
// yet.
func loadPlan(ctx context.Context, store archive.Store, taskID string) (*Plan, error) {
	var p Plan
	body, _, err := archive.ReadJSON(ctx, store, archive.PlanKey(taskID), &p)
	if err != nil {
		return nil, err
	}
	if p.Format != planFormat || p.TaskID != taskID {
		return nil, fault.New(fault.Internal, "the plan of task %s has format %q: this version reads %q", taskID, p.Format, planFormat)
	}
	sum := sha256.Sum256(body)
	p.hash = hex.EncodeToString(sum[:])
	return &p, nil
}
