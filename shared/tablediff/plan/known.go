package plan

// EqualBlock is a block that was equal on all nodes.
type EqualBlock struct {
	Block    int     `json:"b"`
	Rows     int64   `json:"n"`
	Horizons []int64 `json:"h"` // per node: the xmin of the snapshot in which the block was equal
}

// Known is what a plan contains of a baseline: blocks that were equal, or page ranges and
// their sums. A block or page range need not be digested again if its rows are unchanged
// since the baseline.
type Known struct {
	TaskID string       `json:"task_id"`
	Blocks []EqualBlock `json:"blocks,omitempty"` // in key order
	// Whole is set if the baseline found every block equal and the table seems not to have
	// been written since.
	Whole *WholeTable `json:"whole,omitempty"`
	// Ranges is used in the pages strategy. It holds, per node, the page ranges whose sums
	// the baseline has.
	Ranges [][]RangeSums `json:"stretches,omitempty"`
}

// FilterMeaning is what a filter means on one node. Shown is the filter as the server
// prints it. Doubt is the reason why the filter may select other rows even if no row has
// changed. Doubt is empty if there is no such reason.
type FilterMeaning struct {
	Shown string `json:"shown"`
	Doubt string `json:"doubt,omitempty"`
}

// WholeTable is what a baseline contains about a table all of whose blocks were equal.
type WholeTable struct {
	Rows     int64   `json:"n"` // number of rows on each node
	Horizons []int64 `json:"h"` // per node: the lowest horizon of all blocks
}
