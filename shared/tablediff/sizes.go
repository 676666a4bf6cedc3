package tablediff

import "fmt"

// The useful sizes of blocks and units. With smaller blocks, many statements would read
// only few rows each. The rows of a larger block, or the blocks of a larger unit, might
// not be read within the time limit of a statement. Other limits, such as the rows that
// are listed at once, are multiples of block_rows.
const (
	minBlockRows = 1_000
	maxBlockRows = 1_000_000
	maxBatchSize = 1_000
)

// withUsefulSizes returns the request with BlockRows and BatchSize (any positive numbers)
// changed to the nearest useful numbers. It adds a warning for each changed number.
func (r Request) withUsefulSizes() Request {
	r.sizeWarnings = nil
	r.useful("block_rows", &r.BlockRows, minBlockRows, maxBlockRows)
	r.useful("batch_size", &r.BatchSize, 1, maxBatchSize)
	return r
}

// useful sets *number to the nearest number from least to most. If this changes the
// number, useful adds a warning, in which name is the name of the parameter.
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
