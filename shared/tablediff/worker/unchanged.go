package worker

import (
	"cmp"
	"context"
	"slices"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// compareChanged determines which of the blocks that the baseline found equal are
// unchanged on every node. It compares the chunks of all other blocks in the same
// snapshots.
func (r *unitRun) compareChanged(ctx context.Context, txs []plan.Tx) error {
	unchanged, err := r.findUnchangedBlocks(ctx, txs)
	if err != nil {
		return err
	}

	var chunks []keyChunk
	for chunk := r.unit.From; chunk < r.unit.To; chunk++ {
		if s := r.chunkAt(chunk); !unchanged[s.block] {
			chunks = append(chunks, s)
		}
	}

	return r.compareAndRecord(ctx, txs, chunks)
}

const (
	// sampleDivisor determines how many blocks are checked before the others: one in
	// sampleDivisor. If there are fewer than 2 * sampleDivisor blocks, up to three are
	// checked first.
	sampleDivisor = 8
	// minUnchangedDivisor determines whether the other blocks are checked too: at least one
	// in minUnchangedDivisor of the first blocks must be unchanged. Otherwise the other
	// blocks are digested without a check. Checking a block costs a third of digesting it.
	minUnchangedDivisor = 4
)

// findUnchangedBlocks returns blocks of the unit that are unchanged on every node, and
// counts them. It checks a sample of the blocks first. If few blocks of the sample are
// unchanged, it does not check the other blocks.
func (r *unitRun) findUnchangedBlocks(ctx context.Context, txs []plan.Tx) (map[int]bool, error) {
	unchanged := map[int]bool{}
	first, others := sampleBlocks(r.baselineBlocks())
	if err := r.checkBlocks(ctx, txs, first, unchanged); err != nil || len(unchanged)*minUnchangedDivisor < len(first) {
		return unchanged, err
	}
	return unchanged, r.checkBlocks(ctx, txs, others, unchanged)
}

// sampleBlocks divides the blocks into an evenly spaced sample and the other blocks.
func sampleBlocks(known []plan.EqualBlock) (sample, others []plan.EqualBlock) {
	every := max(1, min(sampleDivisor, len(known)/2))
	for i, t := range known {
		if i%every == every/2 {
			sample = append(sample, t)
		} else {
			others = append(others, t)
		}
	}
	return sample, others
}

// baselineBlocks returns the unit's blocks that were equal at the baseline.
func (r *unitRun) baselineBlocks() []plan.EqualBlock {
	var known []plan.EqualBlock
	blocks := r.plan.Known.Blocks
	first, _ := slices.BinarySearchFunc(blocks, r.unit.From, func(t plan.EqualBlock, chunk int) int {
		from, _ := r.plan.Layout.ChunksOfBlock(t.Block)
		return cmp.Compare(from, chunk)
	})

	for _, t := range blocks[first:] {
		if _, to := r.plan.Layout.ChunksOfBlock(t.Block); to > r.unit.To {
			break
		}
		if len(t.Horizons) == len(r.nodes) {
			known = append(known, t)
		}
	}

	return known
}

// checkBlocks determines which of the blocks in known are unchanged on every node, and
// adds their numbers to unchanged.
func (r *unitRun) checkBlocks(ctx context.Context, txs []plan.Tx, known []plan.EqualBlock, unchanged map[int]bool) error {
	if len(known) == 0 {
		return nil
	}

	ranges := make([]table.Range, len(known))
	for i, t := range known {
		ranges[i] = r.plan.Layout.KeyRange(r.plan.Layout.ChunksOfBlock(t.Block))
	}

	found := make([][]table.Freshness, len(txs))
	err := r.onAll(ctx, func(ctx context.Context, node int) (err error) {
		found[node], err = txs[node].Freshness(ctx, r.sources[node], ranges)
		return err
	})
	if err != nil {
		return err
	}

	for i, t := range known {
		now := plan.EqualBlock{Block: t.Block, Rows: t.Rows}
		same := true
		for node := range txs {
			f := found[node][i]
			same = same && f.Unchanged(t.Rows, t.Horizons[node])
			now.Horizons = append(now.Horizons, f.Horizon)
		}

		if same {
			unchanged[t.Block] = true
			r.totals.AddEqual(t.Rows)
			r.totals.Unchanged++
			r.totals.EqualBlocks = append(r.totals.EqualBlocks, now)
		}
	}

	return nil
}

// recordEqualBlocks records the blocks whose chunks are all in chunks and are all equal
// on all nodes. The baseline of the comparison will contain these blocks. A block that
// becomes equal only when its rows are read again is not recorded.
func (r *unitRun) recordEqualBlocks(chunks []keyChunk, sums [][]table.Sum, horizons []int64) {
	for i := 0; i < len(chunks); {
		block := chunks[i].block
		from, to := r.plan.Layout.ChunksOfBlock(block)
		equal, first, rows := true, i, int64(0)
		for ; i < len(chunks) && chunks[i].block == block; i++ {
			rows += sums[0][i].Rows
			for node := range sums {
				equal = equal && sums[node][i] == sums[0][i]
			}
		}

		if equal && i-first == to-from {
			r.totals.EqualBlocks = append(r.totals.EqualBlocks, plan.EqualBlock{Block: block, Rows: rows, Horizons: horizons})
		}
	}
}
