package blockplan

// Sizes of a plan. Leaves make narrowing cheap: a scattered difference costs the listing of one leaf. Their number is
// capped, so that the plan of a huge table stays small; its leaves grow with it and so keep their share of the table.
const (
	chunksPerBlock = 32
	minChunkRows   = 100
	maxChunks      = 16_384
	// MaxBlocks caps the plan: beyond it block_rows is raised.
	MaxBlocks = 200_000
	// bucketRows is how many rows a bucket of the keys' hash holds; their number is capped for the same reason. The fewer
	// buckets there are the sooner the rows of a stretch are added up, and the more rows must be listed where one differs.
	bucketRows = 512
	maxBuckets = 16_384
	// batchesPerWorker is how finely work is divided at least, so that all workers have some until the end.
	batchesPerWorker = 4
)

// Size is how a table of some number of rows is divided.
type Size struct {
	BlockRows      int64 `json:"BlockRows"` // as asked, or more where the plan would have too many blocks
	ChunkRows      int64 `json:"LeafRows"`
	ChunksPerBlock int   `json:"LeavesPerBlock"`
}

// SizeFor chooses the sizes for a table of about rows rows (on the node that has the most).
func SizeFor(rows, blockRows int64) Size {
	blockRows = max(blockRows, (rows+MaxBlocks-1)/MaxBlocks)
	chunkRows := max(blockRows/chunksPerBlock, rows/maxChunks, minChunkRows)
	chunkRows = min(chunkRows, blockRows)
	return Size{BlockRows: blockRows, ChunkRows: chunkRows, ChunksPerBlock: int(max(1, blockRows/chunkRows))}
}

// Buckets gives into how many buckets of their keys' hash so many rows are divided: a power of two.
func Buckets(rows int64) int {
	buckets := 1
	for buckets < maxBuckets && int64(buckets)*bucketRows < rows {
		buckets *= 2
	}
	return buckets
}

// BlocksPerBatch gives how many blocks one unit of work takes: batchSize, or fewer in a small table.
func BlocksPerBatch(blocks, batchSize, workers int) int {
	return max(1, min(batchSize, divideUp(blocks, max(1, workers)*batchesPerWorker)))
}
