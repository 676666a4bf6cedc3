package plan

// Trusted is a block that was equal on all nodes.
type EqualBlock struct {
	Block    int     `json:"b"`
	Rows     int64   `json:"n"`
	Horizons []int64 `json:"h"` // per node: the xmin of the snapshot
}

// Known is the part of a plan that comes from a baseline: the blocks that need not be digested where nothing is younger.
type Known struct {
	TaskID string       `json:"task_id"`
	Blocks []EqualBlock `json:"blocks,omitempty"` // in key order
	// Whole: what these blocks are together, if they are all and nothing seems to have been written since.
	Whole *WholeTable `json:"whole,omitempty"`
	// Stretches: in the pages strategy, per node, what need not be digested for the same reason.
	PageRanges [][]PageRange `json:"stretches,omitempty"`
}

// Selection is what a filter means on one node: how the server shows it, and why its answer for a row may change though the
// row does not; "": it may not.
type FilterMeaning struct {
	Shown string `json:"shown"`
	Doubt string `json:"doubt,omitempty"`
}

// WholeTable is what a baseline knew of a whole table, all of whose blocks were equal.
type WholeTable struct {
	Rows     int64   `json:"n"` // on each node
	Horizons []int64 `json:"h"` // per node: the least of its blocks
}
