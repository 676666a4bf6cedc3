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

// Unit is one unit of work as plain data: what to do is in the plan and in the parts of the phase before.
type Unit struct {
	TaskID   string `json:"task_id"`
	PlanHash string `json:"plan_hash"`
	Phase    string `json:"phase"`
	Index    int    `json:"index"`
	// From and To: the leaves a compare unit answers for; in a rerun, the blocks of keys.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
	// Leaves and Rows: in the pages strategy, those of them that differ, and how many rows each was seen to hold on
	// the node that has the most.
	Chunks []int   `json:"leaves,omitempty"`
	Rows   []int64 `json:"rows,omitempty"`
	// Buckets: only rows of these buckets are read, the others having been found equal; none: all rows are.
	Buckets []int `json:"buckets,omitempty"`
	// Dense: most leaves of the units before differed, so these are listed at once instead of being digested first. It
	// changes how the answer is found, not the answer.
	Dense bool `json:"dense,omitempty"`
	// Probe: no unit before has told yet. In a rerun, that most keys may still differ, and there is no second look.
	Probe bool `json:"probe,omitempty"`
	// Before: for confirm, how many candidates each pair has in the units before this one.
	Before []int64 `json:"before,omitempty"`
}

func (u Unit) Name() string { return fmt.Sprintf("%06d", u.Index) }

// PartKey is where the unit's part lies.
func (u Unit) PartKey() string { return archive.PartKey(u.TaskID, u.Phase, u.Name()) }

func (u Unit) PartHeader() part.Header {
	return part.Header{TaskID: u.TaskID, PlanHash: u.PlanHash, Unit: u.Phase + "-" + u.Name()}
}

// Sources gives what the first pass reads of each node: all rows that the filter selects, or those of the unit's buckets.
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

// Check makes sure that a unit fits its plan: a payload comes from elsewhere.
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

// scans says whether a unit that reads pages has some, and knows its buckets.
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

// coversSome says whether the unit answers for leaves that there are. How many blocks a rerun has was not known when the
// plan was made: one that is not there has no part of keys, which is an error then.
func (u Unit) coversChunks(p *Plan) bool {
	return 0 <= u.From && u.From < u.To && (p.Strategy == Keys || u.To <= p.Layout.Chunks())
}

// narrows says whether what a compare unit knows of its leaves fits together. None may be named twice, or its rows would
// be counted twice; buckets without leaves are of the whole table; and what is listed at once was not narrowed before.
func (u Unit) fitsNarrowing(p *Plan) bool {
	whole := u.From == 0 && u.To == p.Layout.Chunks()
	if p.Strategy == Keys && u.Probe && (p.ConfirmDelay > 0 || p.ByText) { // what nobody has asked about cannot be judged then
		return false
	}
	return len(u.Chunks) == len(u.Rows) && ascendsWithin(u.Chunks, u.From, u.To) && ascendsWithin(u.Buckets, 0, p.Buckets) &&
		(len(u.Buckets) == 0 || len(u.Chunks) > 0 || whole) &&
		(!u.Dense || !p.ByText && len(u.Chunks) == 0 && len(u.Buckets) == 0)
}

// riseWithin says whether each number is greater than the one before it, and all are from from up to, not including, to.
func ascendsWithin(numbers []int, from, to int) bool {
	for _, n := range numbers {
		if n < from || n >= to {
			return false
		}
		from = n + 1
	}
	return true
}

// Totals is what a unit found, stored in the seal of its part. Lists follow the plan's nodes or pairs.
type Totals struct {
	// From, To and Range: the leaves covered, and their keys. In a rerun, the blocks of keys, and nothing.
	From  int         `json:"from"`
	To    int         `json:"to"`
	Range table.Range `json:"range"`

	RowsPerNode []int64 `json:"rows_per_node,omitempty"` // read in the first pass, which for an unasked candidate is the second
	Keys        int64   `json:"keys"`                    // distinct keys among them

	// Snapshot: of a unit that reads pages; equal ones mean that two units saw the nodes as of the same moment.
	Snapshot string `json:"snapshot,omitempty"`

	Differing      int     `json:"differing"`                 // leaves that hold a candidate
	Candidates     int64   `json:"candidates"`                // keys whose rows seem to differ
	PairCandidates []int64 `json:"pair_candidates,omitempty"` // the same for each pair
	WithoutDigest  int64   `json:"unasked,omitempty"`         // candidates of a rerun of which nobody has read a digest

	Mismatched  int64        `json:"mismatched"`        // keys whose rows do differ
	Resolved    int64        `json:"resolved"`          // candidates that were found equal when read again; keys that a rerun finds equal
	OnNoNode    int64        `json:"nowhere,omitempty"` // of the resolved keys of a rerun, those that no node has
	Unsettled   int64        `json:"unsettled"`         // of the mismatched, those still being written
	KeyVariants int64        `json:"respelt"`           // candidates that are another spelling of one that counts
	Blocks      int          `json:"blocks"`            // blocks that hold a mismatched key
	Pairs       []PairTotals `json:"pairs,omitempty"`

	// Absent: per node, keys that its index leads to no row of, though a node has or had one; not all of them where they are many.
	Absent [][]table.Key `json:"absent,omitempty"`
	// Listed: in the pages strategy, per node, what was listed by the index.
	Listed []table.Sum `json:"listed,omitempty"`

	// Trusted: the blocks that were equal at their first digests, or are as they were when they were; Unchanged: how many
	// of them are the latter.
	EqualBlocks []EqualBlock `json:"trusted,omitempty"`
	Unchanged   int64        `json:"unchanged,omitempty"`
}

// PairTotals counts the differing keys of one pair of nodes.
type PairTotals struct {
	OnlyA     int64   `json:"only_a"`
	OnlyB     int64   `json:"only_b"`
	Different int64   `json:"different"`
	Columns   []int64 `json:"columns,omitempty"` // how often each column differs
	Limited   bool    `json:"limited,omitempty"` // rows were left out of the document
}

// AddEqual counts rows that every node has.
func (t *Totals) AddEqual(rows int64) {
	t.Keys += rows
	for node := range t.RowsPerNode {
		t.RowsPerNode[node] += rows
	}
}

// Add counts rows that were read elsewhere.
func (t *Totals) Add(o Totals) {
	t.Keys += o.Keys
	for node := range t.RowsPerNode {
		t.RowsPerNode[node] += o.RowsPerNode[node]
	}
}

// IsDense says whether most of what a compare unit looked at differs: leaves, or the keys of a rerun, whose rows cost less to read at
// once where a quarter of them do.
func (t Totals) IsDense(p *Plan) bool {
	if p.Strategy == Keys {
		return t.Candidates > t.Keys/4
	}
	return t.Differing > (t.To-t.From)/2
}

// RowsTotal is all rows read.
func (t Totals) RowsTotal() int64 {
	var sum int64
	for _, rows := range t.RowsPerNode {
		sum += rows
	}
	return sum
}

// KeyTotals is the seal of a part of keys: which keys a block of a rerun has.
type KeyTotals struct {
	Keys   int64  `json:"keys"`
	SHA256 string `json:"sha256"` // of the keys' lines
}

func ReadTotals(ctx context.Context, store archive.Store, u Unit) (Totals, error) {
	var totals Totals
	err := part.ReadTotals(ctx, store, u.PartKey(), u.PartHeader(), &totals)
	return totals, err
}
