package blockplan

// Sizes of a plan. Small chunks make it cheap to find a scattered difference, since only
// the rows of one chunk are listed. The number of chunks is bounded, so that the plan of
// a huge table stays small. A huge table has larger chunks instead.
const (
	chunksPerBlock = 32
	minChunkRows   = 100
	maxChunks      = 16_384
	// MaxBlocks is the maximum number of blocks. block_rows is raised if there would be
	// more.
	MaxBlocks = 200_000
	// bucketRows is the maximum average number of rows in a bucket (a group of rows by the
	// hash of their key), unless there would be more than maxBuckets buckets. With fewer
	// buckets, the rows of a page range are added up faster, but more rows must be listed
	// if a bucket differs.
	bucketRows = 512
	// maxBuckets is the maximum number of buckets. The part of a unit that reads pages may
	// have a sum for each bucket, so the limit bounds the size of these parts.
	maxBuckets = 16_384
	// batchesPerWorker is the intended number of units per worker. With several units per
	// worker, all workers are busy until near the end. The number is a target: there are
	// fewer units if the table has too few blocks, and more if units of that size would be
	// too large.
	batchesPerWorker = 4
)

// Size holds the sizes of the pieces into which a table is divided. The JSON names are
// those of stored baselines.
type Size struct {
	BlockRows      int64 `json:"BlockRows"` // as requested, or more if the plan would have too many blocks
	ChunkRows      int64 `json:"LeafRows"`
	ChunksPerBlock int   `json:"LeavesPerBlock"`
}

// SizeFor chooses the sizes for a table. rows is about the number of rows on the node
// that has the most rows.
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
