package worker

import (
	"context"
	"errors"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// Where most leaves differ, digesting them first would only be more work: their rows are compared one by one at once.

// narrowAll narrows every leaf of the unit from this one on.
func (j *job) narrowAll(ctx context.Context, from int) error {
	leaves := make([]compared, 0, j.unit.To-from)
	for leaf := from; leaf < j.unit.To; leaf++ {
		leaves = append(leaves, compared{stretch: j.leaf(leaf), leaf: leaf, most: j.plan.ChunkRows})
	}
	limit := listLimit(j.plan)
	return j.inGroups(leaves, limit, func(group []compared) error {
		if j.plan.Sources[0].KeyDigest == "" || j.plan.Layout.Chunks() == 1 {
			return j.narrowGroup(ctx, group, 2*limit)
		}
		return j.narrowByPlace(ctx, group, 2*limit)
	})
}

// placed is what the nodes say of a leaf's rows, in key order. If its keys are the same on every node, the n-th row has
// the same key everywhere, and it is enough to compare the n-th digests. Else its rows are listed.
type placed struct {
	compared
	prints []table.Fingerprint // per node; the first has the keys
	alike  bool
	lists  [][]table.Listed // per node, of a leaf that is not alike
}

// narrowByPlace narrows some leaves, each statement in one snapshot per node.
func (j *job) narrowByPlace(ctx context.Context, group []compared, limit int64) error {
	leaves, err := j.fingerprints(ctx, group, limit)
	if err == nil {
		err = j.listUnlike(ctx, leaves, limit)
	}
	switch {
	case errors.Is(err, table.ErrMore):
		return j.narrowGrown(ctx, group, limit)
	case err != nil:
		return err
	}
	for _, leaf := range leaves {
		if leaf.alike {
			err = j.matchPlaces(leaf)
		} else {
			err = j.matchOne(j.rank(ctx), leaf.lists, leaf.compared)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fingerprints digests every row of the leaves on every node.
func (j *job) fingerprints(ctx context.Context, group []compared, limit int64) ([]*placed, error) {
	ranges := make([]table.Range, len(group))
	for i, leaf := range group {
		ranges[i] = leaf.Range
	}
	prints := make([][]table.Fingerprint, len(j.nodes))
	err := j.inSnapshots(ctx, func(txs []plan.Tx) error {
		return j.onAll(ctx, func(ctx context.Context, node int) (err error) {
			txs[node].Last()
			prints[node], err = txs[node].Fingerprints(ctx, j.sources[node], ranges, node == 0, limit, limit)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	leaves := make([]*placed, len(group))
	for i := range group {
		leaf := &placed{compared: group[i], alike: true}
		for node := range prints {
			own, first := prints[node][i], prints[0][i]
			leaf.prints = append(leaf.prints, own)
			leaf.alike = leaf.alike && own.KeyDigest == first.KeyDigest && len(own.Rows) == len(first.Rows)
		}
		leaves[i] = leaf
	}
	return leaves, nil
}

// listUnlike lists the leaves whose keys are not the same everywhere.
func (j *job) listUnlike(ctx context.Context, leaves []*placed, limit int64) error {
	var unlike []*placed
	var group []compared
	for _, leaf := range leaves {
		if !leaf.alike {
			unlike, group = append(unlike, leaf), append(group, leaf.compared)
		}
	}
	if len(unlike) == 0 {
		return nil
	}
	var lists [][][]table.Listed
	err := j.inSnapshots(ctx, func(txs []plan.Tx) (err error) {
		lists, err = j.lists(ctx, txs, group, limit)
		return err
	})
	if err != nil {
		return err
	}
	for i, leaf := range unlike {
		leaf.lists = nthOf(lists, i)
	}
	return nil
}

// matchPlaces finds the candidates of an alike leaf.
func (j *job) matchPlaces(leaf *placed) error {
	j.totals.AddEqual(int64(len(leaf.prints[0].Rows)))
	for node, own := range leaf.prints {
		j.addListed(node, sumDigests(own.Rows))
	}
	places := leaf.differing()
	keys, err := leaf.prints[0].KeysAt(places)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "node %q: keys of %s cannot be read", j.plan.Nodes[0], plan.DescribeRange(leaf.Range))
	}
	found := make([]plan.Candidate, len(places))
	for i, place := range places {
		found[i] = plan.Candidate{Key: keys[i], Digest: make([]*int64, len(leaf.prints))}
		for node := range leaf.prints {
			found[i].Digest[node] = &leaf.prints[node].Rows[place]
		}
	}
	return j.keep(found, leaf.block)
}

// differing gives the places where the digests are not the same on all nodes.
func (p *placed) differing() []int {
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
