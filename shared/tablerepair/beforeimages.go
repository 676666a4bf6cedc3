package tablerepair

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/task"
)

// BeforeFormat is the name and version of the format of documents with before-images.
const BeforeFormat = "ace-before-images/1"

// BeforeImages provides the before-images of each repair as one document. It is safe for
// concurrent use.
type BeforeImages struct{ store archive.Store }

// NewBeforeImages returns a BeforeImages on store.
func NewBeforeImages(store archive.Store) *BeforeImages { return &BeforeImages{store: store} }

// Ensure returns the key, size and SHA-256 of the document with the before-images of a
// repair or undo that has ended. If the document does not exist yet, Ensure creates it
// from the parts that the attempts stored. It verifies each part by the part's footer.
// The error is NotFound if no row was changed.
func (b *BeforeImages) Ensure(ctx context.Context, rec task.Record) (task.Document, error) {
	if known, err := b.known(ctx, rec); !errors.Is(err, archive.ErrNotFound) {
		return known, err
	}
	made, err := b.create(ctx, rec)
	if err != nil {
		return task.Document{}, err
	}
	err = archive.PutJSONIfAbsent(ctx, b.store, archive.BeforeImagesRecordKey(rec.TaskID, rec.SubmittedAt), made)
	if !errors.Is(err, archive.ErrPrecondition) {
		return *made, err
	}
	return b.known(ctx, rec) // another process created the document first
}

// known returns what is recorded about the document. If it does not exist yet, the error
// is archive.ErrNotFound.
func (b *BeforeImages) known(ctx context.Context, rec task.Record) (task.Document, error) {
	record := archive.BeforeImagesRecordKey(rec.TaskID, rec.SubmittedAt)
	var known task.Document
	_, _, err := archive.ReadJSON(ctx, b.store, record, &known)
	if err == nil && known.Key != archive.BeforeImagesKey(rec.TaskID, rec.SubmittedAt) {
		err = fault.New(fault.Internal, "object %s in the archive is damaged: it names the document %q", record, known.Key)
	}
	if err != nil {
		return task.Document{}, err
	}
	return known, nil
}

func (b *BeforeImages) create(ctx context.Context, rec task.Record) (*task.Document, error) {
	images, err := b.findImages(ctx, rec.TaskID)
	if err != nil {
		return nil, err
	}
	if len(images) == 0 {
		return nil, fault.New(fault.NotFound, "task %s has not changed any row: there are no before-images", rec.TaskID)
	}
	key := archive.BeforeImagesKey(rec.TaskID, rec.SubmittedAt)
	made, err := writeObject(ctx, b.store, key, "application/json", func(out *bufio.Writer) error {
		return (&beforeDocument{store: b.store, jsonWriter: jsonWriter{out}}).write(ctx, images)
	})
	// The document exists already: another process is creating it too, or has stopped before
	// it stored the document's record.
	if errors.Is(err, archive.ErrPrecondition) {
		return describeObject(ctx, b.store, key)
	}
	return made, err
}

// image is the manifest and the outcome of an attempt.
type image struct {
	*Manifest
	outcome outcome
}

// findImages returns the attempts of a repair that have changed rows, or that may have
// changed rows because their outcome is unknown, in the order of node and attempt number.
func (b *BeforeImages) findImages(ctx context.Context, taskID string) ([]image, error) {
	type numbered struct {
		node    string
		attempt int
	}
	var attempts []numbered
	err := eachManifest(ctx, b.store, archive.RepairsOfTaskPrefix(taskID), func(node string, attempt int) {
		attempts = append(attempts, numbered{node, attempt})
	})
	if err != nil {
		return nil, err
	}

	var images []image
	for _, a := range attempts {
		i, err := b.readImage(ctx, taskID, a.node, a.attempt)
		if err != nil {
			return nil, err
		}
		if i.outcome.Outcome != RolledBack && len(i.Totals.Parts) > 0 {
			images = append(images, i)
		}
	}

	slices.SortStableFunc(images, func(a, b image) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), cmp.Compare(a.Attempt, b.Attempt))
	})
	return images, nil
}

// readImage reads the manifest and the outcome of one attempt.
func (b *BeforeImages) readImage(ctx context.Context, taskID, node string, attempt int) (image, error) {
	m, err := loadManifest(ctx, b.store, taskID, node, attempt)
	if err != nil {
		return image{}, err
	}
	o, err := loadOutcome(ctx, b.store, taskID, node, attempt)
	if errors.Is(err, archive.ErrNotFound) {
		o, err = outcome{Outcome: Unknown}, nil
	}
	return image{Manifest: m, outcome: o}, err
}

// beforeDocument writes a document of before-images.
type beforeDocument struct {
	store archive.Store
	jsonWriter
}

type (
	// BeforeHead holds the JSON members that precede the nodes in the document.
	BeforeHead struct {
		Format      string   `json:"format"`
		TaskID      string   `json:"task_id"`
		ClusterName string   `json:"cluster_name"`
		DBName      string   `json:"dbname"`
		Schema      string   `json:"schema"`
		Table       string   `json:"table"`
		PrimaryKey  []string `json:"primary_key"`
		// ContainsRedacted are the columns that are redacted in documents and reports. Here
		// they have their values, because an undo writes them.
		ContainsRedacted []string `json:"contains_redacted,omitempty"`
	}
	// BeforeNode holds the members of a node that precede its rows.
	BeforeNode struct {
		Node      string            `json:"node"`
		Outcome   string            `json:"outcome"`
		WrittenAt time.Time         `json:"written_at"`
		Columns   []difffile.Column `json:"columns"`
	}
)

func (d *beforeDocument) write(ctx context.Context, images []image) error {
	m := images[0].Manifest
	err := d.begin(BeforeHead{
		Format: BeforeFormat, TaskID: m.TaskID, ClusterName: m.ClusterName, DBName: m.DBName, Schema: m.Schema, Table: m.Table, PrimaryKey: m.Key,
		ContainsRedacted: m.redacted(),
	})
	if err != nil {
		return err
	}
	d.print(`,"nodes":[`)
	for i, image := range images {
		if i > 0 {
			d.print(",")
		}
		if err := d.node(ctx, image); err != nil {
			return err
		}
	}
	d.print("]}\n")
	return nil
}

func (d *beforeDocument) node(ctx context.Context, i image) error {
	encoder := newRowEncoder(i.Columns)
	d.print("\n")
	if err := d.begin(BeforeNode{Node: i.Node, Outcome: i.outcome.Outcome, WrittenAt: i.WrittenAt, Columns: encoder.columns}); err != nil {
		return err
	}

	left, err := openFinalRows(ctx, d.store, i.outcome.Altered)
	if err != nil {
		return err
	}
	defer left.close()

	d.print(`,"rows":[`)
	separator := "\n"
	err = eachChange(ctx, d.store, i.Totals.Parts, whole(all), func(c numberedChange) error {
		row, err := left.row(c)
		if err != nil || left.isUndone(c) || row == nil && c.Op == opInsert {
			return err
		}
		d.print(separator)
		separator = ",\n"
		return d.row(encoder, c)
	})
	d.print("]}")
	return err
}

// row writes the operation and the before-image of a row. The before-image of an inserted
// row is null.
func (d *beforeDocument) row(encoder *rowEncoder, c numberedChange) error {
	key, err := json.Marshal(c.Key)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the document cannot be written")
	}
	before, err := encoder.encode(c.Before)
	d.print(`{"op":"`, c.Op, `","key":`, string(key), `,"before":`, before, "}")
	return err
}
