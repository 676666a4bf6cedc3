package tablediff

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/blockplan"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

// baselineFormat changes when an older baseline would be misread, or proves less than it seems to.
const baselineFormat = "ace-baseline/1"

const baselineType = "application/gzip"

// Baseline is what a comparison leaves for a later one: which blocks were equal when they were first digested, and in
// which snapshots. See docs/INCREMENTAL.md for what follows from it, and when.
type Baseline struct {
	Format   string              `json:"format"`
	TaskID   string              `json:"task_id"`
	Settings string              `json:"settings"` // hash of all that a comparison must share
	Facts    []map[string]string `json:"facts"`    // per node, see table.Facts
	Writes   []*int64            `json:"writes"`   // per node: as the statistics counted them when the comparison began
	Size     blockplan.Size      `json:"size"`
	Layout   blockplan.Layout    `json:"layout"`
	Blocks   []Trusted           `json:"blocks"` // in key order
	Pages    *ReadPages          `json:"pages,omitempty"`
}

// ReadPages is what a comparison in the pages strategy leaves in place of blocks: the sums of every stretch of pages, and how
// they were made.
type ReadPages struct {
	Seeds     rowdigest.Seeds `json:"seeds"`
	Buckets   int             `json:"buckets"`
	Grid      int64           `json:"grid"`
	Stretches [][]Stretch     `json:"stretches"` // per node
}

// Trusted is a block that was equal on all nodes.
type Trusted struct {
	Block    int     `json:"b"`
	Rows     int64   `json:"n"`
	Horizons []int64 `json:"h"` // per node: the xmin of the snapshot
}

// Known is the part of a plan that comes from a baseline: the blocks that need not be digested where nothing is younger.
type Known struct {
	TaskID string    `json:"task_id"`
	Blocks []Trusted `json:"blocks,omitempty"` // in key order
	// Whole: what these blocks are together, if they are all and nothing seems to have been written since.
	Whole *untouched `json:"whole,omitempty"`
	// Stretches: in the pages strategy, per node, what need not be digested for the same reason.
	Stretches [][]Stretch `json:"stretches,omitempty"`
}

// settings hashes what must be the same for a block of one plan to be one of another: what is compared, and how keys are
// ordered. The rows' digests are of each run by itself.
func (p *Plan) settings(blockRows int) (string, error) {
	type reading struct {
		Relation, Less, AtLeast                                string
		Key, KeyType, KeyEqual, Order, OrderType, Cs, Compared []string
		Leaves                                                 []string // where pages are told apart by them
	}
	readings := make([]reading, len(p.Sources))
	for i, s := range p.Sources {
		readings[i] = reading{s.Relation, s.Less, s.AtLeast, s.Key, s.KeyType, s.KeyEqual, s.Order, s.OrderType, s.Collate, s.Columns, nil}
		for _, leaf := range s.Leaves {
			if p.Strategy == Pages {
				readings[i].Leaves = append(readings[i].Leaves, leaf.Relation)
			}
		}
	}
	raw, err := json.Marshal([]any{
		p.ClusterName, p.DBName, p.Schema, p.Table, p.Nodes, p.Columns, p.Key, p.Filter, p.Selections, p.Ignored, p.Checksum, p.Strategy, blockRows, readings,
	})
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "the settings of a baseline cannot be written")
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// selection is what a filter means on one node: how the server shows it, and why its answer for a row may change though the
// row does not; "": it may not.
type selection struct {
	Shown string `json:"shown"`
	Doubt string `json:"doubt,omitempty"`
}

// readFilter asks every node what the filter means; nil if there is none.
func (p *Plan) readFilter(ctx context.Context, nodes []Node) ([]selection, error) {
	if p.Filter == "" {
		return nil, nil
	}
	columns := make([]string, len(p.Columns))
	for i, column := range p.Columns {
		columns[i] = column.Name
	}
	return fanout.Map(ctx, len(nodes), indexes(len(nodes)), func(ctx context.Context, i int) (s selection, err error) {
		s.Shown, s.Doubt, err = nodes[i].ProveFilter(ctx, p.Sources[i], columns)
		return s, err
	})
}

// dated says whether the blocks of a plan can be told by the ages of their rows.
func (p *Plan) dated() bool { return len(p.Facts) == len(p.Nodes) && p.undated() == "" }

// undated says why what the plan reads cannot be told by age, "" if it can.
func (p *Plan) undated() string {
	why := p.unproven()
	if why == "" && p.Strategy == Pages && p.Grid == 0 {
		why = "its pages cannot be read by themselves, or its keys not be hashed alike on all nodes"
	}
	return why
}

