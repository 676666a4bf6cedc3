//go:build !unit

package pg

import (
	"fmt"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

// Case T-F11, see docs/RELIABILITY.md.
//
// The filter uses the bare name of the table, which means the whole row. The name must
// not mean a column of one of the statement's lists instead.
func TestStatements_WorkForTablesNamedLikeTheirAliases(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	names := strings.Fields("ace_list ace_inner ace_page ace_rows ace_other ace_newest ace_ord ace_lo1 ace1_list now ord lo1 k1 u x")
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			c.Exec(t, 0, fmt.Sprintf(`CREATE TABLE %[1]s (id int PRIMARY KEY, v text); INSERT INTO %[1]s SELECT i, 'v' || i FROM generate_series(1, 2000) i; ANALYZE %[1]s`, name))
			plain := sourceOf(describeTable(t, n, name), name)
			for _, filter := range []string{"", fmt.Sprintf("(%[1]s IS NOT NULL) AND pg_typeof(%[1]s) = 'public.%[1]s'::regtype", name)} {
				s := plain
				s.Filter, s.SearchPath = filter, "pg_catalog, public, pg_temp"
				checkReading(t, n, s)
			}
			checkWriting(t, n, targetOf(describeTable(t, n, name), name))
		})
	}
}

// checkReading calls every function that reads a table. The table has the keys 1 to 2000.
func checkReading(t *testing.T, n *Node, s table.Source) {
	t.Helper()
	const rows = 2000
	some := []table.Range{between(nil, key("100")), between(key("100"), key("200")), between(key("200"), nil)}
	keys := []table.Key{key("7"), key("9999"), key("8")}
	ctx := t.Context()

	sampled, err := n.Sample(ctx, s, 10, true)
	check(t, "sampling", len(sampled.Keys) > 1, err)
	every, err := n.Every(ctx, s, 300)
	check(t, "splitting", len(every) == rows/300, err)
	if s.Filter != "" {
		_, err = n.CheckFilter(ctx, s)
		check(t, "checking the filter", true, err)
	}

	tx := begin(t, n, s)
	defer tx.Close()
	sums, _, err := tx.Sums(ctx, s, append(some, table.Range{}))
	check(t, "summing ranges", err == nil && sums[0].Add(sums[1]).Add(sums[2]) == sums[3] && sums[3].Rows == rows, err)
	fresh, err := tx.Freshness(ctx, s, some)
	check(t, "the ages of ranges", err == nil && fresh[1].Rows == 100, err)
	prints, err := tx.Fingerprints(ctx, s, some[1:2], table.FingerprintRequest{Keys: true, MaxRangeRows: rows, MaxRows: rows})
	check(t, "the digests of a range", err == nil && len(prints[0].Rows) == 100, err)
	lists, err := tx.List(ctx, s, some[1:2], rows)
	check(t, "listing a range", err == nil && len(lists[0]) == 100, err)

	for _, by := range []table.Grouping{{}, {Bounds: []table.Key{key("500")}}, {Buckets: 64}, {Buckets: 64, Coarse: 8}} {
		hashed := s
		hashed.KeyHash = "pg_catalog.hashint4extended(" + s.Key[0] + ", 1)"
		var total table.Sum
		ranges := []table.PageRange{{To: 3}, {From: 3, To: -1}}
		_, err = tx.PageSums(ctx, hashed, ranges, by, func(place, _ int, sum table.Sum) {
			if by.Coarse == 0 || place == table.AllPageRanges {
				total = total.Add(sum)
			}
		})
		check(t, fmt.Sprintf("summing pages by %+v", by), total == sums[3], err)
		hashed.Within = table.Buckets{Of: 2, Numbers: []int{0, 1}}
		within, _, err := tx.Sums(ctx, hashed, some)
		check(t, "summing buckets", err == nil && within[1] == sums[1], err)
	}
	ages, err := tx.PageFreshness(ctx, s, []table.PageRange{{To: -1}})
	check(t, "the ages of pages", err == nil && ages[0].Rows == rows, err)
	scanned, err := tx.ScanList(ctx, s, []table.Key{key("500")}, []int{0}, rows)
	check(t, "listing by a scan", err == nil && len(scanned[0]) == 499, err)

	for _, s.Unindexed = range []bool{false, true} {
		digests, err := tx.Digests(ctx, s, keys)
		check(t, "the digests of keys", err == nil && digests[0] != nil && digests[1] == nil && digests[2] != nil, err)
		spelt, err := tx.Spellings(ctx, s, keys)
		check(t, "the texts of keys", err == nil && spelt[2].Equal(keys[2]), err)
		since, err := tx.WrittenSince(ctx, s, keys, "1:1:")
		check(t, "what was written since", err == nil && since[0] && since[1] && since[2], err)
	}
	_, err = tx.rank(ctx, s, keys, 0)
	check(t, "ranking keys", true, err)
}

// checkWriting deletes, updates and inserts rows in a transaction that is rolled back.
func checkWriting(t *testing.T, n *Node, at table.Target) {
	t.Helper()
	ctx := t.Context()
	tx, err := n.BeginRepair(ctx, at.Access())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()

	locked := readAll(t, func() (table.RowStream, error) { return tx.Lock(ctx, at.Source, []table.Key{key("1"), key("2")}) })
	check(t, "locking rows", len(locked) == 2, nil)
	check(t, "deleting", true, tx.Delete(ctx, at, []table.Key{key("1")}))
	check(t, "updating", true, tx.Update(ctx, at, []int{1}, []table.Key{key("2"), key("3")}, []table.Row{text("two"), text("twin")}, true))
	check(t, "inserting", true, tx.Insert(ctx, at, []int{0, 1}, []table.Row{text("5000", "twin")}))
	twins := table.Deferrable{Columns: []string{`"v"`}, Equal: []string{"OPERATOR(pg_catalog.=)"}}
	first, err := tx.Duplicate(ctx, at, twins, []table.Key{key("2"), key("5000")})
	check(t, "looking for twins", first == 1, err)
	converted, err := tx.Convert(ctx, conversions(at), []table.Row{text(" 7", "x")})
	check(t, "converting", err == nil && *converted[0][0] == "7", err)
}

func check(t *testing.T, what string, ok bool, err error) {
	t.Helper()
	if err != nil || !ok {
		t.Fatalf("%s: as expected %v, error %v", what, ok, err)
	}
}

// conversions returns the conversions to the types of the target's columns.
func conversions(t table.Target) []table.Conversion {
	to := make([]table.Conversion, len(t.Types))
	for i := range to {
		to[i] = table.Conversion{Name: t.Names[i], Type: t.Types[i]}
	}
	return to
}
