package diffkeys

import (
	"slices"

	"ace/shared/fault"
	"ace/shared/table"
)

// sort returns the canonical spellings of keys in key order, each once.
func (k *Keys) sort(keys []table.Key) ([]table.Key, error) {
	keys, err := k.canonical(keys)
	if err != nil {
		return nil, err
	}
	ranks, err := k.rank(keys)
	if err != nil {
		return nil, err
	}
	return inOrder(keys, ranks), nil
}

// inOrder returns the keys in the order of their ranks. Of keys with the same rank it
// returns only the first.
func inOrder(keys []table.Key, ranks []int) []table.Key {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}

	slices.SortStableFunc(order, func(a, b int) int { return ranks[a] - ranks[b] })
	order = slices.CompactFunc(order, func(a, b int) bool { return ranks[a] == ranks[b] })
	sorted := make([]table.Key, len(order))
	for i, at := range order {
		sorted[i] = keys[at]
	}

	return sorted
}

func (k *Keys) canonical(keys []table.Key) ([]table.Key, error) {
	if k.o.Canonical == nil || len(keys) == 0 {
		return keys, nil
	}
	texts, err := k.o.Canonical(keys)
	if err == nil && len(texts) != len(keys) {
		err = fault.New(fault.Internal, "the server returned the text of %d of %d keys", len(texts), len(keys))
	}
	return texts, err
}

func (k *Keys) rank(keys []table.Key) ([]int, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ranks, err := k.o.Rank(keys)
	if err == nil && len(ranks) != len(keys) {
		err = fault.New(fault.Internal, "the server ranked %d of %d keys", len(ranks), len(keys))
	}
	return ranks, err
}