// unproven says why the ages of rows prove nothing, "" if they do.
func (p *Plan) unproven() string {
	for i, s := range p.Selections {
		if s.Doubt != "" {
			return "node " + p.Nodes[i] + ": table_filter may select other rows though none has changed: " + s.Doubt
		}
	}
	for i, facts := range p.Facts {
		if facts.Unproven != "" {
			return "node " + p.Nodes[i] + ": " + facts.Unproven
		}
	}
	return ""
}

// storeBaseline writes what the run has seen to be equal. It comes after the document: a baseline stands for a check that
// was done.
func (r *run) storeBaseline(ctx context.Context) error {
	p := r.plan
	if !r.settled {
		return nil
	}
	settings, err := p.settings(r.job.Request.BlockRows)
	if err != nil {
		return err
	}
	b := Baseline{
		Format: baselineFormat, TaskID: p.TaskID, Settings: settings, Layout: p.Layout,
		Size: blockplan.Size{BlockRows: p.BlockRows, LeafRows: p.LeafRows, LeavesPerBlock: p.Layout.LeavesPerBlock},
	}
	for _, facts := range p.Facts {
		b.Facts, b.Writes = append(b.Facts, facts.Values), append(b.Writes, facts.Writes)
	}
	for _, t := range r.compared {
		b.Blocks = append(b.Blocks, t.Trusted...)
	}
	if p.Grid > 0 {
		b.Layout = blockplan.Layout{}
		b.Pages = &ReadPages{Seeds: p.Seeds, Buckets: p.Buckets, Grid: p.Grid, Stretches: r.stretches}
	}
	// A unit names those it proved before those it compared.
	slices.SortFunc(b.Blocks, func(x, y Trusted) int { return cmp.Compare(x.Block, y.Block) })
	var body bytes.Buffer
	packed := gzip.NewWriter(&body)
	if err := json.NewEncoder(packed).Encode(b); err != nil {
		return fault.Wrap(err, fault.Internal, "the baseline cannot be written")
	}
	if err := packed.Close(); err != nil {
		return fault.Wrap(err, fault.Internal, "the baseline cannot be written")
	}
	_, err = r.Store.PutIfAbsent(ctx, r.baselineKey(p.TaskID), baselineType, body.Bytes())
	switch {
	case errors.Is(err, archive.ErrPrecondition): // an earlier run of this task
		return nil
	case err != nil && ctx.Err() == nil: // the comparison is complete all the same
		r.Log.WarnContext(ctx, "the comparison leaves no baseline", "task_id", p.TaskID, "error", err)
		return nil
	}
	return err
}

func (r *run) baselineKey(taskID string) string {
	return archive.BaselineKey(r.job.Request.ClusterName, r.job.Database, r.job.Request.Table.String(), taskID)
}

// loadBaseline reads one baseline; archive.ErrNotFound if there is none.
func (r *run) loadBaseline(ctx context.Context, taskID string) (*Baseline, error) {
	object, err := r.Store.Get(ctx, r.baselineKey(taskID))
	if err != nil {
		return nil, err
	}
	defer object.Body.Close()
	packed, err := io.ReadAll(object.Body)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the baseline of task %s cannot be read", taskID)
	}
	var b Baseline
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		err = json.NewDecoder(unpacked).Decode(&b)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, unpacked) // up to its checksum
	}
	if err != nil || b.Format != baselineFormat || b.TaskID != taskID {
		return &Baseline{TaskID: taskID}, nil // fits no plan
	}
	return &b, nil
}

// findBaseline gives the baseline that the request means; nil and why if there is none.
func (r *run) findBaseline(ctx context.Context, settings string) (*Baseline, string, error) {
	if id := r.job.Request.Baseline; id != api.BaselineLast {
		b, err := r.loadBaseline(ctx, id)
		if errors.Is(err, archive.ErrNotFound) {
			return nil, "task " + id + " has left none for this table", nil
		}
		return b, "", err
	}
	prefix := archive.BaselinesPrefix(r.job.Request.ClusterName, r.job.Database, r.job.Request.Table.String())
	var left []archive.Info
	err := r.Store.List(ctx, prefix, "", func(info archive.Info) bool {
		if archive.TaskIDOfBaseline(info.Key) != r.job.TaskID {
			left = append(left, info)
		}
		return true
	})
	if err != nil {
		return nil, "", err
	}
	// The last to be written is the last that ended. A store may tell that to the second only; of those that ended in one second
	// each proves as much.
	slices.SortStableFunc(left, func(a, b archive.Info) int { return a.LastModified.Compare(b.LastModified) })
	for _, info := range slices.Backward(left) {
		b, err := r.loadBaseline(ctx, archive.TaskIDOfBaseline(info.Key))
		if errors.Is(err, archive.ErrNotFound) { // it has just been removed
			continue
		}
		if err != nil || b.Settings == settings {
			return b, "", err
		}
	}
	return nil, "no earlier comparison with these settings has left one", nil
}

