package tablediff

import "fmt"

// The useful sizes of blocks and units. A smaller block costs a statement for a few rows.
// The rows of a larger block, or the blocks of a larger unit, might not be read within
// the time limit of a statement. Other limits, such as the rows that are listed at once,
// are multiples of block_rows.
const (
	minBlockRows = 1_000
	maxBlockRows = 1_000_000
	maxBatchSize = 1_000
)

// withUsefulSizes returns the request with BlockRows and BatchSize, which may be any
// positive numbers, changed to useful ones. It adds a warning for each changed number.
func (r Request) withUsefulSizes() Request {
	r.sizeWarnings = nil
	r.useful("block_rows", &r.BlockRows, minBlockRows, maxBlockRows)
	r.useful("batch_size", &r.BatchSize, 1, maxBatchSize)
	return r
}

// useful changes a number to the nearest one within its bounds.
func (r *Request) useful(name string, number *int, least, most int) {
	switch {
	case *number < least:
		r.sizeWarnings = append(r.sizeWarnings, fmt.Sprintf("%s was raised to %d, the smallest useful value", name, least))
		*number = least
	case *number > most:
		r.sizeWarnings = append(r.sizeWarnings, fmt.Sprintf("%s was lowered to %d, the largest useful value", name, most))
		*number = most
	}
}
