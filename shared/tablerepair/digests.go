package tablerepair

import (
	"context"
	"errors"
	"slices"

	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/table"
)

// Many keys of a repair are often close together, for instance after an outage. Then
// reading a range of the key's index costs the server half as much as looking up each
// key. A digest from a range is used only if the row has a key of the repair with the
// same text. All other keys are looked up one by one.

const (
	// rangeKeys is the number of keys that are read as one range.
	rangeKeys = 256
	// maxRangeDensity bounds the rows of a range: it may have at most maxRangeDensity *
	// rangeKeys rows. If any range has more, all keys are looked up one by one.
	maxRangeDensity = 2
)

// readDigests returns what from.Digests returns: for each key the digest of its row, or
// nil if no row has the key.
func readDigests(ctx context.Context, from Reader, s table.Source, keys []table.Key) ([]*int64, error) {
	digests := make([]*int64, len(keys))
	left := fanout.Indexes(len(keys))
	if triesRanges(s, len(keys)) {
		var err error
		if left, err = digestRanges(ctx, from, s, keys, digests); err != nil || len(left) == 0 {
			return digests, err
		}
	}

	found, err := from.Digests(ctx, s, keysAt(keys, left))
	if err != nil {
		return nil, err
	}
	for i, place := range left {
		digests[place] = found[i]
	}
	return digests, nil
}

// triesRanges reports whether reading ranges is likely to be faster than looking up this
// many keys. The key must consist of integers and uuids, because their texts are values
// on every node. A node may be unable to read another text as a bound of a range.
func triesRanges(s table.Source, keys int) bool {
	plain := func(name string) bool {
		return name == "bigint" || name == "pg_catalog.int8" || name == "uuid" || name == "pg_catalog.uuid"
	}
	return keys > 4*rangeKeys && s.KeyDigest != "" &&
		!slices.ContainsFunc(s.KeyType, func(name string) bool { return !plain(name) })
}

// digestRanges reads ranges of keys and stores the digests of their rows in digests. It
// returns the indexes of the keys that must be looked up. It first reads one range from
// the middle. If that range, or later any range, has too many rows (see maxRangeDensity),
// it returns all indexes.
func digestRanges(ctx context.Context, from Reader, s table.Source, keys []table.Key, digests []*int64) (left []int, err error) {
	var ranges []table.Range // the last keys are in no range, since no key follows them at which a range could end
	for at := 0; at+rangeKeys < len(keys); at += rangeKeys {
		ranges = append(ranges, table.Range{Lo: keys[at], Hi: keys[at+rangeKeys]})
	}

	s.Filter = "" // a look-up ignores the filter, too
	read := func(ranges []table.Range) ([]table.Fingerprint, error) {
		const each = maxRangeDensity * rangeKeys
		return from.Fingerprints(ctx, s, ranges, table.FingerprintRequest{Keys: true, MaxRangeRows: each, MaxRows: each * int64(len(ranges))})
	}
	middle := len(ranges) / 2
	_, err = read(ranges[middle : middle+1])
	var prints []table.Fingerprint
	if err == nil {
		prints, err = read(ranges)
	}
	if errors.Is(err, table.ErrMore) {
		return fanout.Indexes(len(keys)), nil
	}
	if err != nil {
		return nil, err
	}

	for i, of := range prints {
		missing, err := fillDigests(of, keys[i*rangeKeys:(i+1)*rangeKeys], digests[i*rangeKeys:])
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "node %q: cannot read the keys of a range", s.Node)
		}
		for _, at := range missing {
			left = append(left, i*rangeKeys+at)
		}
	}
	for at := len(ranges) * rangeKeys; at < len(keys); at++ {
		left = append(left, at)
	}
	return left, nil
}

// fillDigests stores the digests of the rows of a range that have one of keys. It returns
// the indexes of the keys for which the range has no row with the same text of the key,
// or more than one.
func fillDigests(of table.Fingerprint, keys []table.Key, digests []*int64) (missing []int, err error) {
	there, err := of.KeysAt(fanout.Indexes(len(of.Rows)))
	if err != nil {
		return nil, err
	}
	next := 0
	for i, key := range keys {
		at := next
		for at < len(there) && !there[at].Equal(key) {
			at++
		}
		switch {
		case at == len(there): // the key is absent, or the rows have another order
			missing = append(missing, i)
		case at+1 < len(there) && there[at+1].Equal(key): // a duplicate, which the look-up reports
			missing = append(missing, i)
			next = at + 1
		default:
			digests[i] = &of.Rows[at]
			next = at + 1
		}
	}
	return missing, nil
}
