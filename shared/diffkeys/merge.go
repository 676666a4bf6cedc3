package diffkeys

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// All returns the keys in key order, each once. If an error occurs, the iteration ends
// with an element that has a nil key and the error. All may be called more than once.
func (k *Keys) All(ctx context.Context) iter.Seq2[table.Key, error] {
	return func(yield func(table.Key, error) bool) {
		errStop := errors.New("the caller needs no more")
		err := k.each(ctx, func(key table.Key) error {
			if !yield(key, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	}
}

func (k *Keys) each(ctx context.Context, fn func(table.Key) error) error {
	for _, key := range k.memory {
		if err := fn(key); err != nil {
			return err
		}
	}
	if err := k.reduce(ctx); err != nil {
		return err
	}
	return k.merge(ctx, k.runs, fn)
}

// reduce merges runs into longer runs until at most fanIn runs are left, which can be
// merged at once.
func (k *Keys) reduce(ctx context.Context) error {
	for len(k.runs) > k.o.limits.fanIn {
		some := k.runs[:k.o.limits.fanIn]
		rest := k.runs[k.o.limits.fanIn:]
		joined, err := k.join(ctx, some)
		if err != nil {
			return err
		}
		k.runs = append(slices.Clone(rest), joined)
	}
	return nil
}

// join merges some runs into a new one.
func (k *Keys) join(ctx context.Context, some []int) (int, error) {
	w, err := k.create(ctx)
	if err != nil {
		return 0, err
	}
	defer w.abort()
	err = k.merge(ctx, some, func(key table.Key) error { return w.write([]table.Key{key}) })
	if err != nil {
		return 0, err
	}
	return w.number, w.seal(ctx)
}

// merge passes the keys of some runs to fn in key order, each once.
func (k *Keys) merge(ctx context.Context, runs []int, fn func(table.Key) error) error {
	var heads []*runHead
	defer func() {
		for _, h := range heads {
			h.Close()
		}
	}()

	for _, run := range runs {
		h, err := k.open(ctx, run)
		if err != nil {
			return err
		}

		heads = append(heads, h)
	}

	for {
		left := 0
		for _, h := range heads {
			if err := h.fill(k.o.limits); err != nil {
				return err
			}
			if len(h.keys) > 0 {
				left++
			}
		}

		if left == 0 {
			return nil
		}
		if err := k.emitRound(heads, left, fn); err != nil {
			return err
		}
	}
}

// emitRound passes the buffered keys up to a bound to fn, in key order. Keys of a run
// that were not read yet are higher than the last buffered key of the run. So the bound
// is the lowest of the last buffered keys of those runs that are not read completely.
// Each element of heads reads one run, and left is the number of heads with buffered
// keys.
func (k *Keys) emitRound(heads []*runHead, left int, fn func(table.Key) error) error {
	ranks, err := k.rankHeads(heads, left)
	if err != nil {
		return err
	}

	bound := math.MaxInt
	for i, h := range heads {
		if h.more && len(h.keys) > 0 {
			bound = min(bound, ranks[i][len(h.keys)-1])
		}
	}

	var keys []table.Key
	var places []int
	for i, h := range heads {
		n := 0
		for n < len(h.keys) && ranks[i][n] <= bound {
			n++
		}

		keys = append(keys, h.keys[:n]...)
		places = append(places, ranks[i][:n]...)
		h.keys = append(h.keys[:0:0], h.keys[n:]...) // a copy, so that the memory of the keys passed to fn can be freed
	}

	for _, key := range inOrder(keys, places) {
		if err := fn(key); err != nil {
			return err
		}
	}

	return nil
}

// rankHeads ranks the buffered keys of all heads together. It returns, for each head, the
// rank of each buffered key. left is the number of heads that have buffered keys. If only
// one head has buffered keys, the rank of a key is its index in the buffer, so no server
// is needed.
func (k *Keys) rankHeads(heads []*runHead, left int) ([][]int, error) {
	ranks := make([][]int, len(heads))
	if left == 1 {
		for i, h := range heads {
			for n := range h.keys {
				ranks[i] = append(ranks[i], n)
			}
		}
		return ranks, nil
	}

	all, at := distinct(heads)
	ranked, err := k.rank(all)
	if err != nil {
		return nil, err
	}

	for i, h := range heads {
		for n, key := range h.keys {
			rank := ranked[at[textOf(key)]]
			if n > 0 && rank <= ranks[i][n-1] {
				return nil, fault.New(fault.Invalid, "the order of keys changed while they were sorted: %s came after %s", key, h.keys[n-1])
			}

			ranks[i] = append(ranks[i], rank)
		}
	}

	return ranks, nil
}

// distinct returns the buffered keys of all heads. It returns keys with the same texts
// only once. at maps the text of a key (see textOf) to the index of the key in all.
func distinct(heads []*runHead) (all []table.Key, at map[string]int) {
	at = map[string]int{}
	for _, h := range heads {
		for _, key := range h.keys {
			text := textOf(key)
			if _, known := at[text]; !known {
				at[text] = len(all)
				all = append(all, key)
			}
		}
	}
	return all, at
}

// textOf joins the texts of a key, separated by NUL. Keys with different texts have
// different results, because no text of PostgreSQL contains NUL.
func textOf(key table.Key) string { return strings.Join(key, "\x00") }
