package plan

import (
	"context"
	"fmt"
	"slices"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
)

// Phases of a run.
const (
	PhasePlan    = "plan"
	PhaseKeys    = "keys"
	PhaseKeyList = "keylist"
	PhaseAges    = "ages"
	PhaseChanged = "changed"
	PhaseBuckets = "buckets"
	PhaseScan    = "scan"
	PhaseCompare = "compare"
	PhaseConfirm = "confirm"
	PhaseMerge   = "merge"
)

// Unit is one unit of work as plain data. The plan and the parts of the previous phase
// determine what the unit does.
type Unit struct {
	TaskID   string `json:"task_id"`
	PlanHash string `json:"plan_hash"`
	Phase    string `json:"phase"`
	Index    int    `json:"index"`
	// A compare unit covers the chunks from From to To-1. In a rerun, From and To are
	// numbers of blocks of keys.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
	// Chunks and Rows are used in the pages strategy. Chunks has the numbers of the chunks
	// from From to To-1 that differ. Rows has, for each chunk in Chunks, the number of rows
	// that the scan found on the node where the chunk has the most rows.
	Chunks []int   `json:"leaves,omitempty"`
	Rows   []int64 `json:"rows,omitempty"`
	// Buckets restricts the unit to the rows of these buckets, since the other buckets were
	// equal. If it is empty, the unit reads all rows.
	Buckets []int `json:"buckets,omitempty"`
	// Dense means that most chunks of this unit are expected to differ. Then the unit reads
	// the digests of all rows at once instead of digesting chunks first. The result is the
	// same.
	Dense bool `json:"dense,omitempty"`
	// Probe means that no compare unit was done before, so it is not known whether most
	// chunks differ. Then the unit compares some chunks first to find out. In a rerun, Probe
	// means that most keys may still differ, and that candidates are read only once
	// (ConfirmDelay is 0). Then the unit compares some keys first.
	Probe bool `json:"probe,omitempty"`
	// Before is used by confirm units: the number of candidates of each pair in all earlier
	// units.
	Before []int64 `json:"before,omitempty"`
}

// Name returns the unit's number as it is written in object keys.
func (u Unit) Name() string { return fmt.Sprintf("%06d", u.Index) }

// PartKey returns the object key of the unit's part.
func (u Unit) PartKey() string { return archive.PartKey(u.TaskID, u.Phase, u.Name()) }

// PartHeader returns the header of the unit's part.
func (u Unit) PartHeader() part.Header {
	return part.Header{TaskID: u.TaskID, PlanHash: u.PlanHash, Unit: u.Phase + "-" + u.Name()}
}

// Sources returns what the first pass reads on each node: all rows that the filter
// selects or, if the unit has buckets, only the rows of these buckets.
func (u Unit) Sources(p *Plan) []table.Source {
	if len(u.Buckets) == 0 {
		return p.Sources
	}
	sources := slices.Clone(p.Sources)
	for i := range sources {
		sources[i].Within = table.Buckets{Of: p.Buckets, Numbers: u.Buckets}
	}
	return sources
}

// Check verifies that the unit fits its plan. The unit may come from another process.
func (u Unit) Check(p *Plan) error {
	fits := u.Index >= 0
	switch u.Phase {
	case PhaseAges, PhaseChanged, PhaseBuckets, PhaseScan:
		fits = fits && u.fitsScan(p)
	case PhaseCompare:
		fits = fits && u.coversChunks(p) && u.fitsNarrowing(p)
	case PhaseConfirm:
		fits = fits && u.coversChunks(p) && len(u.Before) == len(p.Pairs())
	default:
		return fault.New(fault.Internal, "there is no phase %q", u.Phase)
	}

	if !fits {
		return fault.New(fault.Internal, "unit %s-%s of task %s does not fit its plan", u.Phase, u.Name(), u.TaskID)
	}

	return nil
}

// fitsScan reports whether a unit that reads page ranges fits the plan: the plan must
// have these page ranges, all buckets of the unit and, if the unit's phase is PhaseAges
// or PhaseChanged, the data of a baseline.
func (u Unit) fitsScan(p *Plan) bool {
	known := ascendsWithin(u.Buckets, 0, p.Buckets)
	switch u.Phase {
	case PhaseAges:
		known = len(u.Buckets) == 0 && p.Known != nil && p.Known.Whole != nil
	case PhaseChanged:
		known = len(u.Buckets) == 0 && p.Buckets > 0 && p.Known != nil && p.Grid > 0
	case PhaseBuckets:
		known = known && p.Buckets > 0
	}
	return known && u.Index < len(p.Scans)
}

// coversChunks reports whether the unit covers existing chunks. The plan of a rerun does
// not contain the number of blocks, so the blocks are not checked here. If a block does
// not exist, the unit fails later, because there is no part with the keys of the block.
func (u Unit) coversChunks(p *Plan) bool {
	return 0 <= u.From && u.From < u.To && (p.Strategy == Keys || u.To <= p.Layout.Chunks())
}

// fitsNarrowing reports whether Chunks, Rows, Buckets, Dense and Probe of a compare unit
// are consistent. No chunk may be named twice, or its rows would be counted twice. A unit
// with buckets but no chunks must cover all chunks, because it lists the rows of these
// buckets in the whole table. A unit with Dense set must have neither chunks nor buckets,
// and the plan must not be ByText, because such a unit reads every chunk through an
// index.
func (u Unit) fitsNarrowing(p *Plan) bool {
	whole := u.From == 0 && u.To == p.Layout.Chunks()
	if p.Strategy == Keys && u.Probe && (p.ConfirmDelay > 0 || p.ByText) { // confirm units then need the digests of all candidates, but a unit with Probe may not read them
		return false
	}
	return len(u.Chunks) == len(u.Rows) && ascendsWithin(u.Chunks, u.From, u.To) && ascendsWithin(u.Buckets, 0, p.Buckets) &&
		(len(u.Buckets) == 0 || len(u.Chunks) > 0 || whole) &&
		(!u.Dense || !p.ByText && len(u.Chunks) == 0 && len(u.Buckets) == 0)
}

