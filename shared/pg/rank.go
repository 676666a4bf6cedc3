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
	return t.rank(ctx, s, keys, 0)
}

// rank has the server sort. Keys that it cannot read come after all others, in the order of their texts.
func (t *Tx) rank(ctx context.Context, s table.Source, keys []table.Key, options table.CallOption) ([]int, error) {
	ranks := make([]int, len(keys))
	err := t.sort(ctx, s, keys, func(i, rank int) { ranks[i] = rank }, true, options)
	if err == nil {
		return ranks, nil
	}
	readable, places, err := t.readableKeys(ctx, orderParams(s, "k"), keys, err)
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

// rankByText ranks the keys that have the rank -1, from a rank on.
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

// sort has the server rank keys from 0.
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

// withCollations writes references to typed values so that they sort as the table's own columns do: a parameter's collation
// is the database's default, a column's may be another.
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

// plainRanks ranks keys whose order needs no server: integers and uuids, as PostgreSQL writes them. That is most tables, and
// sorting a hundred thousand keys there and back takes a server longer than reading their document. false: not of these.
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

// plainKeys reports whether every node can read the keys.
func plainKeys(s table.Source, keys []table.Key) bool { return plainTexts(s.KeyType, keys) }

// plainTexts reports whether keys of these types are integers and uuids as PostgreSQL writes them.
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

// rankBy gives each key's place in an order.
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
