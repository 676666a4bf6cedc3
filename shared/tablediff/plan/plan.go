package plan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"ace/shared/archive"
	"ace/shared/blockplan"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/redact"
	"ace/shared/rowdigest"
	"ace/shared/table"
	"ace/shared/task"
)

// Format is the version of the stored form. It must be changed when a new version of ACE
// could misread a plan of an older version.
const Format = "ace-plan/1"

// Strategies of the first pass.
const (
	// KeyRanges reads chunks through the key's index.
	KeyRanges = "key ranges"
	// Pages reads the pages of each node's table in physical order.
	Pages = "pages"
	// Sequential reads each node's table once, by one sequential scan per partition, which
	// computes the sum of every chunk.
	Sequential = "sequential scan"
)

// ReadsPages reports whether the first pass reads all pages of every node, so that
// compare units read only what differs.
func (p *Plan) ReadsPages() bool { return p.Strategy == Pages || p.Strategy == Sequential }

// Plan is everything that a unit of work depends on. It is stored once, before the first
// unit is invoked, and never changed, so a resumed run works on the same ranges even if
// the table has changed.
type Plan struct {
	Format      string    `json:"format"`
	TaskID      string    `json:"task_id"`
	PlannedAt   time.Time `json:"planned_at"`
	ClusterName string    `json:"cluster_name"`
	DBName      string    `json:"dbname"`
	Schema      string    `json:"schema"`
	Table       string    `json:"table"`

	Nodes          []string `json:"nodes"` // in cluster order; every list with one entry per node has this order
	ServerVersions []string `json:"server_versions"`
	// Servers is, per node, the server that was found at its address. Every transaction of
	// the task verifies that it is on this server.
	Servers  []table.Identity  `json:"servers,omitempty"`
	Columns  []difffile.Column `json:"columns"` // the compared columns
	Key      []string          `json:"key"`
	Sources  []table.Source    `json:"sources"`
	Seeds    rowdigest.Seeds   `json:"seeds"`
	Checksum string            `json:"checksum"`
	// Digest is the rowdigest.RowVersion with which the digests in Sources were written. It
	// is 0 in plans of ACE versions that had only version 1.
	Digest int `json:"digest,omitempty"`

	Strategy string `json:"strategy"`
	// ByText is set if the indexes of the nodes may order keys differently: the nodes sort
	// the key's values differently, or their indexes have the key's columns in different
	// orders, or the index of a node may be out of order. Then key ranges are ranges of the
	// key's text under collation "C".
	ByText bool             `json:"by_text,omitempty"`
	Layout blockplan.Layout `json:"layout"`
	// Scans has, for each scan unit and node, the page ranges that the unit reads on the
	// node. It is set in the pages strategy, and with key ranges if the ages of all rows are
	// to be read first (Known.Whole is set). With sequential scans, there is a unit for each
	// node, which reads all partitions of this node and nothing of the other nodes.
	Scans [][][]table.PageRange `json:"scans,omitempty"`
	// Buckets is used in the pages strategy. It is the number of buckets (groups of rows by
	// the hash of the key) by which pages are compared first. Comparing buckets is cheaper
	// than finding the chunk of every row. 0 means that there are no buckets, because no
	// hash is known to be the same for equal keys on all nodes (table.Source.KeyHash is
	// empty).
	Buckets int `json:"buckets,omitempty"`
	// Grid is used in the pages strategy. It is the length in pages of the page ranges whose
	// sums are stored in a baseline or read from one. 0 means that there are no such sums:
	// there are no buckets, the pages of a partition cannot be read separately, or the ages
	// of rows do not show what has changed.
	Grid int64 `json:"grid,omitempty"`

	// Facts holds the facts of each node. The ages of rows show what has changed only as
	// long as these facts stay the same. The plan of a rerun has no facts. Known is what the
	// baseline found; nil means that the comparison has no baseline.
	Facts []table.Facts `json:"facts,omitempty"`
	Known *Known        `json:"known,omitempty"`

	// Document and Behavior are set in a rerun. The keys of Document are compared, and
	// Behavior determines how they are looked up.
	Document *task.Document `json:"document,omitempty"`
	Behavior string         `json:"behavior,omitempty"`

	BlockRows   int64 `json:"block_rows"`
	ChunkRows   int64 `json:"leaf_rows"`
	RowEstimate int64 `json:"row_estimate"` // estimated number of rows on the node that has the most rows
	// RowsTotalEstimate is the estimated number of rows of all nodes together.
	RowsTotalEstimate int64           `json:"rows_total_estimate"`
	Workers           int             `json:"workers"`
	MaxDiffRows       int64           `json:"max_diff_rows"`
	ConfirmDelay      time.Duration   `json:"confirm_delay"`
	Filter            string          `json:"table_filter,omitempty"`
	Selections        []FilterMeaning `json:"selections,omitempty"` // per node, what Filter means on the node
	Ignored           []string        `json:"ignore_columns,omitempty"`
	Warnings          []string        `json:"warnings,omitempty"`
	// CommitTimes is, per node, whether the last writes of rows are read. Plans of earlier
	// versions have none.
	CommitTimes []bool `json:"commit_times,omitempty"`
	// Redaction has the columns that are redacted in the parts with findings, and therefore
	// in the document. The key of the hashes is stored only in the plan.
	Redaction redact.Redaction `json:"redaction,omitzero"`

	hash string // SHA-256 of the stored bytes
}

