// Package blockplan divides the key space into half-open key ranges, called chunks, that
// cover it exactly once. Their boundaries are chosen from samples of keys. The rows of a
// chunk are digested as one and, if the digests of two nodes differ, listed. Consecutive
// chunks form a block (about block_rows rows), and consecutive blocks form a batch (one
// unit of work).
//
// The package is pure. It never compares keys in Go. It uses only their ranks, which a
// server has computed.
package blockplan

import "ace/shared/table"

// Layout is the division of the key space. Chunk i has the keys from Bounds[i-1] up to
// but not including Bounds[i]. The first chunk has no lower bound and the last chunk no
// upper bound, so the chunks cover every possible key once.
type Layout struct {
	Bounds         []table.Key `json:"bounds"`
	ChunksPerBlock int         `json:"leaves_per_block"`
	BlocksPerBatch int         `json:"blocks_per_batch"`
}

// Chunks returns the number of chunks, at least one.
func (l Layout) Chunks() int { return len(l.Bounds) + 1 }

// Blocks returns the number of blocks.
func (l Layout) Blocks() int { return divideUp(l.Chunks(), l.ChunksPerBlock) }

// Batches returns the number of batches.
func (l Layout) Batches() int { return divideUp(l.Blocks(), l.BlocksPerBatch) }

// Chunk returns the key range of one chunk.
func (l Layout) Chunk(i int) table.Range { return l.KeyRange(i, i+1) }

// KeyRange returns the key range of the chunks in [from, to).
func (l Layout) KeyRange(from, to int) table.Range {
	var r table.Range
	if from > 0 {
		r.Lo = l.Bounds[from-1]
	}
	if to < l.Chunks() {
		r.Hi = l.Bounds[to-1]
	}
	return r
}

// ChunksOfBatch returns the chunks of batch i: those in [from, to).
func (l Layout) ChunksOfBatch(i int) (from, to int) {
	size := l.ChunksPerBlock * l.BlocksPerBatch
	return min(i*size, l.Chunks()), min((i+1)*size, l.Chunks())
}

// BlockOf returns the number of the block to which a chunk belongs.
func (l Layout) BlockOf(chunk int) int { return chunk / l.ChunksPerBlock }

// ChunksOfBlock returns the chunks of one block: those in [from, to).
func (l Layout) ChunksOfBlock(block int) (from, to int) {
	return block * l.ChunksPerBlock, min((block+1)*l.ChunksPerBlock, l.Chunks())
}

// BlockBounds returns the boundaries between blocks.
func (l Layout) BlockBounds() []table.Key {
	var bounds []table.Key
	for at := l.ChunksPerBlock; at < l.Chunks(); at += l.ChunksPerBlock {
		bounds = append(bounds, l.Bounds[at-1])
	}
	return bounds
}

func divideUp(n, by int) int { return (n + by - 1) / by }
