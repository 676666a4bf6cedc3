//go:build !unit

package pg

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

// hashed creates a table t with uuid keys, and returns its source with a key hash.
func hashed(t *testing.T, c *pgtest.Cluster, n *Node, rows int) table.Source {
	t.Helper()
	c.Exec(t, 0, `CREATE TABLE t (id uuid PRIMARY KEY, n int, filler text DEFAULT repeat('f', 500))`,
		fmt.Sprintf(`INSERT INTO t SELECT md5(i::text)::uuid, i FROM generate_series(1, %d) i`, rows), `ANALYZE t`)
	s := sourceOf(describeTable(t, n, "t"), "t")
	s.KeyHash = `pg_catalog.uuid_hash_extended("t"."id", '-7'::bigint)`
	return s
}

func TestPageSums_BucketIsTheHashModuloTheNumberOfBuckets(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := hashed(t, c, n, 1000)
	tx := begin(t, n, s)
	for _, buckets := range []int{1, 2, 64, 4096} {
		ranges := []table.PageRange{{To: 10}, {From: 10, To: 11}, {From: 11, To: -1}}
		var added map[int]table.Sum
		sums, err := pageSums(t, tx, s, ranges, table.Grouping{Buckets: buckets})
		for _, pages := range ranges {
			if err == nil {
				var part map[int]table.Sum
				part, err = pageSums(t, tx, s, []table.PageRange{pages}, table.Grouping{Buckets: buckets})
				added = addSums(added, part)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		want := map[int]table.Sum{}
		modulo := fmt.Sprintf(`SELECT ((h %% %d) + %[1]d) %% %[1]d, count(*), bit_xor(x) FROM (SELECT %s AS h, %s AS x FROM t) r GROUP BY 1`, buckets, s.KeyHash, s.Digest)
		for _, row := range c.QueryStrings(t, 0, modulo) {
			bucket, _ := strconv.Atoi(row[0])
			if want[bucket], err = readSum([]byte(row[1]), []byte(row[2])); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, sums); diff != "" {
			t.Errorf("%d buckets (-modulo +sums):\n%s", buckets, diff)
		}
		if diff := cmp.Diff(want, added); diff != "" {
			t.Errorf("%d buckets, range by range (-modulo +sums):\n%s", buckets, diff)
		}
	}
}

// pageSums returns the sums of groups over all page ranges.
func pageSums(t *testing.T, tx *Tx, s table.Source, ranges []table.PageRange, by table.Grouping) (map[int]table.Sum, error) {
	t.Helper()
	sums := map[int]table.Sum{}
	_, err := tx.PageSums(t.Context(), s, ranges, by, func(_, group int, sum table.Sum) { sums[group] = sums[group].Add(sum) })
	return sums, err
}

func addSums(sums, more map[int]table.Sum) map[int]table.Sum {
	if sums == nil {
		sums = map[int]table.Sum{}
	}
	for group, sum := range more {
		sums[group] = sums[group].Add(sum)
	}
	return sums
}

// Every statement of the first pass reads the same rows of the buckets, with and without
// a filter.
func TestBuckets_RestrictEveryStatementOfTheFirstPass(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	all := hashed(t, c, n, 1000)
	for _, filter := range []string{"", "n % 2 = 0 -- every other"} {
		all.Filter = filter
		s := all
		s.Within = table.Buckets{Of: 8, Numbers: []int{1, 2, 7}}
		tx := begin(t, n, s)
		whole := everything(t, tx, all)
		condition := fmt.Sprintf(`SELECT id::text FROM t WHERE (((%s %% 8) + 8) %% 8) IN (1, 2, 7)`, s.KeyHash)
		if filter != "" {
			condition += ` AND n % 2 = 0`
		}
		var want []table.Listed
		for _, row := range c.QueryStrings(t, 0, condition+` ORDER BY id`) {
			at := slices.IndexFunc(whole, func(l table.Listed) bool { return l.Key[0] == row[0] })
			want = append(want, whole[at])
		}
		rows := everything(t, tx, s)
		if diff := cmp.Diff(want, rows); diff != "" || len(rows) < 100 || len(rows) == len(whole) {
			t.Fatalf("of %d rows %d are listed (-want +got):\n%s", len(whole), len(rows), diff)
		}
		middle := len(rows) / 2
		bounds, parts := []table.Key{rows[middle].Key}, [][]table.Listed{rows[:middle:middle], rows[middle:]}
		agreeByKey(t, tx, s, bounds, parts)
		agreeByPage(t, tx, s, bounds, parts)
		agreeByPlace(t, tx, s, bounds, parts)
		cuts, err := tx.Cut(t.Context(), s, table.Range{}, 50)
		if err != nil || len(cuts) != len(rows)/50 || !cuts[0].Equal(rows[49].Key) {
			t.Errorf("%d rows are cut at %v, error %v", len(rows), cuts, err)
		}
		// A lookup by key finds a row in any bucket.
		digests, err := tx.Digests(t.Context(), s, []table.Key{whole[0].Key, whole[1].Key, whole[2].Key, whole[3].Key})
		if err != nil || slices.Contains(digests, nil) {
			t.Errorf("the digests by key are %v, error %v", digests, err)
		}
		tx.Close()
	}
}

func TestBuckets_ReadThePartitionsOfATable(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)`, `CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO (100)`,
		`CREATE TABLE t2 PARTITION OF t DEFAULT`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 300) i`)
	s := sourceOf(describeTable(t, n, "t"), "t")
	s.KeyHash, s.Within = `pg_catalog.hash_record_extended(ROW("t"."id"), '0'::bigint)`, table.Buckets{Of: 4, Numbers: []int{3}}
	tx := begin(t, n, s)
	want := sumOf(everything(t, tx, s))
	sums, err := pageSums(t, tx, s, []table.PageRange{{To: -1}, {Partition: 1, To: -1}}, table.Grouping{Buckets: 4})
	if err != nil || len(sums) != 1 || sums[3] != want || want.Rows < 20 || want.Rows > 200 {
		t.Errorf("the partitions have %+v, error %v; want %+v in bucket 3", sums, err, want)
	}
}

