//go:build !unit

package pg

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/table"
)

// keyTypes has tables t whose key types have special orders, with rows that test them.
func keyTypes() map[string][]string {
	fill := func(columns, values string) []string {
		return []string{`CREATE TABLE t (` + columns + `, v text)`, `INSERT INTO t SELECT ` + values + `, 'v' || i FROM generate_series(1, 400) i ON CONFLICT DO NOTHING`}
	}
	return map[string][]string{
		"integer":           fill(`k int PRIMARY KEY`, `i * 7 - 1000`),
		"bigint":            fill(`k bigint PRIMARY KEY`, `(i - 200) * 46116860184273879`),
		"text":              fill(`k text PRIMARY KEY`, `CASE i WHEN 1 THEN '' WHEN 2 THEN E'a\nb' WHEN 3 THEN 'Ä"\' ELSE md5(i::text) END`),
		"text C":            fill(`k text COLLATE "C" PRIMARY KEY`, `chr(i + 60) || CASE i % 3 WHEN 0 THEN upper(md5(i::text)) ELSE md5(i::text) END`),
		"varchar":           fill(`k varchar(40) PRIMARY KEY`, `md5(i::text)`),
		"bpchar":            fill(`k char(12) PRIMARY KEY`, `left(md5(i::text), 1 + i % 11)`),
		"name":              fill(`k name PRIMARY KEY`, `md5(i::text)::name`),
		"uuid":              fill(`k uuid PRIMARY KEY`, `md5(i::text)::uuid`),
		"numeric":           fill(`k numeric PRIMARY KEY`, `CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' WHEN 3 THEN 'Infinity' ELSE (i - 200) * 1.10 ^ (i % 50) END::numeric`),
		"float8":            fill(`k float8 PRIMARY KEY`, `CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' WHEN 3 THEN 'Infinity' WHEN 4 THEN '-0' ELSE (i - 200) / 3.0 END::float8`),
		"float4":            fill(`k float4 PRIMARY KEY`, `CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE (i - 200) / 3.0 END::float4`),
		"time":              fill(`k timestamptz PRIMARY KEY`, `CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' ELSE '2024-03-10 12:00+00'::timestamptz + i * interval '37 minutes' END`),
		"interval":          fill(`k interval PRIMARY KEY`, `(i % 20) * interval '1 month' + i * interval '1 hour'`),
		"date":              fill(`k date PRIMARY KEY`, `'2024-02-01'::date + i`),
		"bytea":             fill(`k bytea PRIMARY KEY`, `decode(md5(i::text), 'hex')`),
		"inet":              fill(`k inet PRIMARY KEY`, `('10.0.' || i % 256 || '.' || i % 7 || '/' || 8 + i % 25)::inet`),
		"boolean":           fill(`k boolean PRIMARY KEY`, `i % 2 = 0`),
		"array":             fill(`k int[] PRIMARY KEY`, `ARRAY[i % 5, i, NULL]`),
		"two":               fill(`k int, l text, PRIMARY KEY (l, k)`, `i % 20, left(md5(i::text), 1)`),
		"three":             fill(`a date, b text COLLATE "C", c numeric, PRIMARY KEY (a, b, c)`, `'2024-01-01'::date + i % 5, chr(65 + i % 60), i * 0.10`),
		"oid":               fill(`k oid PRIMARY KEY`, `(i::bigint * 10000000)::oid`),
		"bit":               fill(`k varbit PRIMARY KEY`, `i::bit(10)::varbit`),
		"range":             fill(`k int4range PRIMARY KEY`, `int4range(i % 10, i)`),
		"texts":             fill(`k text[] PRIMARY KEY`, `ARRAY['a"\{}, ' || i, NULL, 'NULL', '']`),
		"what arrays quote": fill(`k text COLLATE "C" PRIMARY KEY`, `(ARRAY['', 'NULL', 'null', '"', '\', '\"', '{', '}', '{}', ',', 'a,b', ' ', E'\n', '{"a","b"}', '日本', 'a'])[1 + i % 16] || left(repeat('"\,', i / 16), i / 16)`),
		"domain":            append([]string{`DROP DOMAIN IF EXISTS code`, `CREATE DOMAIN code AS numeric CHECK (VALUE > 0)`}, fill(`k code PRIMARY KEY`, `i * 1.10`)...),
		"enum": append([]string{`DROP TYPE IF EXISTS mood`, `CREATE TYPE mood AS ENUM ('sad', 'NULL', '"', 'a,b', '')`},
			fill(`k mood, l int, PRIMARY KEY (k, l)`, `(enum_range(NULL::mood))[1 + i % 5], i`)...),
	}
}