// ascendsWithin reports whether the numbers ascend strictly and each is at least from and
// below to.
func ascendsWithin(numbers []int, from, to int) bool {
	for _, n := range numbers {
		if n < from || n >= to {
			return false
		}
		from = n + 1
	}
	return true
}

// Totals counts what a unit found. It is stored in the footer of the unit's part. A list
// that counts per node or per pair has its entries in the plan's order.
type Totals struct {
	// The unit covered the chunks from From to To-1, whose key range is Range. In a rerun,
	// From and To are numbers of blocks of keys, and Range is empty.
	From  int         `json:"from"`
	To    int         `json:"to"`
	Range table.Range `json:"range"`

	// RowsPerNode has, per node, the number of rows that were read in the first pass. The
	// rows of a candidate without digests are counted by the confirm unit instead.
	RowsPerNode []int64 `json:"rows_per_node,omitempty"`
	// Keys is the number of distinct keys of the rows of all nodes. A confirm unit subtracts
	// the key variants that the compare unit has counted as distinct keys.
	Keys int64 `json:"keys"`

	// Snapshot identifies the snapshots of a unit that reads pages. Units with the same
	// value have seen the nodes at the same moment.
	Snapshot string `json:"snapshot,omitempty"`

	Differing      int     `json:"differing"`                 // number of ranges that have a candidate; a range is a chunk, a piece of a chunk that was split, or a block
	Candidates     int64   `json:"candidates"`                // number of keys whose rows seem to differ
	PairCandidates []int64 `json:"pair_candidates,omitempty"` // for each pair, the number of candidates whose digests differ
	WithoutDigest  int64   `json:"unasked,omitempty"`         // candidates of a rerun whose digests were not read

	Mismatched  int64        `json:"mismatched"`        // number of keys whose rows differ
	Resolved    int64        `json:"resolved"`          // candidates that were equal when read again; in a rerun, also the keys that were equal in the first pass
	OnNoNode    int64        `json:"nowhere,omitempty"` // in a rerun, the resolved keys that are on no node
	Unsettled   int64        `json:"unsettled"`         // the mismatched keys whose rows were still changing when last read
	KeyVariants int64        `json:"respelt"`           // candidates that are not counted, since another spelling of the same key is counted
	Blocks      int          `json:"blocks"`            // number of blocks with a mismatched key
	Pairs       []PairTotals `json:"pairs,omitempty"`
	// Outliers counts the mismatched keys per node. Parts of earlier versions lack it.
	Outliers []OutlierTotals `json:"outliers,omitempty"`

	// Absent holds, per node, keys that the node's index does not find although some node
	// has or had a row for them. If there are many such keys, not all are listed.
	Absent [][]table.Key `json:"absent,omitempty"`
	// Listed is used in the pages strategy: per node, the sum of the rows that the index
	// listed.
	Listed []table.Sum `json:"listed,omitempty"`

	// EqualBlocks are the blocks that were equal when they were first digested, and the
	// blocks that are unchanged since the baseline found them equal. Unchanged is the number
	// of blocks that are unchanged since the baseline.
	EqualBlocks []EqualBlock `json:"trusted,omitempty"`
	Unchanged   int64        `json:"unchanged,omitempty"`
}

// PairTotals counts the differing keys of one pair of nodes.
type PairTotals struct {
	OnlyA     int64   `json:"only_a"`
	OnlyB     int64   `json:"only_b"`
	Different int64   `json:"different"`
	Columns   []int64 `json:"columns,omitempty"` // number of rows in which each column differs
	Limited   bool    `json:"limited,omitempty"` // rows were left out of the document
}

// AddEqual counts keys for which every node has a row. rows is the number of these keys.
func (t *Totals) AddEqual(rows int64) {
	t.Keys += rows
	for node := range t.RowsPerNode {
		t.RowsPerNode[node] += rows
	}
}

// Add adds the keys and rows of o to t.
func (t *Totals) Add(o Totals) {
	t.Keys += o.Keys
	for node := range t.RowsPerNode {
		t.RowsPerNode[node] += o.RowsPerNode[node]
	}
}

// IsDense reports whether most chunks that a compare unit covers differ. In a rerun it
// reports whether more than a quarter of the keys differ. Then reading all rows at once
// costs less than reading digests first.
func (t Totals) IsDense(p *Plan) bool {
	if p.Strategy == Keys {
		return t.Candidates > t.Keys/4
	}
	return t.Differing > (t.To-t.From)/2
}

// RowsTotal returns the number of rows read on all nodes.
func (t Totals) RowsTotal() int64 {
	var sum int64
	for _, rows := range t.RowsPerNode {
		sum += rows
	}
	return sum
}

// KeyTotals is the footer of a part of keys: the keys in one block of a rerun.
type KeyTotals struct {
	Keys   int64  `json:"keys"`
	SHA256 string `json:"sha256"` // SHA-256 of the lines of the keys
}

// ReadTotals reads the totals of a unit's part. The error is archive.ErrNotFound if there
// is none yet.
func ReadTotals(ctx context.Context, store archive.Store, u Unit) (Totals, error) {
	var totals Totals
	err := part.ReadTotals(ctx, store, u.PartKey(), u.PartHeader(), &totals)
	return totals, err
}
