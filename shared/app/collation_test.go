//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// orderedUnlike creates two nodes whose databases sort text differently: by bytes and in
// American English.
func orderedUnlike(t *testing.T) *pgtest.Cluster {
	t.Helper()
	return pgtest.NewCluster(t,
		pgtest.CreateDatabase(0, "ENCODING 'UTF8' LOCALE 'C'"),
		pgtest.CreateDatabase(1, "ENCODING 'UTF8' LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"))
}

// mixedText has texts whose order differs between nearly all collations.
const mixedText = `(ARRAY['a', 'B', '_', 'é', '-', 'Z z', 'ab', 'AB', 'É', '''', '"', '\'])[1 + i % 12] || i`

func TestCollations_DatabasesWithDifferentCollationsHideAndDuplicateNoRow(t *testing.T) {
	t.Parallel()
	c := orderedUnlike(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, citextSetup()...)
	for i, kind := range []struct {
		keyKind
		order string
	}{
		{one("text", "text", mixedText, "''", "repeat('z', 2000)"), `k1 COLLATE "C"`},
		{one("varchar", "varchar(20)", mixedText, "''"), `k1 COLLATE "C"`},
		{one("char", "char(9)", mixedText, "''"), `k1::text COLLATE "C"`},
		{one("citext", "ext.citext", mixedText, "''"), `k1::text COLLATE "C"`},
		{one("citext with the collation C, which folds like its database", `ext.citext COLLATE "C"`, mixedText, "''"), `k1::text COLLATE "C"`},
		{one("domain over citext", "caseless", mixedText).after("CREATE DOMAIN caseless AS ext.citext"), `k1::text COLLATE "C"`},
		{one("text array", "text[]", "ARRAY["+mixedText+"]", "'{}'"), `k1::text COLLATE "C"`},
		{one("jsonb", "jsonb", "to_jsonb("+mixedText+")", "'1'"), `k1::text COLLATE "C"`},
		{one("composite type", "labelled", "ROW("+mixedText+", i)::labelled").after("CREATE TYPE labelled AS (a text, b int)"), `k1::text COLLATE "C"`},
		{several("integer and text", []string{"int", "text"}, []string{"i % 5", mixedText}, "-1, ''"), `k1, k2 COLLATE "C"`},
		{several("text and integer", []string{"text", "int"}, []string{"(ARRAY['a', 'B', '_', 'é'])[1 + i % 4]", "i"}, "'', -1"), `k1 COLLATE "C", k2`},
	} {
		c.ExecAll(t, kind.setup...)
		kind.setup = nil
		for _, big := range []bool{false, true} {
			t.Run(kind.name+map[bool]string{true: ", many blocks"}[big], func(t *testing.T) {
				t.Parallel()
				table := fmt.Sprintf("t%d_%t", i, big)
				order, kind := kind.order, kind.keyKind
				if big {
					kind.rows = scatteredRows
					c.ExecAll(t, kind.scattered(table, false)...)
				} else {
					c.ExecAll(t, append(kind.create(table, ""), kind.fill(table)...)...)
				}
				checkOrderedByText(t, s, kind, table, order)
			})
		}
	}
}

// checkOrderedByText changes rows of the table and checks the comparison.
func checkOrderedByText(t *testing.T, s *apptest.Service, kind keyKind, table, order string) {
	t.Helper()
	drift(t, s.Cluster, table)
	d := s.Diff(t, "public."+table, "block_rows", "1000")
	kind.check(t, s.Cluster, d, table, order)
	if d.Summary.Strategy != "pages" || !strings.Contains(strings.Join(d.Summary.Warnings, "\n"), "is ordered by its text") {
		t.Errorf("strategy %q, warnings %q, want pages in the order of the key's text", d.Summary.Strategy, d.Summary.Warnings)
	}
}

func TestCollations_TheOrderIsThatOfTheKeyColumnsCollation(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, "CREATE COLLATION digits_last (provider = icu, locale = 'und-u-kn-kr-latn-digit')")
	for i, columns := range []struct {
		name, first, second string
		order, strategy     string
	}{
		{"the same on both nodes", `"en-x-icu"`, `"en-x-icu"`, `k1 COLLATE "en-x-icu"`, "key ranges"},
		{"bytes under two names", `"C"`, `"POSIX"`, `k1 COLLATE "C"`, "key ranges"},
		{"bytes and a language", `"C"`, `"en-x-icu"`, `k1 COLLATE "C"`, "pages"},
		{"two languages", `"sv-x-icu"`, `"de-x-icu"`, `k1 COLLATE "C"`, "pages"},
		{"one that numbers decide", "digits_last", `"en-x-icu"`, `k1 COLLATE "C"`, "pages"},
	} {
		t.Run(columns.name, func(t *testing.T) {
			t.Parallel()
			table := fmt.Sprintf("t%d", i)
			for node, collation := range []string{columns.first, columns.second} {
				kind := one("text", "text COLLATE "+collation, mixedText, "''")
				c.Exec(t, node, append(kind.create(table, ""), kind.fill(table)...)...)
			}
			drift(t, c, table)
			d := s.Diff(t, "public."+table, "block_rows", "1000")
			one("text", "text", mixedText, "''").check(t, c, d, table, columns.order)
			if d.Summary.Strategy != columns.strategy {
				t.Errorf("strategy %q, want %q", d.Summary.Strategy, columns.strategy)
			}
		})
	}
}

