package tablediff

import (
	"context"

	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
)

// compareKeys does a unit of a rerun: read the digest of each key of some blocks on every node. What is equal, or absent
// everywhere, is resolved.
func (j *job) compareKeys(ctx context.Context) error {
	var keys []table.Key
	for block := j.unit.From; block < j.unit.To; block++ {
		var err error
		if keys, err = j.appendKeys(ctx, keys, block); err != nil {
			return err
		}
	}
	now := make([][]*int64, len(j.nodes))
	err := j.inSnapshots(ctx, func(txs []Tx) error {
		return j.onAll(ctx, func(ctx context.Context, node int) (err error) {
			txs[node].Last()
			now[node], err = txs[node].Digests(ctx, j.sources[node], keys)
			return err
		})
	})
	if err != nil {
		return err
	}
	differing := map[int]bool{}
	for i, key := range keys {
		digest := make([]*int64, len(now))
		for node := range now {
			if digest[node] = now[node][i]; digest[node] != nil {
				j.totals.RowsPerNode[node]++
			}
		}
		j.totals.Keys++
		if allSame(digest) {
			j.totals.Resolved++
			if digest[0] == nil {
				j.totals.Nowhere++
			}
			continue
		}
		block := j.unit.From + i/blockKeys
		differing[block] = true
		if err := j.keep([]candidate{{Key: key, Digest: digest}}, block); err != nil {
			return err
		}
	}
	j.totals.Differing = len(differing)
	return nil
}

// appendKeys reads the part of keys of one block.
func (j *job) appendKeys(ctx context.Context, keys []table.Key, block int) ([]table.Key, error) {
	source := Unit{TaskID: j.unit.TaskID, PlanHash: j.unit.PlanHash, Phase: phaseKeys, Index: block}
	reader, err := part.Open(ctx, j.store, source.key(), source.header())
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
		key, err := readKey(line)
		if err != nil {
			return nil, reader.Damaged(err)
		}
		keys = append(keys, key)
	}
	var totals keyTotals
	if err := reader.Totals(&totals); err != nil {
		return nil, err
	}
	if got := int64(len(keys) - before); got != totals.Keys {
		return nil, fault.New(fault.Internal, "part %s has %d keys instead of %d", source.key(), got, totals.Keys)
	}
	return keys, nil
}

// checkKeysCompared makes sure that the compare parts cover every block of keys once, and looked at every key of it.
// Without this nothing may be called a match.
func checkKeysCompared(list keyList, parts []Totals) error {
	block := 0
	for i, p := range parts {
		if p.From != block || p.To <= p.From || p.To > list.Blocks {
			return fault.New(fault.Internal, "part %d of %d has blocks %d to %d of %d, the one before it ends at %d: the comparison is incomplete",
				i+1, len(parts), p.From, p.To, list.Blocks, block)
		}
		if want := list.keysIn(p.From, p.To); p.Keys != want || p.Keys != p.Resolved+p.Candidates {
			return fault.New(fault.Internal, "part %d of %d has looked at %d of %d keys, of which %d are equal and %d are not: the comparison is incomplete",
				i+1, len(parts), p.Keys, want, p.Resolved, p.Candidates)
		}
		block = p.To
	}
	if block != list.Blocks {
		return fault.New(fault.Internal, "the parts cover %d of %d blocks: the comparison is incomplete", block, list.Blocks)
	}
	return nil
}
