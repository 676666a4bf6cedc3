package worker

import (
	"context"
	"errors"
	"slices"

	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// The keys of a rerun are often close together, for instance after an outage or if all
// keys of a table differ. Then reading a range of the key's index costs half as much as
// looking up each key. The result of a range is used only if it is unambiguous: every
// node has the same keys in the range, and these keys include every key of the rerun that
// belongs to the range, with the same text. All other keys are looked up one by one.

const (
	// rangeKeys is the number of keys that are read as one range.
	rangeKeys = 256
	// maxRangeDensity bounds the rows of a range: it may have at most maxRangeDensity *
	// rangeKeys rows. If any range has more, all keys are looked up one by one.
	maxRangeDensity = 2
)

// digests returns, for every node, the digest of the row of each key, or nil for a key
// without a row. The caller must not use the transactions afterwards, since digests ends
// them.
func (r *unitRun) digests(ctx context.Context, txs []plan.Tx, keys []table.Key) ([][]*int64, error) {
	found := make([][]*int64, len(txs))
	for node := range found {
		found[node] = make([]*int64, len(keys))
	}

	left := fanout.Indexes(len(keys))
	if r.triesRanges(len(keys)) {
		var err error
		if left, err = r.digestRanges(ctx, txs, keys, found); err != nil {
			return nil, err
		}
	}

	return found, r.lookUp(ctx, txs, keys, left, found)
}

// triesRanges reports whether reading ranges is likely to be faster than looking up this
// many keys one by one.
func (r *unitRun) triesRanges(keys int) bool {
	return keys > 4*rangeKeys && !r.plan.ByText && r.plan.Sources[0].KeyDigest != ""
}

// lookUp looks up the keys whose indexes are in places, and stores their digests in
// found.
func (r *unitRun) lookUp(ctx context.Context, txs []plan.Tx, keys []table.Key, places []int, found [][]*int64) error {
	wanted := make([]table.Key, len(places))
	for i, place := range places {
		wanted[i] = keys[place]
	}
	return r.onAll(ctx, func(ctx context.Context, node int) error {
		digests, err := txs[node].Digests(ctx, r.sources[node], wanted, table.EndTransaction)
		for i, digest := range digests {
			found[node][places[i]] = digest
		}
		return err
	})
}

// digestRanges reads ranges of keys and stores the digests in found. It returns the
// indexes of the keys that must be looked up one by one. It first reads one range from
// the middle. If that range, or later any range, has too many rows (see maxRangeDensity),
// it returns all indexes.
func (r *unitRun) digestRanges(ctx context.Context, txs []plan.Tx, keys []table.Key, found [][]*int64) (left []int, err error) {
	var ranges []table.Range // the last keys are in no range, since no key follows them at which a range could end
	for from := 0; from+rangeKeys < len(keys); from += rangeKeys {
		ranges = append(ranges, table.Range{Lo: keys[from], Hi: keys[from+rangeKeys]})
	}

	middle := len(ranges) / 2
	if prints, err := r.fingerprintRanges(ctx, txs, ranges[middle:middle+1]); err != nil || prints == nil {
		return fanout.Indexes(len(keys)), err
	}

	prints, err := r.fingerprintRanges(ctx, txs, ranges)
	if err != nil || prints == nil {
		return fanout.Indexes(len(keys)), err
	}

	for i := range ranges {
		from := i * rangeKeys
		ok, err := fillFromRange(nthOf(prints, i), keys[from:from+rangeKeys], from, found)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "node %q: cannot read the keys of %s", r.plan.Nodes[0], plan.DescribeRange(ranges[i]))
		}

		if !ok {
			left = appendNumbers(left, from, from+rangeKeys)
		}
	}

	return appendNumbers(left, len(ranges)*rangeKeys, len(keys)), nil
}

func appendNumbers(places []int, from, to int) []int {
	for place := from; place < to; place++ {
		places = append(places, place)
	}
	return places
}

// fingerprintRanges returns, for every node, the fingerprint of each range. If any range
// has too many rows (see maxRangeDensity), it returns nil.
func (r *unitRun) fingerprintRanges(ctx context.Context, txs []plan.Tx, ranges []table.Range) ([][]table.Fingerprint, error) {
	prints := make([][]table.Fingerprint, len(txs))
	tooMany := make([]bool, len(txs))
	const each = maxRangeDensity * rangeKeys
	err := r.onAll(ctx, func(ctx context.Context, node int) (err error) {
		source := r.sources[node]
		source.Filter = "" // a rerun ignores the filter
		prints[node], err = txs[node].Fingerprints(ctx, source, ranges, table.FingerprintRequest{Keys: node == 0, MaxRangeRows: each, MaxRows: each * int64(len(ranges))})
		if errors.Is(err, table.ErrMore) {
			tooMany[node], err = true, nil
		}

		return err
	})
	if err != nil || slices.Contains(tooMany, true) {
		return nil, err
	}

	return prints, nil
}

// fillFromRange copies the digests of keys from the fingerprints of their range to found,
// beginning at index from. It returns false, and copies nothing, if the nodes have
// different keys in the range, if one of keys is not in the range, or if the range has a
// key twice.
func fillFromRange(prints []table.Fingerprint, keys []table.Key, from int, found [][]*int64) (bool, error) {
	first := prints[0]
	for _, other := range prints[1:] {
		if other.KeyDigest != first.KeyDigest || len(other.Rows) != len(first.Rows) {
			return false, nil
		}
	}

	there, err := first.KeysAt(fanout.Indexes(len(first.Rows)))
	if err != nil {
		return false, err
	}

	places := make([]int, 0, len(keys))
	for place, key := range there {
		if place > 0 && key.Equal(there[place-1]) { // a duplicate; the caller then looks up the keys one by one, and reports it
			return false, nil
		}
		if len(places) < len(keys) && key.Equal(keys[len(places)]) {
			places = append(places, place)
		}
	}

	if len(places) < len(keys) {
		return false, nil
	}

	for node := range prints {
		for i, place := range places {
			found[node][from+i] = &prints[node].Rows[place]
		}
	}

	return true, nil
}
