//go:build !unit

package pg

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

// Case T-F1, see docs/RELIABILITY.md.
func TestWithin_GroupedOperatorsAgreeWithOneRowComparison(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	for node := range c.Nodes {
		c.Exec(t, node, `CREATE TABLE t (a int, b text COLLATE "C", c int, d int, PRIMARY KEY (a, b, c, d));
			INSERT INTO t SELECT i % 3, chr(97 + i / 3 % 3), i / 9 % 3, i / 27 % 3 FROM generate_series(0, 80) i WHERE i % 7 <> 2`)
		n := nodeOf(t, c, node)
		plain := sourceOf(describeTable(t, n, "t"), "t")
		tx := begin(t, n, plain)

		rapid.Check(t, func(rt *rapid.T) {
			grouped := plain
			grouped.Less, grouped.AtLeast = "", ""
			grouped.OrderGroups = rapid.SampledFrom([][]table.OrderGroup{groups(1, 1, 1, 1), groups(2, 2), groups(1, 3), groups(3, 1), groups(1, 2, 1)}).Draw(rt, "groups")
			bound := rapid.Custom(func(rt *rapid.T) table.Key {
				digit := rapid.IntRange(0, 3)
				return key(fmt.Sprint(digit.Draw(rt, "a")), string(rune('a'+digit.Draw(rt, "b"))), fmt.Sprint(digit.Draw(rt, "c")), fmt.Sprint(digit.Draw(rt, "d")))
			})
			open := rapid.Just(table.Key(nil))
			ranges := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) table.Range {
				return between(rapid.OneOf(bound, open).Draw(rt, "lo"), rapid.OneOf(bound, open).Draw(rt, "hi"))
			}), 1, 6).Draw(rt, "ranges")

			want, err := tx.List(t.Context(), plain, ranges, 10_000)
			if err != nil {
				rt.Fatal(err)
			}
			got, err := tx.List(t.Context(), grouped, ranges, 10_000)
			if err != nil {
				rt.Fatal(err)
			}
			for i := range ranges {
				if !slices.EqualFunc(got[i], want[i], func(a, b table.Listed) bool { return a.Key.Equal(b.Key) }) {
					rt.Fatalf("%v holds %v, want %v", ranges[i], got[i], want[i])
				}
			}
		})
	}
}

// CheckIndex counts the rows of all ranges. There may be a single range, without bounds.
func TestCheckIndex_OneRangeWithoutBoundsHasNoCondition(t *testing.T) {
	c := pgtest.NewCluster(t)
	c.Exec(t, 0, `CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, 1), (1, 2)`)
	n := nodeOf(t, c, 0)
	source := sourceOf(describeTable(t, n, "t"), "t")
	source.Less, source.AtLeast, source.OrderGroups = "", "", groups(1, 1)
	if err := begin(t, n, source).CheckIndex(t.Context(), source, []table.Range{between(nil, nil)}); err != nil {
		t.Error(err)
	}
}

func TestWithin_GroupedOperatorsAreServedByTheIndex(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	for node := range c.Nodes {
		c.Exec(t, node, `CREATE TABLE t (a int, b int, c int, PRIMARY KEY (a, b, c));
			INSERT INTO t SELECT i % 2, i, i FROM generate_series(1, 100000) i; ANALYZE t`)
		n := nodeOf(t, c, node)
		s := sourceOf(describeTable(t, n, "t"), "t")
		s.Less, s.AtLeast, s.OrderGroups = "", "", groups(1, 2)
		tx := begin(t, n, s)

		b := byShape([]table.Range{between(key("1", "50000", "0"), key("1", "50100", "0"))})[0]
		q := b.statement(s, "pg_catalog.count(*)", "")
		plan := ""
		q.sql = "EXPLAIN (ANALYZE, TIMING off, SUMMARY off, COSTS off) " + q.sql
		q.row = func(v [][]byte) error { plan += string(v[0]) + "\n"; return nil }
		if err := tx.run(t.Context(), "explaining", append(settings(rangePlans), q)...); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, "BitmapOr") || !strings.Contains(plan, "Heap Blocks") || strings.Contains(plan, "Rows Removed by Filter") {
			t.Errorf("PostgreSQL %d reads more than the range:\n%s", c.Nodes[node].Major, plan)
		}
	}
}

func groups(columns ...int) []table.OrderGroup {
	var all []table.OrderGroup
	for _, n := range columns {
		all = append(all, table.OrderGroup{
			Columns: n, Less: "OPERATOR(pg_catalog.<)", AtLeast: "OPERATOR(pg_catalog.>=)", Equal: "OPERATOR(pg_catalog.=)",
		})
	}
	return all
}

func TestByKey_CastOfADomainIsServedByTheIndex(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	for node := range c.Nodes {
		c.Exec(t, node, `CREATE EXTENSION citext; CREATE DOMAIN dom AS citext COLLATE "C"; CREATE TABLE t (k dom PRIMARY KEY);
			INSERT INTO t SELECT 'k' || i FROM generate_series(1, 10000) i; ANALYZE t`)
		s := sourceOf(describeTable(t, nodeOf(t, c, node), "t"), "t")
		s.Key = []string{`("t"."k")::"public"."citext"`}
		s.Order, s.KeyEqual, s.Less, s.AtLeast = s.Key, []string{"OPERATOR(public.=)"}, "OPERATOR(public.<)", "OPERATOR(public.>=)"
		tx := begin(t, nodeOf(t, c, node), s)

		b := byShape([]table.Range{between(key("k10"), key("K11"))})[0]
		for _, q := range []query{byKey(s, []table.Key{key("K7")}, "1 AS one", ""), b.statement(s, s.Key[0], " ORDER BY "+s.Order[0])} {
			plan := ""
			q.sql = "EXPLAIN (COSTS off) " + q.sql
			q.row = func(v [][]byte) error { plan += string(v[0]) + "\n"; return nil }
			if err := tx.run(t.Context(), "explaining", append(settings(rangePlans), q)...); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(plan, "Index Cond") || strings.Contains(plan, "Sort") || strings.Contains(plan, "Seq Scan") {
				t.Errorf("PostgreSQL %d:\n%s", c.Nodes[node].Major, plan)
			}
		}
	}
}
