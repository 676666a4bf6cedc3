package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ace/shared/table"
)

// Sample reads the first row of evenly spaced pages of every partition. It returns about
// count keys in physical order, each with its partition. If s.Partitions is empty,
// because some rows can be read only through the table itself, Sample reads random rows
// through the table. Then the partition of each key is -1, and the physical order is not
// known. If countPages is set and s.Partitions is not empty, Sample also reports how many
// pages the server read.
func (n *Node) Sample(ctx context.Context, s table.Source, count int, countPages bool) (table.Sample, error) {
	tx, err := n.Begin(ctx, s.Access())
	if err != nil {
		return table.Sample{}, err
	}
	defer tx.Close()
	if len(s.Partitions) == 0 {
		keys, err := tx.sampleParent(ctx, s, count)
		return table.Sample{Keys: keys}, err
	}
	return tx.samplePartitions(ctx, s, count, countPages)
}

func (t *Tx) samplePartitions(ctx context.Context, s table.Source, count int, countPages bool) (table.Sample, error) {
	var pages int64
	for _, partition := range s.Partitions {
		pages += partition.Pages
	}

	var sample table.Sample
	var queries []query
	if countPages {
		queries = append(queries, blocksRead(s, func(pages, cached int64) { sample.Pages, sample.Cached = -pages, -cached }))
	}
	page := uniqueName(s, "page")
	for i, partition := range s.Partitions {
		lo, hi := pageProbes(partition.Pages, share(int64(count), partition.Pages, pages))
		if lo == nil {
			continue
		}
		queries = append(queries, query{
			args: [][]byte{lo, hi},
			sql: fmt.Sprintf(`SELECT ace_inner.* FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.tid[]), pg_catalog.unnest($2::pg_catalog.tid[])) %[1]s(lo, hi)
				CROSS JOIN LATERAL (SELECT %[2]s FROM %[3]s WHERE %[4]s.ctid OPERATOR(pg_catalog.>=) %[1]s.lo AND %[4]s.ctid OPERATOR(pg_catalog.<) %[1]s.hi LIMIT 1) ace_inner`,
				page, strings.Join(bounds(s), ", "), from(s, partition), s.Alias),
			row: func(v [][]byte) error {
				sample.Keys = append(sample.Keys, table.Sampled{Key: readKey(v), Partition: i})
				return nil
			},
		})
	}

	if countPages {
		queries = append(queries, blocksRead(s, func(pages, cached int64) {
			sample.Pages += pages
			sample.Cached += cached
		}))
	}
	return sample, t.read(ctx, "sampling keys", s, table.EndTransaction, queries...)
}

// blocksRead returns a query that counts the pages of the partitions that the session has
// read since it last reported statistics. The row handler passes two numbers to found:
// the pages read, and those of them that were in the shared buffers. Both are 0 if the
// server does not count.
func blocksRead(s table.Source, found func(pages, cached int64)) query {
	names := make([]table.Key, len(s.Partitions))
	for i, partition := range s.Partitions {
		names[i] = table.Key{table.WithoutOnly(partition.Relation)}
	}
	p := params{{"name", "pg_catalog.text", table.ParseArray}}
	return query{
		args: p.ofKeys(names),
		sql: `SELECT coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_blocks_fetched(r.name::pg_catalog.regclass)), 0),
			coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_blocks_hit(r.name::pg_catalog.regclass)), 0)
			FROM ` + p.list(1) + ` r`,
		row: func(v [][]byte) error {
			pages, err := strconv.ParseInt(string(v[0]), 10, 64)
			if err != nil {
				return fmt.Errorf("pages read: %w", err)
			}
			cached, err := strconv.ParseInt(string(v[1]), 10, 64)
			if err != nil {
				return fmt.Errorf("pages found in memory: %w", err)
			}
			found(pages, cached)
			return nil
		},
	}
}

// share returns the number of keys to sample in a partition: count multiplied by
// part/whole, but at least 1.
func share(count, part, whole int64) int64 {
	if whole == 0 {
		return 1
	}
	return max(1, int64(float64(count)*float64(part)/float64(whole)))
}

// pageProbes selects evenly spaced pages of a partition. pages is the number of pages of
// the partition, and probes the number of pages to select. If the partition has fewer
// pages, all are selected. from and to are arrays of tid in PostgreSQL's text form: the
// i-th selected page begins at element i of from and ends before element i of to. They
// are nil if no page is selected.
func pageProbes(pages, probes int64) (from, to []byte) {
	probes = min(probes, pages)
	if probes == 0 {
		return nil, nil
	}

	var lo, hi strings.Builder
	for i := range probes {
		page := int64(float64(pages) / float64(probes) * float64(i))
		sep := ","
		if i == 0 {
			sep = "{"
		}
		fmt.Fprintf(&lo, `%s"(%d,0)"`, sep, page)
		fmt.Fprintf(&hi, `%s"(%d,0)"`, sep, page+1)
	}

	return []byte(lo.String() + "}"), []byte(hi.String() + "}")
}

// sampleParent samples random rows of the whole table, not partition by partition. The
// table may be the parent of partitions.
func (t *Tx) sampleParent(ctx context.Context, s table.Source, count int) ([]table.Sampled, error) {
	var plan []byte
	if err := t.run(ctx, "sampling keys", explain("SELECT 1 FROM "+s.Relation, &plan)); err != nil {
		return nil, err
	}
	rows, err := planRows(t.node.name, plan)
	if err != nil {
		return nil, err
	}

	percent := min(100, 100*float64(count)/max(1, float64(rows)))
	var sampled []table.Sampled
	return sampled, t.read(ctx, "sampling keys", s, 0, query{
		sql: fmt.Sprintf("SELECT %s FROM %s TABLESAMPLE pg_catalog.bernoulli (%s)", strings.Join(bounds(s), ", "), s.Relation,
			strconv.FormatFloat(percent, 'f', 6, 64)),
		row: func(v [][]byte) error {
			sampled = append(sampled, table.Sampled{Key: readKey(v), Partition: -1})
			return nil
		},
	})
}

// Every returns the key of every step-th row in key order, beginning with row number
// step. It reads all rows that the filter selects, so it is for small tables and for
// filters that select few rows.
func (n *Node) Every(ctx context.Context, s table.Source, step int64) ([]table.Key, error) {
	tx, err := n.Begin(ctx, s.Access())
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	return tx.cut(ctx, s, table.Range{}, step, nil, table.EndTransaction)
}

// UnreadableKeys returns the keys that the node cannot convert to values of the key's
// types. The result maps the index of each such key in keys to the reason. It is nil if
// every key is known to be valid on every node (plainKeys).
func (n *Node) UnreadableKeys(ctx context.Context, s table.Source, keys []table.Key) (map[int]error, error) {
	if plainKeys(s, keys) {
		return nil, nil
	}

	tx, err := n.Begin(ctx, s.Access())
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	misfits, err := tx.misfits(ctx, keyParams(s), asRows(keys))
	if err != nil {
		return nil, err
	}

	reasons := make(map[int]error, len(misfits))
	for place, found := range misfits {
		reasons[place] = n.fault(ctx, "reading keys", errors.Unwrap(found.err))
	}

	return reasons, nil
}

// RankKeys is like Tx.Rank, but runs in a transaction of its own.
func (n *Node) RankKeys(ctx context.Context, s table.Source, keys []table.Key) ([]int, error) {
	if ranks, ok := plainRanks(s, keys); ok {
		return ranks, nil
	}
	tx, err := n.Begin(ctx, s.Access())
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	return tx.rank(ctx, s, keys, table.EndTransaction)
}
