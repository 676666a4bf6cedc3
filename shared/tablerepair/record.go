package tablerepair

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/redact"
	"ace/shared/table"
)

// recorder stores changes in parts. In a repair each part has the changes for one part of
// keys; if there are none, no part is stored. In an undo one part has all changes. A nil
// recorder stores nothing.
type recorder struct {
	store  archive.Store
	header part.Header // header of each part, without Unit
	// name returns the key of the n-th part, and the Unit for its header
	name   func(n int) (key, unit string)
	out    *part.Writer
	stored Stored
	n      int
	line   []byte // buffer for the change that is being written
	totals *Totals
	// hasher redacts the changes of a dry run, which are only reported. It is nil in a
	// repair that writes, and if no column is redacted.
	hasher *redact.Hasher
}

// add stores a change.
func (r *recorder) add(ctx context.Context, c change) (err error) {
	if r == nil {
		return nil
	}
	if r.out == nil {
		r.stored.Header = r.header
		r.stored.Key, r.stored.Header.Unit = r.name(r.n)
		if r.out, err = part.CreatePacked(ctx, r.store, r.stored.Key, r.stored.Header); err != nil {
			return err
		}
		r.n++
	}
	r.line = c.redact(r.hasher).appendPacked(r.line[:0])
	return r.out.Line(r.line)
}

// endPart ends the current part. It fails if the object already exists, because then
// another attempt wrote it.
func (r *recorder) endPart(ctx context.Context) error {
	if r == nil || r.out == nil {
		return nil
	}
	out := r.out
	r.out = nil
	r.stored.Rows = out.Rows()
	if err := out.Commit(ctx, struct{}{}); err != nil {
		return err
	}
	r.stored.SHA256 = out.SHA256()
	r.totals.Parts = append(r.totals.Parts, r.stored)
	return nil
}

// abort discards the current part.
func (r *recorder) abort() {
	if r != nil && r.out != nil {
		r.out.Abort()
	}
}

// manifestFormat is the version of a stored manifest. It changes when an older version of
// the program could misread a manifest.
const manifestFormat = "ace-repair/1"

// Manifest records what an attempt will change and in which transaction. With the
// manifest and the parts that it names, any process can determine whether the attempt was
// committed, and can undo it. The manifest is stored before anything is written to the
// node.
type Manifest struct {
	Format      string    `json:"format"`
	TaskID      string    `json:"task_id"`
	PlanHash    string    `json:"plan_hash"`
	Node        string    `json:"node"`
	Attempt     int       `json:"attempt"`
	WrittenAt   time.Time `json:"written_at"`
	ClusterName string    `json:"cluster_name"`
	DBName      string    `json:"dbname"`
	Schema      string    `json:"schema"`
	Table       string    `json:"table"`
	Key         []string  `json:"key"`
	Columns     []Column  `json:"columns"`
	Common      int       `json:"common"`
	Fires       bool      `json:"fires,omitempty"`
	table.Mark
	// Server is the server on which the transaction ran.
	Server table.Identity `json:"server,omitzero"`
	Totals Totals         `json:"totals"`
}

// Outcomes of an attempt.
const (
	Committed  = "committed"
	RolledBack = "rolled_back"
	Unknown    = "unknown"
)

// outcome describes how an attempt ended. It is stored as soon as the outcome is certain.
type outcome struct {
	Outcome string  `json:"outcome"`
	Totals  Totals  `json:"totals"`
	Altered *Stored `json:"altered,omitempty"` // the part of altered rows (see altered); nil if there is none
}

const (
	manifestName = "manifest.json"
	outcomeName  = "outcome.json"
	alteredName  = "altered"
)

// undoName returns the name of the n-th part of before-images of an attempt.
func undoName(n int) string { return fmt.Sprintf("undo-%06d", n) }

// unitName returns the name of the unit in the header of an attempt's part.
func unitName(node string, attempt int, name string) string {
	return fmt.Sprintf("%s-%s-%d-%s", phaseRepair, node, attempt, name)
}

// eachManifest calls fn for each attempt that has a manifest. It finds them by listing
// the objects of the archive whose keys begin with prefix.
func eachManifest(ctx context.Context, store archive.Store, prefix string, fn func(node string, attempt int)) error {
	var odd error
	err := store.List(ctx, prefix, "", func(info archive.Info) bool {
		if !strings.HasSuffix(info.Key, "/"+manifestName) {
			return true
		}
		node, attempt, _, ok := archive.ParseRepairKey(info.Key)
		if !ok {
			odd = fault.New(fault.Internal, "the key %s belongs to no attempt", info.Key)
			return false
		}
		fn(node, attempt)
		return true
	})
	return cmp.Or(err, odd)
}

// loadManifest reads an attempt's manifest. The error is archive.ErrNotFound if the
// attempt has no manifest.
func loadManifest(ctx context.Context, store archive.Store, taskID, node string, attempt int) (*Manifest, error) {
	var m Manifest
	_, _, err := archive.ReadJSON(ctx, store, archive.RepairKey(taskID, node, attempt, manifestName), &m)
	return &m, err
}

// loadOutcome reads how an attempt ended. The error is archive.ErrNotFound if no outcome
// is stored.
func loadOutcome(ctx context.Context, store archive.Store, taskID, node string, attempt int) (outcome, error) {
	var o outcome
	_, _, err := archive.ReadJSON(ctx, store, archive.RepairKey(taskID, node, attempt, outcomeName), &o)
	return o, err
}
