package worker

import (
	"context"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

const (
	// probedKeys is the number of keys that a compare unit compares first if most of the
	// keys may still differ. A confirm unit reads the rows of as many candidates first (see
	// report).
	probedKeys = 1_000
	// statementBytes bounds the text of the keys that one statement looks up. Once the keys
	// of some blocks have this many bytes, no further block is added to the statement.
	statementBytes = 8 << 20
)

// compareKeys does a compare unit of a rerun. It reads the digest of each key of some
// blocks on every node. A key is resolved if its rows are equal on all nodes, or if no
// node has a row for it.
func (r *unitRun) compareKeys(ctx context.Context) error {
	atOnce := 1
	if r.plan.Behavior == api.BehaviorHostDB {
		atOnce = plan.StatementBlocks
	}

	c := keyComparison{unitRun: r, probe: r.unit.Probe}
	var keys []table.Key
	size := 0
	for block := r.unit.From; block < r.unit.To; block++ {
		before := len(keys)
		var err error
		if keys, err = r.appendKeys(ctx, keys, block); err != nil {
			return err
		}

		for _, key := range keys[before:] {
			size += key.Len()
		}

		if last := block+1 == r.unit.To; !last && size < statementBytes && (block+1-r.unit.From)%atOnce != 0 {
			continue
		}
		if err := c.compare(ctx, keys); err != nil {
			return err
		}

		keys, size = keys[:0], 0
	}

	return nil
}

// keyComparison is the state of a unit that compares keys.
type keyComparison struct {
	*unitRun
	probe       bool // many keys may differ, so the first keys are compared to find out
	skipDigests bool // many keys differ, so the remaining keys become candidates without digests
}

// compare compares the next keys of the unit. If the unit is to probe and keys is long
// enough, it first compares the digests of probedKeys keys. If more than a quarter of the
// keys compared so far are candidates, all other keys become candidates without digests.
// The rows of candidates are read later in any case, so reading digests first would cost
// more than it saves.
func (c *keyComparison) compare(ctx context.Context, keys []table.Key) error {
	if c.probe && !c.skipDigests && len(keys) > 2*probedKeys {
		if err := c.compareDigests(ctx, keys[:probedKeys]); err != nil {
			return err
		}

		keys = keys[probedKeys:]
		c.probe = false
		c.skipDigests = c.totals.Candidates > c.totals.Keys/4
	}

	if !c.skipDigests {
		return c.compareDigests(ctx, keys)
	}

	for _, key := range keys {
		if err := c.writeNext(plan.Candidate{Key: key}); err != nil {
			return err
		}
		c.totals.Keys++
	}

	return nil
}

// compareDigests reads the digests of the keys and writes those that differ as
// candidates.
func (c *keyComparison) compareDigests(ctx context.Context, keys []table.Key) error {
	var now [][]*int64
	err := c.inSnapshots(ctx, func(txs []plan.Tx) (err error) {
		now, err = c.digests(ctx, txs, keys)
		return err
	})
	if err != nil {
		return err
	}

	digest := make([]*int64, len(now))
	for i, key := range keys {
		for node := range now {
			digest[node] = now[node][i]
		}

		countRows(&c.totals, digest)
		if allSame(digest) {
			c.totals.Resolved++
			c.recordAbsentNodes(key, digest)
		} else if err := c.writeNext(plan.Candidate{Key: key, Digest: digest}); err != nil {
			return err
		}

		c.totals.Keys++
	}

	return nil
}

// writeNext writes a candidate. It must be called before its key is counted, because it
// computes the candidate's block from the number of keys counted so far.
func (c *keyComparison) writeNext(next plan.Candidate) error {
	next.Block = c.unit.From + int(c.totals.Keys)/plan.BlockKeys
	return c.writeCandidate(next)
}

// countRows counts the rows that the nodes have for a key. rows has an element for each
// node, which is nil if the node has no row. If no node has a row, the key is counted in
// OnNoNode.
func countRows[T any](totals *plan.Totals, rows []*T) {
	nowhere := true
	for node, row := range rows {
		if row != nil {
			totals.RowsPerNode[node]++
			nowhere = false
		}
	}
	if nowhere {
		totals.OnNoNode++
	}
}

// appendKeys appends the keys of one block, which it reads from their part.
func (r *unitRun) appendKeys(ctx context.Context, keys []table.Key, block int) ([]table.Key, error) {
	source := plan.Unit{TaskID: r.unit.TaskID, PlanHash: r.unit.PlanHash, Phase: plan.PhaseKeys, Index: block}
	reader, err := part.Open(ctx, r.store, source.PartKey(), source.PartHeader())
	if err != nil {
		return nil, err
	}
	defer reader.Close()

	before := len(keys)
	for {
		line, err := reader.NextLine()
		if err != nil {
			return nil, err
		}
		if line == nil {
			break
		}

		key, err := plan.ReadKey(line)
		if err != nil {
			return nil, reader.Damaged(err)
		}

		keys = append(keys, key)
	}

	var totals plan.KeyTotals
	if err := reader.Totals(&totals); err != nil {
		return nil, err
	}
	if got := int64(len(keys) - before); got != totals.Keys {
		return nil, fault.New(fault.Internal, "part %s has %d keys instead of %d", source.PartKey(), got, totals.Keys)
	}

	return keys, nil
}