// everything returns all rows of a source in key order.
func everything(t *testing.T, tx *Tx, s table.Source) []table.Listed {
	t.Helper()
	lists, err := tx.List(t.Context(), s, []table.Range{{}}, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return lists[0]
}

func sumOf(rows []table.Listed) table.Sum {
	var sum table.Sum
	for _, row := range rows {
		sum = sum.Add(table.Sum{Rows: 1, Digest: row.Digest})
	}
	return sum
}

// rangesOf returns the ranges that divide the key space at these keys.
func rangesOf(bounds []table.Key) []table.Range {
	ranges := make([]table.Range, len(bounds)+1)
	for i, bound := range bounds {
		ranges[i].Hi, ranges[i+1].Lo = bound, bound
	}
	return ranges
}

// someBounds returns every n-th key as a boundary, sometimes including the first or the
// last.
func someBounds(rows []table.Listed, random *rand.Rand) (bounds []table.Key, at []int) {
	for i, row := range rows {
		if random.IntN(12) == 0 || i == len(rows)-1 || len(rows) < 3 {
			bounds, at = append(bounds, row.Key), append(at, i)
		}
	}
	return bounds, at
}

func TestStatements_AgreeForEveryRangeOfEveryKeyType(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		c := pgtest.NewCluster(t, pgtest.Majors(major))
		n := nodeOf(t, c, 0)
		for name, sql := range keyTypes() {
			t.Run(fmt.Sprint(name, " on major ", major), func(t *testing.T) {
				c.Exec(t, 0, append([]string{`DROP TABLE IF EXISTS t`}, append(sql, `ANALYZE t`)...)...)
				s := sourceOf(describeTable(t, n, "t"), "t")
				agree(t, begin(t, n, s), s)
			})
		}
	}
}

// agree compares the results of the statements for the same ranges with a plain listing
// of the table.
func agree(t *testing.T, tx *Tx, s table.Source) {
	t.Helper()
	defer tx.Close()
	rows := everything(t, tx, s)
	random := rand.New(rand.NewPCG(1, uint64(len(rows))))
	bounds, at := someBounds(rows, random)
	var want [][]table.Listed
	from := 0
	for _, to := range append(at, len(rows)) {
		want = append(want, rows[from:to:to])
		from = to
	}
	agreeByKey(t, tx, s, bounds, want)
	agreeByPage(t, tx, s, bounds, want)
	agreeByPlace(t, tx, s, bounds, want)

	keys := make([]table.Key, len(rows))
	for i, row := range rows {
		keys[i] = row.Key
	}
	digests, err := tx.Digests(t.Context(), s, keys)
	if err != nil {
		t.Fatal(err)
	}
	for i, digest := range digests {
		if digest == nil || *digest != rows[i].Digest {
			t.Fatalf("key %v is not found by its text, or has another digest", keys[i])
		}
	}
	ranks, err := tx.rank(t.Context(), s, keys, 0)
	if plain, ok := plainRanks(s, keys); ok && !slices.Equal(plain, ranks) {
		t.Errorf("the ranks are %v without the server, %v by it", plain, ranks)
	}
	if err != nil || !slices.IsSorted(ranks) || ranks[0] != 0 || ranks[len(ranks)-1] != len(keys)-1 {
		t.Errorf("the ranks are %v, error %v", ranks, err)
	}
}