// Equal keys with different texts must match even if the nodes' own orders cannot be
// used.
func TestCollations_KeyVariantsMatchUnderEveryOrder(t *testing.T) {
	t.Parallel()
	for _, nodes := range []struct {
		name, column string
		cluster      func(*testing.T) *pgtest.Cluster
	}{
		{"citext in databases of other locales", "ext.citext", orderedUnlike},
		{"a non-deterministic collation of two server versions", "text COLLATE caseless", func(t *testing.T) *pgtest.Cluster {
			t.Helper()
			return pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
		}},
	} {
		t.Run(nodes.name, func(t *testing.T) {
			t.Parallel()
			c := nodes.cluster(t)
			s := apptest.New(t, c, apptest.Options{})
			c.ExecAll(t, append(citextSetup(),
				"CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
				fmt.Sprintf("CREATE TABLE t (k %s PRIMARY KEY, i int, v text)", nodes.column),
				"INSERT INTO t SELECT 'Key ' || i, i, 'v' FROM generate_series(1, 3000) i")...)
			c.Exec(t, 1, "UPDATE t SET k = upper(k::text) WHERE i % 1000 IN (7, 8)", "UPDATE t SET v = 'other' WHERE i % 1000 = 8", "DELETE FROM t WHERE i = 9")
			d := s.Diff(t, "public.t", "block_rows", "1000")
			pair := d.Summary.Pairs[0]
			if d.Result.TotalRows != 3000 || d.Result.MismatchedRows != 7 || pair.Different != 6 || pair.Columns["k"] != 6 || pair.Columns["v"] != 3 {
				t.Errorf("%d rows, %d mismatched, %+v; want 3000, 7, of which 6 are different in k and 3 of these in v", d.Result.TotalRows, d.Result.MismatchedRows, pair)
			}
			for node, want := range [][]string{
				{"1007", "1008", "2007", "2008", "7", "8", "9"}, {"1007", "1008", "2007", "2008", "7", "8"},
			} {
				if got := slices.Sorted(d.All("n1/n2", c.Nodes[node].Name, "i")); !slices.Equal(got, want) {
					t.Errorf("rows %q of node %s differ, want %q", got, c.Nodes[node].Name, want)
				}
			}
			var respelt []string
			for _, keys := range d.KeyVariants {
				respelt = append(respelt, *keys[0][0]+" = "+*keys[1][0])
			}
			want := []string{"Key 1007 = KEY 1007", "Key 1008 = KEY 1008", "Key 2007 = KEY 2007", "Key 2008 = KEY 2008", "Key 7 = KEY 7", "Key 8 = KEY 8"}
			if slices.Sort(respelt); !slices.Equal(respelt, want) {
				t.Errorf("respelt keys are %q, want %q", respelt, want)
			}
		})
	}
}

// É and é are one citext key if the locale of the database knows accents, and otherwise
// two.
func TestCollations_KeysThatAreEqualOnOneNodeOnlyHideNoRow(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3),
		pgtest.CreateDatabase(0, "LOCALE 'C'"), pgtest.CreateDatabase(2, "LOCALE 'C'"),
		pgtest.CreateDatabase(1, "LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, append(citextSetup(), "CREATE TABLE t (k ext.citext PRIMARY KEY)", "INSERT INTO t VALUES ('É')")...)
	for _, bytewise := range []int{0, 2} {
		c.Exec(t, bytewise, "INSERT INTO t VALUES ('é')")
	}
	if d := s.Diff(t, "public.t", "nodes", "n1,n2"); d.Result.MismatchedRows != 1 {
		t.Errorf("%d rows mismatched, want the one that n1 has alone", d.Result.MismatchedRows)
	}
	if got := s.Fail(t, "public.t", "nodes", "n2,n3"); !strings.Contains(got, "rows cannot be matched under these collations") {
		t.Errorf("the error is %q", got)
	}
}

// If a key has two variants, that of the first node is reported, but only if the first
// pass has read this variant.
func TestCollations_AKeyVariantMissedByTheFirstPassHidesNoOther(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3), pgtest.CreateDatabase(0, "LOCALE 'C'"),
		pgtest.CreateDatabase(1, "LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"),
		pgtest.CreateDatabase(2, "LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"))
	c.ExecAll(t, append(citextSetup(), "CREATE TABLE t (k ext.citext PRIMARY KEY, v int)", "INSERT INTO t SELECT 'k' || i, i FROM generate_series(1, 10) i")...)
	c.Exec(t, 1, "INSERT INTO t VALUES ('Key', 1)")
	c.Exec(t, 2, "INSERT INTO t VALUES ('KEY', 1)")
	const late = "INSERT INTO t VALUES ('key', -1)"
	t.Run("since it came later", func(t *testing.T) {
		s := apptest.New(t, c, apptest.Options{Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
			if u.Phase == "confirm" {
				c.Exec(t, 0, late)
			}
			return next.Invoke(ctx, u)
		})})
		checkOneKeySpeltDifferently(t, s.Diff(t, "public.t"), 11)
	})
	t.Run("since the filter passes it over", func(t *testing.T) {
		c.Exec(t, 0, late+" ON CONFLICT DO NOTHING")
		s := apptest.New(t, c, apptest.Options{})
		checkOneKeySpeltDifferently(t, s.Diff(t, "public.t", "table_filter", "v > 0"), 11)
	})
}

// checkOneKeySpeltDifferently checks that one key is reported as different on all three
// nodes.
func checkOneKeySpeltDifferently(t *testing.T, d apptest.Diff, total int64) {
	t.Helper()
	if d.Result.TotalRows != total || d.Result.MismatchedRows != 1 {
		t.Errorf("%d of %d rows mismatched, want 1 of %d", d.Result.MismatchedRows, d.Result.TotalRows, total)
	}
	for i := range d.Summary.Pairs {
		if got := countsOf(d, i); got != (counts{0, 0, 1}) {
			t.Errorf("pair %v: %+v, want one different row", d.Summary.Pairs[i].Nodes, got)
		}
	}
}
