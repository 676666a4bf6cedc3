package plan

// EqualBlock is a block that was equal on all nodes.
type EqualBlock struct {
	Block    int     `json:"b"`
	Rows     int64   `json:"n"`
	Horizons []int64 `json:"h"` // per node: the xmin of the snapshot
}

// Known is the part of a plan that comes from a baseline: what need not be digested again
// where no row is younger.
type Known struct {
	TaskID string       `json:"task_id"`
	Blocks []EqualBlock `json:"blocks,omitempty"` // in key order
	// Whole is what the blocks amount to, if they are all blocks and the table seems not
	// to have been written since.
	Whole *WholeTable `json:"whole,omitempty"`
	// Ranges: in the pages strategy, per node, the page ranges whose sums the baseline
	// has.
	Ranges [][]RangeSums `json:"stretches,omitempty"`
}

// FilterMeaning is what a filter means on one node: how the server prints it, and why it
// may select another set of rows although no row has changed. An empty Doubt means that
// it cannot.
type FilterMeaning struct {
	Shown string `json:"shown"`
	Doubt string `json:"doubt,omitempty"`
}

// WholeTable is what a baseline knows about a table all of whose blocks were equal.
type WholeTable struct {
	Rows     int64   `json:"n"` // on each node
	Horizons []int64 `json:"h"` // per node: the lowest horizon of its blocks
}
