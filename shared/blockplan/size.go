package blockplan

// Sizes of a plan.
const (
	// chunksPerBlock is the intended number of chunks in a block. With small chunks, few
	// rows must be listed to find a scattered difference.
	chunksPerBlock = 32
	// minChunkRows is the minimum number of rows in a chunk, unless a block has fewer rows.
	minChunkRows = 100
	// maxChunks is the approximate maximum number of chunks. It bounds the size of the plan.
	// If a table would have more chunks, its chunks have more rows instead, but never more
	// rows than a block.
	maxChunks = 16_384
	// MaxBlocks is the maximum number of blocks. If there would be more blocks, a block has
	// more rows than block_rows.
	MaxBlocks = 200_000
	// bucketRows is the maximum average number of rows in a bucket (a group of rows by the
	// hash of their key), unless there would be more than maxBuckets buckets. With fewer
	// buckets, the sums of a page range are computed faster, but more rows must be listed if
	// a bucket differs.
	bucketRows = 512
	// maxBuckets is the maximum number of buckets. The part of a unit that reads pages may
	// have a sum for each bucket, so the limit bounds the size of these parts.
	maxBuckets = 16_384
	// batchesPerWorker is the intended number of units per worker. With several units per
	// worker, all workers are busy until near the end. There are fewer units if the table
	// has too few blocks, and more units if a unit would otherwise have more than batch_size
	// blocks.
	batchesPerWorker = 4
)

// Size holds the sizes of the pieces into which a table is divided. The JSON names are
// those of stored baselines.
type Size struct {
	BlockRows      int64 `json:"BlockRows"` // number of rows in a block: as requested, or more if the plan would have too many blocks
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

// Coarsen returns s with larger chunks if a table of this many rows would have more than
// most chunks. A chunk never has more rows than a block.
func (s Size) Coarsen(rows int64, most int) Size {
	chunkRows := min(max(s.ChunkRows, rows/int64(max(1, most))), s.BlockRows)
	return Size{BlockRows: s.BlockRows, ChunkRows: chunkRows, ChunksPerBlock: int(max(1, s.BlockRows/chunkRows))}
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
// a small table, so that every worker gets several units.
func BlocksPerBatch(blocks, batchSize, workers int) int {
	return max(1, min(batchSize, divideUp(blocks, max(1, workers)*batchesPerWorker)))
}