func agreeByKey(t *testing.T, tx *Tx, s table.Source, bounds []table.Key, want [][]table.Listed) {
	t.Helper()
	ranges := rangesOf(bounds)
	sums, _, err := tx.Sums(t.Context(), s, ranges)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := tx.List(t.Context(), s, ranges, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ranges {
		if diff := cmp.Diff(want[i], lists[i]); diff != "" && len(want[i])+len(lists[i]) > 0 {
			t.Fatalf("range %v is listed as (-want +got):\n%s", ranges[i], diff)
		}
		if sums[i] != sumOf(want[i]) {
			t.Fatalf("range %v has %+v, want %+v", ranges[i], sums[i], sumOf(want[i]))
		}
	}
}

func agreeByPage(t *testing.T, tx *Tx, s table.Source, bounds []table.Key, want [][]table.Listed) {
	t.Helper()
	sums, err := pageSums(t, tx, s, []table.PageRange{{To: 1}, {From: 1, To: 2}, {From: 2, To: -1}}, table.Grouping{Bounds: bounds})
	if err != nil {
		t.Fatal(err)
	}
	ranges := make([]int, len(want))
	for i, rows := range want {
		ranges[i] = i
		if sums[i] != sumOf(rows) {
			t.Fatalf("the pages have %+v in range %d, want %+v", sums[i], i, sumOf(rows))
		}
	}
	slices.Reverse(ranges)
	lists, err := tx.ScanList(t.Context(), s, bounds, ranges, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := tx.ScanList(t.Context(), s, bounds, nil, 1000); err != nil || !cmp.Equal(lists, all) {
		t.Fatalf("all ranges are listed as %v, error %v; want %v", all, err, lists)
	}
	for i, list := range lists {
		if diff := cmp.Diff(want[i], list); diff != "" && len(want[i])+len(list) > 0 {
			t.Fatalf("the scan lists range %d as (-want +got):\n%s", i, diff)
		}
	}
}

func TestStatements_AcceptBoundsWithoutRows(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 100)
	tx := begin(t, n, s)
	ranges := []table.Range{
		between(nil, key("-5")), between(nil, key("1")), between(nil, key("11")), between(key("11"), key("21")), between(key("21"), key("21")),
		between(key("91"), nil), between(key("1000"), nil), {}, between(key("50"), key("40")),
	}
	want := []int64{0, 0, 10, 10, 0, 10, 0, 100, 0}
	sums, _, err := tx.Sums(t.Context(), s, ranges)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := tx.List(t.Context(), s, ranges, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range ranges {
		if sums[i].Rows != want[i] || int64(len(lists[i])) != want[i] || sums[i] != sumOf(lists[i]) {
			t.Errorf("range %v has %+v and %d rows, want %d", r, sums[i], len(lists[i]), want[i])
		}
	}
	if sums, _, err := tx.Sums(t.Context(), s, nil); err != nil || len(sums) != 0 {
		t.Errorf("no ranges have %v, error %v", sums, err)
	}
	if sums, err := pageSums(t, tx, s, []table.PageRange{{To: -1}}, table.Grouping{}); err != nil || len(sums) != 1 || sums[0].Rows != 100 {
		t.Errorf("without bounds the pages have %v, error %v", sums, err)
	}
}

func TestStatements_ApplyTheFilterExceptByKey(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 100)
	s.Filter = "id % 10 = 0 -- every tenth"
	tx := begin(t, n, s)
	ranges := rangesOf([]table.Key{key("50")})
	sums, _, err := tx.Sums(t.Context(), s, append(ranges, table.Range{}))
	if err != nil || sums[0].Rows != 4 || sums[1].Rows != 6 || sums[2].Rows != 10 {
		t.Errorf("the ranges have %+v, error %v; want 4, 6 and 10 rows", sums, err)
	}
	pages, err := pageSums(t, tx, s, []table.PageRange{{To: -1}}, table.Grouping{Bounds: []table.Key{key("50")}})
	if err != nil || pages[0] != sums[0] || pages[1] != sums[1] {
		t.Errorf("the pages have %+v, error %v", pages, err)
	}
	lists, err := tx.ScanList(t.Context(), s, []table.Key{key("50")}, []int{1}, 100)
	if err != nil || len(lists[0]) != 0 || len(lists[1]) != 6 {
		t.Errorf("the scan lists %v, error %v", lists, err)
	}
	cuts, err := tx.Cut(t.Context(), s, table.Range{}, 4)
	if diff := cmp.Diff([]table.Key{key("40"), key("80")}, cuts); diff != "" || err != nil {
		t.Errorf("cuts, error %v (-want +got):\n%s", err, diff)
	}
	if digests, err := tx.Digests(t.Context(), s, []table.Key{key("7"), key("10")}); err != nil || digests[0] == nil || digests[1] == nil {
		t.Errorf("by key the filter hides a row: %v, error %v", digests, err)
	}
}

func TestList_MoreRowsThanTheLimitAreErrMore(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 100)
	ranges := rangesOf([]table.Key{key("51")})
	for limit, want := range map[int64]error{100: nil, 99: table.ErrMore, 0: table.ErrMore} {
		tx := begin(t, n, s)
		if _, err := tx.List(t.Context(), s, ranges, limit); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("List with the limit %d: error %v, want %v", limit, err, want)
		}
		tx.Close()
		tx = begin(t, n, s)
		if _, err := tx.ScanList(t.Context(), s, []table.Key{key("51")}, []int{0, 1}, limit); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("ScanList with the limit %d: error %v, want %v", limit, err, want)
		}
		tx.Close()
	}
	idle(t, c)
}

