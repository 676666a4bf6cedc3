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

// Rank returns for each key its rank in key order, from 0. Keys that the index considers
// equal have the same rank.
func (t *Tx) Rank(ctx context.Context, s table.Source, keys []table.Key) ([]int, error) {
	if ranks, ok := plainRanks(s, keys); ok {
		return ranks, nil
	}
	return t.rank(ctx, s, keys, 0)
}

// rank is Rank without the shortcut for plain keys: the server sorts the keys. Keys that
// the server cannot read have the highest ranks, in the order of their texts.
func (t *Tx) rank(ctx context.Context, s table.Source, keys []table.Key, options table.CallOption) ([]int, error) {
	ranks := make([]int, len(keys))
	err := t.sort(ctx, s, keys, func(i, rank int) { ranks[i] = rank }, true, options)
	if err == nil {
		return ranks, nil
	}

	readable, places, _, err := t.readableKeys(ctx, orderParams(s, "k"), keys, err)
	if err != nil {
		return nil, err
	}

	for i := range ranks {
		ranks[i] = -1
	}

	most := -1
	if len(readable) > 0 {
		err = t.sort(ctx, s, readable, func(i, rank int) {
			ranks[places[i]] = rank
			most = max(most, rank)
		}, false, options)
	}

	rankByText(keys, ranks, most+1)
	return ranks, err
}

// rankByText replaces each element of ranks that is -1. It sorts the keys with this rank
// by their texts, and numbers them upwards, beginning with the number from.
func rankByText(keys []table.Key, ranks []int, from int) {
	var places []int
	var texts []table.Key
	for i, rank := range ranks {
		if rank < 0 {
			places, texts = append(places, i), append(texts, keys[i])
		}
	}

	for i, rank := range rankBy(texts, func(a, b table.Key) int { return slices.Compare(a, b) }) {
		ranks[places[i]] = from + rank
	}
}

// sort sends the keys to the server, which ranks them, and calls ranked with the index
// and the rank of each key. Ranks start at 0. If mark is set, the query is sent after the
// savepoint keysMark.
func (t *Tx) sort(ctx context.Context, s table.Source, keys []table.Key, ranked func(place, rank int), mark bool, options table.CallOption) error {
	p, name := orderParams(s, "k"), uniqueName(s, "list")
	q := query{
		args: p.ofKeys(keys),
		sql: fmt.Sprintf("SELECT %s.ord, pg_catalog.dense_rank() OVER (ORDER BY %s) FROM %s %s",
			name, strings.Join(withCollations(s, qualify(name, p.names())), ", "), p.list(1), name),
	}

	q.row = func(v [][]byte) error {
		i, err := place(v[0], len(keys))
		if err != nil {
			return err
		}
		rank, err := strconv.Atoi(string(v[1]))
		ranked(i, rank-1)
		return err
	}

	return t.call(ctx, "sorting keys", options, withSavepoint([]query{q}, mark, options)...)
}

// withCollations adds the collations of Order to references to parameter values, such as
// r.k1 COLLATE pg_catalog."C". Otherwise the server would sort the values by the
// database's default collation, which may differ from the collation of the table's
// column.
func withCollations(s table.Source, refs []string) []string {
	out := make([]string, len(refs))
	for i, ref := range refs {
		out[i] = ref
		if s.Collate[i] != "" {
			out[i] = ref + " COLLATE " + s.Collate[i]
		}
	}
	return out
}

// plainRanks ranks keys whose order is known without a server: integers and uuids, as
// PostgreSQL writes them. Most tables have such keys, and ranking 100,000 keys on a
// server takes longer than reading the document that contains them. plainRanks returns
// false if any key consists of other values.
func plainRanks(s table.Source, keys []table.Key) ([]int, bool) {
	if !plainTexts(s.OrderType, keys) {
		return nil, false
	}

	orders := make([]func(a, b string) int, len(s.OrderType))
	for i, name := range s.OrderType {
		orders[i] = compareIntegers
		if isUUID(name) {
			orders[i] = strings.Compare
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

	return rankBy(keys, compare), true
}

// plainKeys reports whether the keys are known to be valid on every node, because they
// consist of integers and uuids as PostgreSQL writes them.
func plainKeys(s table.Source, keys []table.Key) bool { return plainTexts(s.KeyType, keys) }

// plainTexts reports whether keys of these types are integers and uuids as PostgreSQL
// writes them.
func plainTexts(types []string, keys []table.Key) bool {
	for i, name := range types {
		plain := isPlainInteger
		switch {
		case isUUID(name):
			plain = isPlainUUID
		case name != "bigint" && name != "pg_catalog.int8":
			return false
		}
		if slices.ContainsFunc(keys, func(key table.Key) bool { return !plain(key[i]) }) {
			return false
		}
	}
	return true
}

func isUUID(name string) bool { return name == "uuid" || name == "pg_catalog.uuid" }

// rankBy returns the rank of each key, from 0, in the order that compare defines. Keys
// that compare considers equal have the same rank.
func rankBy(keys []table.Key, compare func(a, b table.Key) int) []int {
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

// isPlainInteger reports whether a text is a bigint as PostgreSQL writes it.
func isPlainInteger(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	var written [20]byte
	return err == nil && string(strconv.AppendInt(written[:0], n, 10)) == text
}

// compareIntegers compares the values of two texts for which isPlainInteger is true. It
// returns a negative number, 0 or a positive number.
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

// isPlainUUID reports whether a text is a uuid as PostgreSQL writes it. The order of such
// texts by their bytes is the order of the uuids.
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
