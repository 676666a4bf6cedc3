package tablerepair

import (
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

// beforeFormat names the layout of a document of before-images.
const beforeFormat = "ace-before-images/1"

// BeforeImages gives the rows as they were before a repair, as one document for each repair. It may be used concurrently.
type BeforeImages struct{ store archive.Store }

// NewBeforeImages makes a BeforeImages.
func NewBeforeImages(store archive.Store) *BeforeImages { return &BeforeImages{store: store} }

// Ensure gives the document of a repair or undo that has ended: the one that is there, or one that is made now out of what
// was stored before the first row was changed. NotFound if no row was. Each part is proven by its seal on the way.
func (b *BeforeImages) Ensure(ctx context.Context, rec task.Record) (task.Document, error) {
	record := archive.BeforeImagesRecordKey(rec.TaskID, rec.SubmittedAt)
	var known task.Document
	if _, _, err := archive.ReadJSON(ctx, b.store, record, &known); !errors.Is(err, archive.ErrNotFound) {
		return known, err
	}
	made, err := b.make(ctx, rec)
	if err != nil {
		return task.Document{}, err
	}
	if err := archive.PutJSONIfAbsent(ctx, b.store, record, made); !errors.Is(err, archive.ErrPrecondition) {
		return *made, err
	}
	_, _, err = archive.ReadJSON(ctx, b.store, record, &known) // somebody else was first
	return known, err
}

func (b *BeforeImages) make(ctx context.Context, rec task.Record) (*task.Document, error) {
	images, err := b.images(ctx, rec.TaskID)
	if err != nil {
		return nil, err
	}
	if len(images) == 0 {
		return nil, fault.New(fault.NotFound, "task %s has changed no row: there are no before-images", rec.TaskID)
	}
	key := archive.BeforeImagesKey(rec.TaskID, rec.SubmittedAt)
	made, err := writeDocument(ctx, b.store, key, func(out text) error {
		return (&beforeDocument{store: b.store, text: out}).write(ctx, images)
	})
	if errors.Is(err, archive.ErrPrecondition) { // somebody else was first, or had no time to say what it is
		return archived(ctx, b.store, key)
	}
	return made, err
}

// image is an attempt that was committed, or of which nobody knows.
type image struct {
	*Manifest
	outcome outcome
}

// images finds the attempts of a repair that changed rows, or may have.
func (b *BeforeImages) images(ctx context.Context, taskID string) ([]image, error) {
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
		i, err := b.image(ctx, taskID, a.node, a.attempt)
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

// image reads an attempt.
func (b *BeforeImages) image(ctx context.Context, taskID, node string, attempt int) (image, error) {
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

// beforeDocument is a document of before-images being written.
type beforeDocument struct {
	store archive.Store
	text
}

// beforeHead is what it says before the nodes, beforeNode what it says of a node before its rows.
type (
	beforeHead struct {
		Format      string   `json:"format"`
		TaskID      string   `json:"task_id"`
		ClusterName string   `json:"cluster_name"`
		DBName      string   `json:"dbname"`
		Schema      string   `json:"schema"`
		Table       string   `json:"table"`
		PrimaryKey  []string `json:"primary_key"`
	}
	beforeNode struct {
		Node      string            `json:"node"`
		Outcome   string            `json:"outcome"`
		WrittenAt time.Time         `json:"written_at"`
		Columns   []difffile.Column `json:"columns"`
	}
)

func (d *beforeDocument) write(ctx context.Context, images []image) error {
	m := images[0].Manifest
	err := d.begin(beforeHead{
		Format: beforeFormat, TaskID: m.TaskID, ClusterName: m.ClusterName, DBName: m.DBName, Schema: m.Schema, Table: m.Table, PrimaryKey: m.Key,
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
	if err := d.begin(beforeNode{Node: i.Node, Outcome: i.outcome.Outcome, WrittenAt: i.WrittenAt, Columns: encoder.columns}); err != nil {
		return err
	}
	left, err := openLeft(ctx, d.store, i.outcome.Altered)
	if err != nil {
		return err
	}
	defer left.close()
	d.print(`,"rows":[`)
	separator := "\n"
	err = eachChange(ctx, d.store, i.Totals.Parts, all, func(c placed) error {
		row, err := left.row(c)
		if err != nil || left.undone(c) || row == nil && c.Op == opInsert {
			return err
		}
		d.print(separator)
		separator = ",\n"
		return d.row(encoder, c)
	})
	d.print("]}")
	return err
}

// row writes what was done to a row, and the row before that; null for one that was inserted.
func (d *beforeDocument) row(encoder *rowEncoder, c placed) error {
	key, err := json.Marshal(c.Key)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the document cannot be written")
	}
	before, err := encoder.encode(c.Before)
	d.print(`{"op":"`, c.Op, `","key":`, string(key), `,"before":`, before, "}")
	return err
}