// Fine and coarse buckets that one statement computes together equal those that are
// computed separately.
func TestPageSums_CoarseBucketsAgreeWithEachPageRange(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		t.Run(fmt.Sprint("major ", major), func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Nodes(1), pgtest.Majors(major))
			n := nodeOf(t, c, 0)
			s := hashed(t, c, n, 2000)
			s.Filter = `public.t.n > 100 -- most`
			tx := begin(t, n, s)
			ranges := []table.PageRange{{To: 10}, {From: 10, To: 11}, {From: 11, To: 100}, {From: 100, To: -1}}
			all, coarse := map[int]table.Sum{}, make([]map[int]table.Sum, len(ranges))
			horizons, err := tx.PageSums(t.Context(), s, ranges, table.Grouping{Buckets: 64, Coarse: 8}, func(place, group int, sum table.Sum) {
				if place == table.AllPageRanges {
					all[group] = sum
					return
				}
				if coarse[place] == nil {
					coarse[place] = map[int]table.Sum{}
				}
				coarse[place][group] = sum
			})
			if err != nil {
				t.Fatal(err)
			}
			want, err := pageSums(t, tx, s, ranges, table.Grouping{Buckets: 64})
			if diff := cmp.Diff(want, all); err != nil || diff != "" {
				t.Errorf("error %v (-fine buckets +of both):\n%s", err, diff)
			}
			for i, pages := range ranges {
				want, err := pageSums(t, tx, s, []table.PageRange{pages}, table.Grouping{Buckets: 8})
				if diff := cmp.Diff(want, coarse[i]); err != nil || diff != "" || horizons[i] == 0 {
					t.Errorf("page range %v, horizon %d, error %v (-alone +of both):\n%s", pages, horizons[i], err, diff)
				}
			}
		})
	}
}