func TestCut_ReturnsKeysThatSplitARangeEvenly(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 1000)
	tx := begin(t, n, s)
	for _, tt := range []struct {
		r     table.Range
		step  int64
		first string
		count int
	}{
		{table.Range{}, 100, "100", 10},
		{between(key("501"), nil), 100, "600", 5},
		{between(nil, key("501")), 100, "100", 5},
		{between(key("101"), key("301")), 50, "150", 4},
		{between(key("101"), key("110")), 50, "", 0},
	} {
		cuts, err := tx.Cut(t.Context(), s, tt.r, tt.step)
		if err != nil || len(cuts) != tt.count || tt.count > 0 && cuts[0][0] != tt.first {
			t.Errorf("%v every %d: %v, error %v; want %d from %s", tt.r, tt.step, cuts, err, tt.count, tt.first)
		}
	}
	tx.Close()
	every, err := n.Every(t.Context(), s, 300)
	if diff := cmp.Diff([]table.Key{key("300"), key("600"), key("900")}, every); diff != "" || err != nil {
		t.Errorf("every 300th key, error %v (-want +got):\n%s", err, diff)
	}
}

func TestRank_IsEqualForKeysThatTheIndexConsidersEqual(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	c.Exec(t, 0, `CREATE TABLE t (k numeric PRIMARY KEY)`)
	s := sourceOf(describeTable(t, n, "t"), "t")
	keys := []table.Key{key("10"), key("1.00"), key("NaN"), key("1"), key("9"), key("-1"), key("1.0")}
	ranks, err := n.RankKeys(t.Context(), s, keys)
	if diff := cmp.Diff([]int{3, 1, 4, 1, 2, 0, 1}, ranks); diff != "" || err != nil {
		t.Errorf("ranks, error %v (-want +got):\n%s", err, diff)
	}
	ranks, err = n.RankKeys(t.Context(), s, []table.Key{key("two"), key("10"), key("one"), key("2"), key("two")})
	if diff := cmp.Diff([]int{3, 1, 2, 0, 3}, ranks); diff != "" || err != nil {
		t.Errorf("texts that are no numbers come after the others; ranks, error %v (-want +got):\n%s", err, diff)
	}
}