// Hash identifies the plan. Every part contains it.
func (p *Plan) Hash() string { return p.hash }

// ReadsWrites reports whether the last writes of rows are read from the node with this
// index.
func (p *Plan) ReadsWrites(node int) bool { return node < len(p.CommitTimes) && p.CommitTimes[node] }

// Pair has the indexes of two nodes of a plan.
type Pair struct{ A, B int }

// Pairs returns all pairs of nodes in cluster order.
func (p *Plan) Pairs() []Pair {
	var pairs []Pair
	for a := range p.Nodes {
		for b := a + 1; b < len(p.Nodes); b++ {
			pairs = append(pairs, Pair{a, b})
		}
	}
	return pairs
}

// KeyRange returns the key range of the chunks in [from, to). In a rerun it returns the
// zero Range, since the blocks of a rerun are lists of keys.
func (p *Plan) KeyRange(from, to int) table.Range {
	if p.Strategy == Keys {
		return table.Range{}
	}
	return p.Layout.KeyRange(from, to)
}

// KeyColumns returns the index of each key column among the compared columns.
func (p *Plan) KeyColumns() []int {
	at := make([]int, len(p.Key))
	for i, name := range p.Key {
		at[i] = slices.IndexFunc(p.Columns, func(c difffile.Column) bool { return c.Name == name })
	}
	return at
}

// ColumnNames returns the names of the compared columns.
func (p *Plan) ColumnNames() []string {
	names := make([]string, len(p.Columns))
	for i, c := range p.Columns {
		names[i] = c.Name
	}
	return names
}

// PairName returns the name of a pair in the document.
func (p *Plan) PairName(of Pair) string { return p.Nodes[of.A] + "/" + p.Nodes[of.B] }

// Store stores a plan and returns it. If the task already has a stored plan, Store leaves
// that plan unchanged and returns it instead.
func Store(ctx context.Context, store archive.Store, p *Plan) (*Plan, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "cannot encode the plan")
	}

	_, err = store.PutIfAbsent(ctx, archive.PlanKey(p.TaskID), "application/json", body)
	if errors.Is(err, archive.ErrPrecondition) {
		return Load(ctx, store, p.TaskID)
	}
	if err != nil {
		return nil, err
	}

	p.hash = hashOf(body)
	return p, nil
}

// Load reads the plan of a task. The error is archive.ErrNotFound if there is none yet.
func Load(ctx context.Context, store archive.Store, taskID string) (*Plan, error) {
	object, err := store.Get(ctx, archive.PlanKey(taskID))
	if err != nil {
		return nil, err
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "cannot read the plan of task %s", taskID)
	}
	return Parse(body, taskID)
}

// Parse decodes the stored form of a task's plan.
func Parse(body []byte, taskID string) (*Plan, error) {
	var p Plan
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "the plan of task %s is damaged", taskID)
	}
	if p.Format != Format || p.TaskID != taskID {
		return nil, fault.New(fault.Internal, "the plan of task %s has format %q; this version reads %q", taskID, p.Format, Format)
	}
	p.hash = hashOf(body)
	return &p, nil
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Keys is the strategy of a rerun: it reads only the keys of a diff document, by key and
// without the filter.
const Keys = "keys"

// HasKeyVariants reports whether two candidates may be spellings of the same key (1.0 and
// 1.00). In a rerun it returns false, because key variants are merged when the keys of
// the document are listed.
func (p *Plan) HasKeyVariants() bool { return p.ByText && p.Strategy != Keys }
