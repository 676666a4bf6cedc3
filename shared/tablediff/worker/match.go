package worker

import (
	"slices"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// entry is one key while the lists of the nodes are matched. It has, per node, the digest
// of the key's row and the position of the key in the node's list.
type entry struct {
	key      table.Key
	digest   []*int64
	position []int
}

func (e *entry) differs() bool {
	for _, d := range e.digest[1:] {
		if !sameDigest(e.digest[0], d) {
			return true
		}
	}
	return false
}

// duplicateKeyError means that a node has two rows with one key. If rows were matched
// anyway, one of the two rows would be ignored. An undamaged unique index does not allow
// two such rows.
type duplicateKeyError struct {
	node int
	key  table.Key
}

// Error names the key.
func (e *duplicateKeyError) Error() string { return "two rows have the key " + e.key.String() }

// matchRange matches the lists of the nodes for one range, each in key order. It returns
// the candidates in key order and the number of distinct keys. If a node lists a key
// twice, the error is a duplicateKeyError.
//
// Keys are first matched by their text. If some node has all keys whose rows differ, its
// list shows the order of these keys. Otherwise matchRange calls rank, which asks a
// server for the ranks of these keys in key order. The ranks show the order, and which
// texts are equal keys (1.0 and 1.00).
func matchRange(lists [][]table.Listed, rank func([]table.Key) ([]int, error)) ([]plan.Candidate, int64, error) {
	if listSameKeys(lists) {
		return matchAligned(lists), int64(len(lists[0])), nil
	}

	entries, err := matchByText(lists)
	if err != nil {
		return nil, 0, err
	}

	differing := slices.DeleteFunc(slices.Clone(entries), func(e *entry) bool { return !e.differs() })
	if len(differing) == 0 {
		return nil, int64(len(entries)), nil
	}

	keys := int64(len(entries))
	if node := hasAll(differing, len(lists)); node >= 0 {
		slices.SortFunc(differing, func(a, b *entry) int { return a.position[node] - b.position[node] })
	} else {
		merged, err := mergeByRank(differing, rank)
		if err != nil {
			return nil, 0, err
		}

		keys -= int64(len(differing) - len(merged))
		differing = merged
	}

	candidates := make([]plan.Candidate, 0, len(differing))
	for _, e := range differing {
		if e.differs() {
			candidates = append(candidates, plan.Candidate{Key: e.key, Digest: e.digest})
		}
	}

	return candidates, keys, nil
}

// listSameKeys reports whether all nodes list the same keys, each key once. That is the
// case if rows were only updated. Then the lists can be matched by position. Lists are in
// key order, so a duplicate key would directly follow itself.
func listSameKeys(lists [][]table.Listed) bool {
	for _, list := range lists[1:] {
		if len(list) != len(lists[0]) {
			return false
		}
	}

	for i, row := range lists[0] {
		if i > 0 && row.Key.Equal(lists[0][i-1].Key) {
			return false
		}
		for _, list := range lists[1:] {
			if !list[i].Key.Equal(row.Key) {
				return false
			}
		}
	}

	return true
}

func matchAligned(lists [][]table.Listed) []plan.Candidate {
	var candidates []plan.Candidate
	for i, row := range lists[0] {
		differs := false
		for _, list := range lists[1:] {
			differs = differs || list[i].Digest != row.Digest
		}

		if !differs {
			continue
		}

		digests := make([]*int64, len(lists))
		for node, list := range lists {
			digests[node] = &list[i].Digest
		}

		candidates = append(candidates, plan.Candidate{Key: row.Key, Digest: digests})
	}

	return candidates
}

func matchByText(lists [][]table.Listed) ([]*entry, error) {
	byText := map[string]*entry{}
	var entries []*entry
	for node, list := range lists {
		for place, row := range list {
			text := textOf(row.Key)
			e := byText[text]
			if e == nil {
				e = &entry{key: row.Key, digest: make([]*int64, len(lists)), position: make([]int, len(lists))}
				byText[text] = e
				entries = append(entries, e)
			}

			if e.digest[node] != nil {
				return nil, &duplicateKeyError{node, row.Key}
			}

			digest := row.Digest
			e.digest[node] = &digest
			e.position[node] = place
		}
	}

	return entries, nil
}

// hasAll returns a node that has all of these keys, or -1 if there is none. The positions
// of the keys in that node's list show their order.
func hasAll(entries []*entry, nodes int) int {
	for node := range nodes {
		if !slices.ContainsFunc(entries, func(e *entry) bool { return e.digest[node] == nil }) {
			return node
		}
	}
	return -1
}

// mergeByRank sorts entries in key order and merges those whose keys the index considers
// equal. A merged entry has the spelling of the first node that lists such a key.
func mergeByRank(entries []*entry, rank func([]table.Key) ([]int, error)) ([]*entry, error) {
	keys := make([]table.Key, len(entries))
	for i, e := range entries {
		keys[i] = e.key
	}

	ranks, err := rank(keys)
	if err != nil {
		return nil, err
	}
	if len(ranks) != len(keys) {
		return nil, fault.New(fault.Internal, "the server ranked %d of %d keys", len(ranks), len(keys))
	}

	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}

	slices.SortStableFunc(order, func(a, b int) int { return ranks[a] - ranks[b] })
	var merged []*entry
	for i, at := range order {
		e := entries[at]
		if i == 0 || ranks[order[i-1]] != ranks[at] {
			merged = append(merged, e)
			continue
		}

		if err := merged[len(merged)-1].merge(e); err != nil {
			return nil, err
		}
	}

	return merged, nil
}

// merge adds the rows of another spelling of the key.
func (e *entry) merge(o *entry) error {
	for node, digest := range o.digest {
		switch {
		case digest == nil:
		case e.digest[node] != nil:
			return &duplicateKeyError{node, o.key}
		default:
			e.digest[node] = digest
		}
	}
	return nil
}