func TestRows_ReturnsRowsInTheOrderOfTheKeys(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 100)
	c.Exec(t, 0, `UPDATE t SET v = NULL WHERE id = 7`)
	tx := begin(t, n, s)
	keys := []table.Key{key("90"), key("1000"), key("7"), key("-1"), key("1")}
	digests, err := tx.Digests(t.Context(), s, keys)
	if err != nil || digests[1] != nil || digests[3] != nil {
		t.Fatalf("digests are %v, error %v", digests, err)
	}
	stream, err := tx.Rows(t.Context(), s, keys)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close() //nolint:errcheck // read to its end
	for _, want := range []struct {
		place int
		v     string
	}{{0, "v90"}, {2, ""}, {4, "v1"}} {
		place, row, err := stream.Next()
		if err != nil || place != want.place || *row.Row[0] != keys[place][0] || row.Digest != *digests[place] {
			t.Fatalf("got row %d %+v, error %v; want row %d", place, row, err, want.place)
		}
		if null := row.Row[1] == nil; null != (want.v == "") || !null && *row.Row[1] != want.v {
			t.Errorf("the row of key %v has %v, want %q", keys[place], row.Row[1], want.v)
		}
	}
	for range 2 {
		if place, _, err := stream.Next(); place != -1 || err != nil {
			t.Errorf("the end is %d, error %v", place, err)
		}
	}
}

func TestByKey_TwoRowsWithOneKeyAreAnError(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 10)
	c.Exec(t, 0, `ALTER TABLE t DROP CONSTRAINT t_pkey`, `INSERT INTO t VALUES (7, 'again')`) // such a duplicate can exist if the index is damaged
	tx := begin(t, n, s)
	if _, err := tx.Digests(t.Context(), s, []table.Key{key("6"), key("7")}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("Digests: error %v, want one", err)
	}
	tx.Close()
	tx = begin(t, n, s)
	stream, err := tx.Rows(t.Context(), s, []table.Key{key("6"), key("7")})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, _, err = stream.Next(); err != nil {
			break
		}
	}
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("Rows: error %v, want one", err)
	}
}

func TestPageSums_RewrittenTableIsAnError(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 1000)
	ranges := []table.PageRange{{To: 1}, {From: 1, To: -1}}
	for _, rewrite := range []string{`VACUUM FULL t`, `TRUNCATE t`} {
		tx := begin(t, n, s)
		if _, err := pageSums(t, tx, s, ranges, table.Grouping{}); err != nil {
			t.Fatal(err)
		}
		tx.Close()
		c.Exec(t, 0, rewrite)
		tx = begin(t, n, s)
		if sums, err := pageSums(t, tx, s, ranges, table.Grouping{}); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("after %s the pages have %v, error %v; want Conflict", rewrite, sums, err)
		}
		tx.Close()
		tx = begin(t, n, s)
		if _, err := pageSums(t, tx, s, []table.PageRange{{To: -1}}, table.Grouping{}); err != nil { // the lock came before the snapshot
			t.Errorf("after %s the whole table cannot be read: %v", rewrite, err)
		}
		tx.Close()
		s = sourceOf(describeTable(t, n, "t"), "t")
	}
	tx := begin(t, n, s)
	if _, err := pageSums(t, tx, s, []table.PageRange{{Partition: 1, To: -1}}, table.Grouping{}); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a partition that does not exist: error %v, want Internal", err)
	}
}

