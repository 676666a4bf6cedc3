package tablediff

import (
	"context"

	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
)

// probedKeys are those that a unit looks at first where most of the keys may still differ.
const probedKeys = 1_000

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
	if !j.unit.Probe || len(keys) <= 2*probedKeys {
		return j.askKeys(ctx, keys, 0)
	}
	if err := j.askKeys(ctx, keys[:probedKeys], 0); err != nil {
		return err
	}
	if j.totals.Candidates > probedKeys/4 {
		return j.leaveKeys(keys, probedKeys)
	}
	return j.askKeys(ctx, keys[probedKeys:], probedKeys)
}

// askKeys keeps those of the keys as candidates whose digests are not the same on all nodes; before is how many keys the unit
// has before them.
func (j *job) askKeys(ctx context.Context, keys []table.Key, before int) error {
	var now [][]*int64
	err := j.inSnapshots(ctx, func(txs []Tx) (err error) {
		now, err = j.digests(ctx, txs, keys)
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
		j.totals.Keys++
		countRows(&j.totals, digest)
		if allSame(digest) {
			j.totals.Resolved++
			continue
		}
		if err := j.keepKey(candidate{Key: key, Digest: digest}, before+i); err != nil {
			return err
		}
	}
	return nil
}

// leaveKeys keeps the keys from a place on as candidates that nobody has asked about: where most keys still differ and there is no
// second look, to read their rows at once is less work.
func (j *job) leaveKeys(keys []table.Key, from int) error {
	for i, key := range keys[from:] {
		j.totals.Keys++
		if err := j.keepKey(candidate{Key: key}, from+i); err != nil {
			return err
		}
	}
	return nil
}

// keepKey keeps the unit's key of this place.
func (j *job) keepKey(c candidate, place int) error {
	c.Block = j.unit.From + place/blockKeys
	return j.keepOne(c)
}

// countRows counts the rows that the nodes have of a key.
func countRows[T any](totals *Totals, rows []*T) {
	nowhere := true
	for node, row := range rows {
		if row != nil {
			totals.RowsPerNode[node]++
			nowhere = false
		}
	}
	if nowhere {
		totals.Nowhere++
	}
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
