package tablerepair

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/table"
)

// planFormat changes when a runner could misread an older plan.
const planFormat = "ace-repair-plan/1"

// Plan is everything that the repair of a target depends on, but for the rows. It is stored once and never changed.
type Plan struct {
	Format      string    `json:"format"`
	TaskID      string    `json:"task_id"`
	PlannedAt   time.Time `json:"planned_at"`
	ClusterName string    `json:"cluster_name"`
	DBName      string    `json:"dbname"`
	Schema      string    `json:"schema"`
	Table       string    `json:"table"`

	Source   string   `json:"source_of_truth,omitempty"` // a node; empty for an undo
	Document Document `json:"document"`                  // zero for an undo
	// Server is the source's; zero for an undo.
	Server table.Identity `json:"server,omitzero"`
	Undoes string         `json:"undoes,omitempty"` // the task whose repair is taken back

	DryRun       bool `json:"dry_run,omitempty"`
	UpsertOnly   bool `json:"upsert_only,omitempty"`
	InsertOnly   bool `json:"insert_only,omitempty"`
	FireTriggers bool `json:"fire_triggers,omitempty"`
	AllowCascade bool `json:"allow_cascade,omitempty"`
	Report       bool `json:"generate_report,omitempty"`

	Key      []string `json:"key"`
	Targets  []Target `json:"targets"`
	Warnings []string `json:"warnings,omitempty"`

	hash string // SHA-256 of the stored bytes
}

// Document is the diff document that the keys are from.
type Document struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
}

// Target is one node to be repaired.
type Target struct {
	Node string `json:"node"`
	// Server is what was found behind the node's address. Every transaction of the task checks it.
	Server table.Identity `json:"server,omitzero"`
	Keys   Keys           `json:"keys"` // those to look at; none for an undo
	// Before: the node stands before the source in the cluster. Connections are taken in one order by everybody, so that
	// two repairs never wait for each other.
	Before bool         `json:"before,omitempty"`
	Read   table.Source `json:"read"` // the source's table, with the first Common columns of the target's
	Write  table.Target `json:"write"`
	// Columns follow Write.Names. The first Common of them are the source's too; what follows is an ignored column that
	// only the target has.
	Columns []Column `json:"columns"`
	Common  int      `json:"common"`
	// Encodings says which server encodings source and target have, for errors, where they differ.
	Encodings string `json:"encodings,omitempty"`
	ByText    bool   `json:"by_text,omitempty"` // the nodes may hold different keys to be equal
	// SmallSource and SmallTarget: the table of that node can be searched without its index for keys
	// that the index does not lead to.
	SmallSource bool `json:"small_source,omitempty"`
	SmallTarget bool `json:"small_target,omitempty"`

	Deferrable []table.Deferrable `json:"deferrable,omitempty"`
	// Deletes and Updates are foreign keys of other tables that would change rows there: with fire_triggers.
	Deletes []string `json:"deletes,omitempty"`
	Updates []Reach  `json:"updates,omitempty"`
	Fires   bool     `json:"fires,omitempty"` // some trigger fires, which may change more than was decided
	// Attempt is the one that an undo takes back.
	Attempt int      `json:"attempt,omitempty"`
	Problem *Problem `json:"problem,omitempty"` // why this node cannot be repaired
}

// Keys are those that the document names for one pair of nodes, as parts. The parts of a plan are its own: the same keys,
// read at another time, may stand in another order.
type Keys struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Parts int    `json:"parts"`
}

// Reach is a foreign key that changes other rows when these columns (by their places) are updated.
type Reach struct {
	Name    string `json:"name"`
	Columns []int  `json:"columns"`
}

// Column is a column of the target.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`               // as declared
	Key      bool   `json:"key,omitempty"`      // part of the key
	Ignored  bool   `json:"ignored,omitempty"`  // never updated
	Written  bool   `json:"written,omitempty"`  // not generated
	Identity bool   `json:"identity,omitempty"` // GENERATED ALWAYS: no UPDATE can set it
	Unique   bool   `json:"unique,omitempty"`   // some unique index looks at it
	Convert  string `json:"convert,omitempty"`  // the source has another type: to what its text is converted
	// Parse says how the text is converted.
	Parse table.Parse `json:"parse,omitempty"`
	// Back is the source's declared type, where that has another modifier: a value fits if it is the
	// same when it is converted back.
	Back string `json:"back,omitempty"`
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

// written gives the places of the columns before limit that can be written.
func (t *Target) written(limit int) []int {
	var at []int
	for i, c := range t.Columns[:limit] {
		if c.Written {
			at = append(at, i)
		}
	}
	return at
}

// Hash names the plan.
func (p *Plan) Hash() string { return p.hash }

// storePlan publishes a plan. If a plan is there already, that one counts.
func storePlan(ctx context.Context, store archive.Store, p *Plan) (*Plan, error) {
	err := archive.PutJSONIfAbsent(ctx, store, archive.PlanKey(p.TaskID), p)
	if err != nil && !errors.Is(err, archive.ErrPrecondition) {
		return nil, err
	}
	return loadPlan(ctx, store, p.TaskID)
}

// loadPlan reads the plan of a task; archive.ErrNotFound if there is none yet.
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