func TestPageSums_PageRangesAddUpToTheWhole(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)`,
		`CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO (1000)`, `CREATE TABLE t2 PARTITION OF t DEFAULT`,
		`INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 3000) i`)
	s := sourceOf(describeTable(t, n, "t"), "t")
	if len(s.Partitions) != 2 || s.Partitions[1].Pages < 20 {
		t.Fatalf("the partitions are %+v", s.Partitions)
	}
	tx := begin(t, n, s)
	want, _, err := tx.Sums(t.Context(), s, []table.Range{{}})
	if err != nil || want[0].Rows != 3000 {
		t.Fatalf("the whole is %v, error %v", want, err)
	}
	for step := int64(1); step < 40; step += 13 {
		var sum table.Sum
		for partition := range s.Partitions {
			for from := int64(0); ; from += step {
				pages := table.PageRange{Partition: partition, From: from, To: from + step}
				if last := from+step >= s.Partitions[partition].Pages; last {
					pages.To = -1
				}
				sums, err := pageSums(t, tx, s, []table.PageRange{pages}, table.Grouping{Bounds: []table.Key{key("500"), key("2000")}})
				if err != nil {
					t.Fatal(err)
				}
				for _, part := range sums {
					sum = sum.Add(part)
				}
				if pages.To < 0 {
					break
				}
			}
		}
		if sum != want[0] {
			t.Errorf("pages by %d add up to %+v, want %+v", step, sum, want[0])
		}
	}
}

func TestSample_ReturnsAboutTheRequestedNumberOfKeys(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 20_000)
	sampled, err := n.Sample(t.Context(), s, 50, true)
	if err != nil || len(sampled.Keys) < 45 || len(sampled.Keys) > 55 {
		t.Fatalf("%d keys were sampled, error %v; want about 50", len(sampled.Keys), err)
	}
	if sampled.Pages != int64(len(sampled.Keys)) || sampled.Cached != sampled.Pages { // the table was just written
		t.Errorf("%d pages were read for %d keys, %d of them from memory", sampled.Pages, len(sampled.Keys), sampled.Cached)
	}
	before := 0
	for _, k := range sampled.Keys {
		id, err := strconv.Atoi(k.Key[0])
		if err != nil || id <= before || id > 20_000 || k.Partition != 0 {
			t.Fatalf("sampled %+v after %d", k, before)
		}
		before = id
	}
	hidden := s
	hidden.Partitions = nil
	if sampled, err := n.Sample(t.Context(), hidden, 200, true); err != nil || len(sampled.Keys) < 100 || len(sampled.Keys) > 400 || sampled.Keys[0].Partition != -1 {
		t.Errorf("%d keys were sampled through the parent, error %v; want about 200 without a partition", len(sampled.Keys), err)
	}
	if sampled, err := n.Sample(t.Context(), s, 50, false); err != nil || len(sampled.Keys) < 45 || sampled.Pages != 0 || sampled.Cached != 0 {
		t.Errorf("%d keys were sampled and %d pages counted, error %v; want about 50 and no pages", len(sampled.Keys), sampled.Pages, err)
	}
	c.Exec(t, 0, `TRUNCATE t`)
	if sampled, err := n.Sample(t.Context(), s, 50, true); err != nil || len(sampled.Keys) != 0 {
		t.Errorf("an empty table has the samples %v, error %v", sampled, err)
	}
}

func TestPageProbes_AreSpreadOverAllPages(t *testing.T) {
	for _, tt := range []struct {
		pages, probes int64
		lo, hi        string
	}{
		{0, 5, "", ""},
		{1, 5, `{"(0,0)"}`, `{"(1,0)"}`},
		{10, 2, `{"(0,0)","(5,0)"}`, `{"(1,0)","(6,0)"}`},
		{3, 3, `{"(0,0)","(1,0)","(2,0)"}`, `{"(1,0)","(2,0)","(3,0)"}`},
	} {
		if lo, hi := pageProbes(tt.pages, tt.probes); string(lo) != tt.lo || string(hi) != tt.hi {
			t.Errorf("%d of %d pages: %s to %s, want %s to %s", tt.probes, tt.pages, lo, hi, tt.lo, tt.hi)
		}
	}
}

func TestSpellings_ReturnTheTextOfTheRow(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	c.Exec(t, 0, `CREATE TABLE t (id numeric PRIMARY KEY, v text)`, `INSERT INTO t VALUES (1.0, ''), (2, ''), (3.50, '')`)
	s := sourceOf(describeTable(t, n, "t"), "t")
	tx := begin(t, n, s)
	defer tx.Close()
	spelt, err := tx.Spellings(t.Context(), s, []table.Key{key("3.5"), key("7"), key("1.000"), key("2"), key("1")})
	if diff := cmp.Diff([]table.Key{key("3.50"), nil, key("1.0"), key("2"), key("1.0")}, spelt); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}
