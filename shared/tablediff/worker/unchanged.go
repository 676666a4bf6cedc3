package worker

import (
	"cmp"
	"context"
	"slices"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// compareChanged asks every node which of the blocks that are known to have been equal are as they were, and compares the
// leaves of all others, in the same snapshots.
func (r *unitRun) compareChanged(ctx context.Context, txs []plan.Tx) error {
	proven, err := r.findUnchangedBlocks(ctx, txs)
	if err != nil {
		return err
	}
	var chunks []keyChunk
	for chunk := r.unit.From; chunk < r.unit.To; chunk++ {
		if s := r.chunkAt(chunk); !proven[s.block] {
			chunks = append(chunks, s)
		}
	}
	return r.compareAndRecord(ctx, txs, chunks)
}

const (
	// askedFirst: of so many blocks that were equal one is asked about before the others, and of fewer than twice as many two or three.
	sampleDivisor = 8
	// worthAsking: where fewer than one in so many is as it was, the others are digested unasked. Asking costs a third of it.
	minUnchangedDivisor = 4
)

// proveBlocks counts the blocks of the unit that are as they were on every node, and tells which they are.
func (r *unitRun) findUnchangedBlocks(ctx context.Context, txs []plan.Tx) (map[int]bool, error) {
	proven := map[int]bool{}
	first, others := sampleBlocks(r.baselineBlocks())
	if err := r.checkBlocks(ctx, txs, first, proven); err != nil || len(proven)*minUnchangedDivisor < len(first) {
		return proven, err
	}
	return proven, r.checkBlocks(ctx, txs, others, proven)
}

// sampleBlocks takes every so manieth block for a sample.
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

// knownBlocks gives the unit's blocks that were equal at the baseline.
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

// prove asks every node about some blocks and adds to proven those that are as they were.
func (r *unitRun) checkBlocks(ctx context.Context, txs []plan.Tx, known []plan.EqualBlock, proven map[int]bool) error {
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
		unchanged := true
		for node := range txs {
			f := found[node][i]
			unchanged = unchanged && f.Unchanged(t.Rows, t.Horizons[node])
			now.Horizons = append(now.Horizons, f.Horizon)
		}
		if unchanged {
			proven[t.Block] = true
			r.totals.AddEqual(t.Rows)
			r.totals.Unchanged++
			r.totals.EqualBlocks = append(r.totals.EqualBlocks, now)
		}
	}
	return nil
}

// trust keeps the blocks all of whose leaves stand here and are equal: what a later comparison may build on. A block that
// is equal only when its rows are read again is none.
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
