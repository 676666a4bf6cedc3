// Package blockplan turns samples of keys into half-open key ranges that cover the key space exactly once, and groups
// them: leaves (what is digested and, where they differ, listed) into blocks (about block_rows rows), blocks into
// batches (one unit of work).
//
// It is pure: keys are only ever ordered by ranks that a server gave, never in Go.
package blockplan

import "ace/shared/table"

// Layout is the division of the key space. Leaf i holds the keys from Bounds[i-1] up to, not including, Bounds[i]; the
// first and the last leaf are open-ended, so the leaves cover every key once whatever the table holds.
type Layout struct {
	Bounds         []table.Key `json:"bounds"`
	ChunksPerBlock int         `json:"leaves_per_block"`
	BlocksPerBatch int         `json:"blocks_per_batch"`
}

// Leaves is the number of leaves, at least one.
func (l Layout) Chunks() int { return len(l.Bounds) + 1 }

// Blocks is the number of blocks.
func (l Layout) Blocks() int { return divideUp(l.Chunks(), l.ChunksPerBlock) }

// Batches is the number of batches.
func (l Layout) Batches() int { return divideUp(l.Blocks(), l.BlocksPerBatch) }

// Leaf is the key range of one leaf.
func (l Layout) Chunk(i int) table.Range { return l.KeyRange(i, i+1) }

// Span is the key range of the leaves from up to, not including, to.
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

// Batch gives the leaves of one batch: from up to, not including, to.
func (l Layout) ChunksOfBatch(i int) (from, to int) {
	size := l.ChunksPerBlock * l.BlocksPerBatch
	return min(i*size, l.Chunks()), min((i+1)*size, l.Chunks())
}

// Block gives the block a leaf belongs to.
func (l Layout) BlockOf(chunk int) int { return chunk / l.ChunksPerBlock }

// BlockRange gives the leaves of one block: from up to, not including, to.
func (l Layout) ChunksOfBlock(block int) (from, to int) {
	return block * l.ChunksPerBlock, min((block+1)*l.ChunksPerBlock, l.Chunks())
}

// BlockBounds gives the boundaries between blocks.
func (l Layout) BlockBounds() []table.Key {
	var bounds []table.Key
	for at := l.ChunksPerBlock; at < l.Chunks(); at += l.ChunksPerBlock {
		bounds = append(bounds, l.Bounds[at-1])
	}
	return bounds
}

func divideUp(n, by int) int { return (n + by - 1) / by }
