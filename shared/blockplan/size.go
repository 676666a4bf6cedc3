package blockplan

// Sizes of a plan. Chunks make narrowing cheap: to find a scattered difference, one chunk
// is listed. Their number is bounded, so that the plan of a huge table stays small. Its
// chunks are larger instead, and remain the same share of the table.
const (
	chunksPerBlock = 32
	minChunkRows   = 100
	maxChunks      = 16_384
	// MaxBlocks bounds the plan: beyond it block_rows is raised.
	MaxBlocks = 200_000
	// bucketRows is the number of rows in a bucket of the keys' hash. The number of
	// buckets is bounded for the same reason as that of chunks. With fewer buckets, the
	// rows of a page range are added up faster, but more rows must be listed where a
	// bucket differs.
	bucketRows = 512
	maxBuckets = 16_384
	// batchesPerWorker is the minimum number of batches per worker, so that all workers
	// are busy until the end.
	batchesPerWorker = 4
)

// Size is how a table is divided. The JSON names are those of stored baselines.
type Size struct {
	BlockRows      int64 `json:"BlockRows"` // as requested, or more if the plan would have too many blocks
	ChunkRows      int64 `json:"LeafRows"`
	ChunksPerBlock int   `json:"LeavesPerBlock"`
}

// SizeFor chooses the sizes for a table of about this many rows on the node that has the
// most.
func SizeFor(rows, blockRows int64) Size {
	blockRows = max(blockRows, (rows+MaxBlocks-1)/MaxBlocks)
	chunkRows := max(blockRows/chunksPerBlock, rows/maxChunks, minChunkRows)
	chunkRows = min(chunkRows, blockRows)
	return Size{BlockRows: blockRows, ChunkRows: chunkRows, ChunksPerBlock: int(max(1, blockRows/chunkRows))}
}

// Buckets returns the number of hash buckets, a power of two, for this many rows.
func Buckets(rows int64) int {
	buckets := 1
	for buckets < maxBuckets && int64(buckets)*bucketRows < rows {
		buckets *= 2
	}
	return buckets
}

// BlocksPerBatch returns the number of blocks in one unit of work: batchSize, or fewer in
// a small table.
func BlocksPerBatch(blocks, batchSize, workers int) int {
	return max(1, min(batchSize, divideUp(blocks, max(1, workers)*batchesPerWorker)))
}
