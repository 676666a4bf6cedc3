package pg

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ace/shared/table"
)

// Rank sorts keys in the run's order: for each key its rank from 0, keys that the index holds equal having the same.
func (t *Tx) Rank(ctx context.Context, s table.Source, keys []table.Key) ([]int, error) {
	if ranks, ok := plainRanks(s, keys); ok {
		return ranks, nil
	}
	return t.rank(ctx, s, keys)
}

// rank has the server sort.
func (t *Tx) rank(ctx context.Context, s table.Source, keys []table.Key) ([]int, error) {
	ranks := make([]int, len(keys))
	columns, name := list("k", len(s.Order)), own(s, "list")
	q := query{
		args: columnsOf(keys, len(s.Order)),
		sql: fmt.Sprintf("SELECT %s.ord, pg_catalog.dense_rank() OVER (ORDER BY %s) FROM %s %s",
			name, strings.Join(ordered(s, qualify(name, columns)), ", "), unnest(columns, s.OrderType, 1), name),
	}
	q.row = func(v [][]byte) error {
		i, err := place(v[0], len(keys))
		if err != nil {
			return err
		}
		rank, err := strconv.Atoi(string(v[1]))
		ranks[i] = rank - 1
		return err
	}
	return ranks, t.run(ctx, "sorting keys", q)
}

// ordered writes references to typed values so that they sort as the table's own columns do: a parameter's collation
// is the database's default, a column's may be another.
func ordered(s table.Source, refs []string) []string {
	out := make([]string, len(refs))
	for i, ref := range refs {
		out[i] = ref
		if s.Collate[i] != "" {
			out[i] = ref + " COLLATE " + s.Collate[i]
		}
	}
	return out
}

// plainRanks ranks keys whose order needs no server: integers and uuids, as PostgreSQL writes them. That is most tables, and
// sorting a hundred thousand keys there and back takes a server longer than reading their document. false: not of these.
func plainRanks(s table.Source, keys []table.Key) ([]int, bool) {
	orders := make([]func(a, b string) int, len(s.OrderType))
	for i, name := range s.OrderType {
		var plain func(string) bool
		switch name {
		case "bigint", "pg_catalog.int8":
			plain, orders[i] = isPlainInteger, compareIntegers
		case "uuid", "pg_catalog.uuid":
			plain, orders[i] = isPlainUUID, strings.Compare
		default:
			return nil, false
		}
		for _, key := range keys {
			if !plain(key[i]) {
				return nil, false
			}
		}
	}
	compare := func(a, b table.Key) int {
		for i, order := range orders {
			if c := order(a[i], b[i]); c != 0 {
				return c
			}
		}
		return 0
	}
	return ranked(keys, compare), true
}

// ranked gives each key's place in an order.
func ranked(keys []table.Key, compare func(a, b table.Key) int) []int {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compare(keys[a], keys[b]) })
	ranks := make([]int, len(keys))
	rank := 0
	for i, at := range order {
		if i > 0 && compare(keys[order[i-1]], keys[at]) != 0 {
			rank++
		}
		ranks[at] = rank
	}
	return ranks
}

// isPlainInteger says whether a text is a bigint as PostgreSQL writes it.
func isPlainInteger(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	var written [20]byte
	return err == nil && string(strconv.AppendInt(written[:0], n, 10)) == text
}

// compareIntegers compares two texts of which isPlainInteger is true.
func compareIntegers(a, b string) int {
	negative := a[0] == '-'
	switch {
	case negative != (b[0] == '-'):
		if negative {
			return -1
		}
		return 1
	case negative:
		a, b = b, a
	}
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// isPlainUUID says whether a text is a uuid as PostgreSQL writes it: then it sorts as its bytes do.
func isPlainUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