// useBaseline has a plan compare only what may have changed, where that can be told.
func (r *run) useBaseline(ctx context.Context, by *planner) error {
	if r.job.Request.Baseline == "" {
		return nil
	}
	p := by.plan
	why := p.undated()
	if why == "" {
		settings, err := p.settings(r.job.Request.BlockRows)
		if err != nil {
			return err
		}
		var b *Baseline
		if b, why, err = r.findBaseline(ctx, settings); err != nil {
			return err
		}
		if b != nil {
			why = b.unfit(p, settings)
			switch {
			case why != "":
			case p.Strategy == Pages:
				by.reusePages(b)
			default:
				why, err = r.reuse(ctx, by, b)
			}
		}
		if err != nil {
			return err
		}
	}
	if why != "" {
		p.Warnings = append(p.Warnings, "everything was compared, not only what changed since the baseline: "+why)
	}
	return nil
}

// unfit says why a baseline proves nothing for a plan, "" if it does.
func (b *Baseline) unfit(p *Plan, settings string) string {
	if b.Settings != settings || len(b.Facts) != len(p.Nodes) {
		return "task " + b.TaskID + " compared something else, or its baseline cannot be read"
	}
	for i, before := range b.Facts {
		if changed := changedFacts(before, p.Facts[i].Values); len(changed) > 0 {
			return "node " + p.Nodes[i] + " has changed: " + changed[0]
		}
	}
	if p.Strategy == Pages {
		if b.Pages == nil || len(b.Pages.Stretches) != len(p.Nodes) || b.Pages.Grid > maxRegrid*p.Grid || p.Grid > maxRegrid*b.Pages.Grid {
			return "the table's size asks for other stretches of pages"
		}
		return ""
	}
	if size := (blockplan.Size{BlockRows: p.BlockRows, LeafRows: p.LeafRows, LeavesPerBlock: p.Layout.LeavesPerBlock}); size != b.Size {
		return "the table's size asks for other blocks"
	}
	return ""
}

// maxRegrid bounds how much longer or shorter the stretches of a baseline may be than those of a plan of its own.
const maxRegrid = 4

// reusePages has a plan digest and divide the rows as the baseline did. Where tables have grown there are more stretches.
func (p *planner) reusePages(b *Baseline) {
	p.plan.Seeds, p.plan.Buckets, p.plan.Grid = b.Pages.Seeds, b.Pages.Buckets, b.Pages.Grid
	p.writeSources()
	p.divideScans()
	p.plan.Known = &Known{TaskID: b.TaskID, Stretches: b.Pages.Stretches}
}

// changedFacts names what is not the same, or on one side only.
func changedFacts(a, b map[string]string) []string {
	names := maps.Clone(a)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, b)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(name string) bool {
		return a[name] != "" && a[name] == b[name]
	})
}

// reuse gives a plan the boundaries of a baseline. The last block of a table that grows at its end is divided anew; of one
// that has grown elsewhere, everything.
func (r *run) reuse(ctx context.Context, by *planner, b *Baseline) (why string, err error) {
	p, layout, blocks := by.plan, b.Layout, b.Blocks
	per := layout.LeavesPerBlock
	last := layout.Blocks() - 1
	tail, err := r.after(ctx, p, layout.Bounds[:last*per])
	if err != nil {
		return "", err
	}
	if len(tail)+1 > 2*per {
		layout.Bounds = slices.Concat(layout.Bounds[:last*per], tail)
		blocks = slices.DeleteFunc(slices.Clone(blocks), func(t Trusted) bool { return t.Block >= last })
	}
	if p.RowEstimate > 2*int64(layout.Leaves())*p.LeafRows+p.BlockRows {
		return "the table has grown too much", nil
	}
	layout.BlocksPerBatch = blockplan.BlocksPerBatch(layout.Blocks(), r.job.Request.BatchSize, p.Workers)
	p.Layout, p.Known = layout, &Known{TaskID: b.TaskID, Blocks: blocks}
	if p.Known.Whole = by.wholly(b); p.Known.Whole != nil {
		by.divideScans()
	}
	return "", nil
}

// after gives the plan's own boundaries behind the last of these.
func (r *run) after(ctx context.Context, p *Plan, bounds []table.Key) ([]table.Key, error) {
	if len(bounds) == 0 || len(p.Layout.Bounds) == 0 {
		return p.Layout.Bounds, nil
	}
	nodes, err := openPlanned(ctx, r.Nodes, p)
	if err != nil {
		return nil, err
	}
	ranks, err := nodes[0].RankKeys(ctx, p.Sources[0], append([]table.Key{bounds[len(bounds)-1]}, p.Layout.Bounds...))
	if err != nil {
		return nil, err
	}
	for i, rank := range ranks[1:] {
		if rank > ranks[0] {
			return p.Layout.Bounds[i:], nil
		}
	}
	return nil, nil
}
