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
func (j *job) compareChanged(ctx context.Context, txs []plan.Tx) error {
	proven, err := j.proveBlocks(ctx, txs)
	if err != nil {
		return err
	}
	var leaves []stretch
	for leaf := j.unit.From; leaf < j.unit.To; leaf++ {
		if s := j.leaf(leaf); !proven[s.block] {
			leaves = append(leaves, s)
		}
	}
	return j.compareAll(ctx, txs, leaves)
}

const (
	// askedFirst: of so many blocks that were equal one is asked about before the others, and of fewer than twice as many two or three.
	askedFirst = 8
	// worthAsking: where fewer than one in so many is as it was, the others are digested unasked. Asking costs a third of it.
	worthAsking = 4
)

// proveBlocks counts the blocks of the unit that are as they were on every node, and tells which they are.
func (j *job) proveBlocks(ctx context.Context, txs []plan.Tx) (map[int]bool, error) {
	proven := map[int]bool{}
	first, others := sampleBlocks(j.knownBlocks())
	if err := j.prove(ctx, txs, first, proven); err != nil || len(proven)*worthAsking < len(first) {
		return proven, err
	}
	return proven, j.prove(ctx, txs, others, proven)
}

// sampleBlocks takes every so manieth block for a sample.
func sampleBlocks(known []plan.EqualBlock) (sample, others []plan.EqualBlock) {
	every := max(1, min(askedFirst, len(known)/2))
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
func (j *job) knownBlocks() []plan.EqualBlock {
	var known []plan.EqualBlock
	blocks := j.plan.Known.Blocks
	first, _ := slices.BinarySearchFunc(blocks, j.unit.From, func(t plan.EqualBlock, leaf int) int {
		from, _ := j.plan.Layout.ChunksOfBlock(t.Block)
		return cmp.Compare(from, leaf)
	})
	for _, t := range blocks[first:] {
		if _, to := j.plan.Layout.ChunksOfBlock(t.Block); to > j.unit.To {
			break
		}
		if len(t.Horizons) == len(j.nodes) {
			known = append(known, t)
		}
	}
	return known
}

// prove asks every node about some blocks and adds to proven those that are as they were.
func (j *job) prove(ctx context.Context, txs []plan.Tx, known []plan.EqualBlock, proven map[int]bool) error {
	if len(known) == 0 {
		return nil
	}
	ranges := make([]table.Range, len(known))
	for i, t := range known {
		ranges[i] = j.plan.Layout.KeyRange(j.plan.Layout.ChunksOfBlock(t.Block))
	}
	found := make([][]table.Freshness, len(txs))
	err := j.onAll(ctx, func(ctx context.Context, node int) (err error) {
		found[node], err = txs[node].Freshness(ctx, j.sources[node], ranges)
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
			j.totals.AddEqual(t.Rows)
			j.totals.Unchanged++
			j.totals.EqualBlocks = append(j.totals.EqualBlocks, now)
		}
	}
	return nil
}

// trust keeps the blocks all of whose leaves stand here and are equal: what a later comparison may build on. A block that
// is equal only when its rows are read again is none.
func (j *job) trust(leaves []stretch, sums [][]table.Sum, horizons []int64) {
	for i := 0; i < len(leaves); {
		block := leaves[i].block
		from, to := j.plan.Layout.ChunksOfBlock(block)
		equal, first, rows := true, i, int64(0)
		for ; i < len(leaves) && leaves[i].block == block; i++ {
			rows += sums[0][i].Rows
			for node := range sums {
				equal = equal && sums[node][i] == sums[0][i]
			}
		}
		if equal && i-first == to-from {
			j.totals.EqualBlocks = append(j.totals.EqualBlocks, plan.EqualBlock{Block: block, Rows: rows, Horizons: horizons})
		}
	}
}
