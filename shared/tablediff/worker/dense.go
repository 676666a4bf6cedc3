package worker

import (
	"context"
	"errors"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// If most chunks differ, digesting chunks first would only be additional work. So the
// digests of all rows are read at once and compared row by row.

// narrowAll finds the candidates in every chunk of the unit, beginning at chunk from. It
// does not digest the chunks first.
func (r *unitRun) narrowAll(ctx context.Context, from int) error {
	chunks := make([]differingChunk, 0, r.unit.To-from)
	for chunk := from; chunk < r.unit.To; chunk++ {
		chunks = append(chunks, differingChunk{keyChunk: r.chunkAt(chunk), chunk: chunk, maxRows: r.plan.ChunkRows})
	}

	limit := listLimit(r.plan)
	return r.narrowInGroups(chunks, limit, func(group []differingChunk) error {
		if r.plan.Sources[0].KeyDigest == "" || r.plan.Layout.Chunks() == 1 {
			return r.narrowGroup(ctx, group, 2*limit)
		}
		return r.narrowByPosition(ctx, group, 2*limit)
	})
}

// chunkPrints holds the digests of the rows that the nodes have in one chunk, in key
// order. If the keys are the same on every node, the n-th row has the same key
// everywhere, so it is enough to compare the n-th digests. Otherwise the rows are listed.
type chunkPrints struct {
	differingChunk
	prints   []table.Fingerprint // per node; only the fingerprint of the first node has the keys
	sameKeys bool
	lists    [][]table.Listed // the listed rows per node, if the keys are not the same
}

// narrowByPosition finds the candidates of some chunks. In a chunk with the same keys on
// every node, it compares the n-th digests of the nodes. It lists the rows of the other
// chunks.
func (r *unitRun) narrowByPosition(ctx context.Context, group []differingChunk, limit int64) error {
	chunks, err := r.fingerprintChunks(ctx, group, limit)
	if err == nil {
		err = r.listOthers(ctx, chunks, limit)
	}

	switch {
	case errors.Is(err, table.ErrMore):
		return r.narrowOversized(ctx, group, limit)
	case err != nil:
		return err
	}

	for _, chunk := range chunks {
		if chunk.sameKeys {
			err = r.matchPositions(chunk)
		} else {
			err = r.matchOne(r.rank(ctx), chunk.lists, chunk.differingChunk)
		}
		if err != nil {
			return err
		}
	}

	return nil
}

// fingerprintChunks digests every row of the chunks on every node. It returns an element
// for each chunk of group, and determines whether the nodes have the same keys in the
// chunk.
func (r *unitRun) fingerprintChunks(ctx context.Context, group []differingChunk, limit int64) ([]*chunkPrints, error) {
	ranges := make([]table.Range, len(group))
	for i, chunk := range group {
		ranges[i] = chunk.Range
	}

	prints := make([][]table.Fingerprint, len(r.nodes))
	err := r.inSnapshots(ctx, func(txs []plan.Tx) error {
		return r.onAll(ctx, func(ctx context.Context, node int) (err error) {
			want := table.FingerprintRequest{Keys: node == 0, MaxRangeRows: limit, MaxRows: limit}
			prints[node], err = txs[node].Fingerprints(ctx, r.sources[node], ranges, want, table.EndTransaction)
			return err
		})
	})
	if err != nil {
		return nil, err
	}

	chunks := make([]*chunkPrints, len(group))
	for i := range group {
		chunk := &chunkPrints{differingChunk: group[i], sameKeys: true}
		for node := range prints {
			own, first := prints[node][i], prints[0][i]
			chunk.prints = append(chunk.prints, own)
			chunk.sameKeys = chunk.sameKeys && own.KeyDigest == first.KeyDigest && len(own.Rows) == len(first.Rows)
		}

		chunks[i] = chunk
	}

	return chunks, nil
}

// listOthers lists the rows of those chunks whose keys are not the same on all nodes.
func (r *unitRun) listOthers(ctx context.Context, chunks []*chunkPrints, limit int64) error {
	var unlike []*chunkPrints
	var group []differingChunk
	for _, chunk := range chunks {
		if !chunk.sameKeys {
			unlike = append(unlike, chunk)
			group = append(group, chunk.differingChunk)
		}
	}

	if len(unlike) == 0 {
		return nil
	}

	var lists [][][]table.Listed
	err := r.inSnapshots(ctx, func(txs []plan.Tx) (err error) {
		lists, err = r.listRows(ctx, txs, group, limit)
		return err
	})
	if err != nil {
		return err
	}

	for i, chunk := range unlike {
		chunk.lists = nthOf(lists, i)
	}

	return nil
}

// matchPositions finds the candidates of a chunk that has the same keys on every node.
func (r *unitRun) matchPositions(chunk *chunkPrints) error {
	r.totals.AddEqual(int64(len(chunk.prints[0].Rows)))
	for node, own := range chunk.prints {
		r.addListed(node, sumDigests(own.Rows))
	}

	places := chunk.differingPositions()
	keys, err := chunk.prints[0].KeysAt(places)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "node %q: cannot read the keys of %s", r.plan.Nodes[0], plan.DescribeRange(chunk.Range))
	}

	found := make([]plan.Candidate, len(places))
	for i, place := range places {
		found[i] = plan.Candidate{Key: keys[i], Digest: make([]*int64, len(chunk.prints))}
		for node := range chunk.prints {
			found[i].Digest[node] = &chunk.prints[node].Rows[place]
		}
	}

	return r.writeCandidates(found, chunk.block)
}

// differingPositions returns the positions where the digests are not the same on all
// nodes.
func (p *chunkPrints) differingPositions() []int {
	var places []int
	for place, digest := range p.prints[0].Rows {
		for _, other := range p.prints[1:] {
			if other.Rows[place] != digest {
				places = append(places, place)
				break
			}
		}
	}
	return places
}
