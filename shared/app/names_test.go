//go:build !unit

package app_test

import (
	"fmt"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

// hostileNames are legal identifiers that break careless SQL.
func hostileNames() []string {
	return []string{
		"Upper Case", "dot.dot", `a "quoted" name`, "it's $1 %s", "select", "名前 ünïcödé", `back\slash; --`, strings.Repeat("x", 63),
	}
}

func TestTableDiff_AcceptsAnyNames(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	for _, name := range hostileNames() {
		t.Run(name, func(t *testing.T) {
			q := table.Quote(name)
			c.ExecAll(t, fmt.Sprintf(`CREATE SCHEMA %[1]s; CREATE TABLE %[1]s.%[1]s (%[1]s int PRIMARY KEY, "v %[2]s" text);
				INSERT INTO %[1]s.%[1]s SELECT i, 'v' FROM generate_series(1, 1500) i`, q, strings.ReplaceAll(name[:min(len(name), 40)], `"`, `""`)))
			c.Exec(t, 1, fmt.Sprintf(`DELETE FROM %[1]s.%[1]s WHERE %[1]s.%[1]s = 700`, q))
			d := s.Diff(t, q+"."+q, "block_rows", "1000", "table_filter", q+"."+q+" > 0")
			if got := countsOf(d, 0); got != (counts{1, 0, 0}) || d.Summary.PrimaryKey[0] != name {
				t.Errorf("found %+v by key %q, want one row on the first node only", got, d.Summary.PrimaryKey)
			}
		})
	}
}

func TestTableDiff_AcceptsAnyDatabaseName(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	for i, name := range []string{`Mixed Case`, `with "quotes" and 'more'`, `data=base host=elsewhere`, `datenbank_größe`} {
		t.Run(name, func(t *testing.T) {
			c.ExecAll(t, `CREATE DATABASE `+table.Quote(name)+` TEMPLATE template0`)
			t.Cleanup(func() { c.ExecAll(t, `DROP DATABASE `+table.Quote(name)+` WITH (FORCE)`) })
			other := *c
			other.DB, other.Name = name, fmt.Sprintf("%s_%d", c.Name, i)
			other.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10)`)
			other.Exec(t, 0, `DELETE FROM t WHERE id = 4`)
			d := apptest.New(t, &other, apptest.Options{}).Diff(t, "public.t")
			if got := countsOf(d, 0); got != (counts{0, 1, 0}) || d.Summary.DBName != name {
				t.Errorf("found %+v in database %q, want one row on the second node only in %q", got, d.Summary.DBName, name)
			}
		})
	}
}

// ownNames are the names that the statements of a comparison use themselves.
func ownNames() []string {
	return []string{"ace_list", "ace_list_", "ace_inner", "ace_rows", "ace_b", "ace_bucket", "ace_cut", "ace_page", "u", "r", "d"}
}

func TestTableDiff_AcceptsTablesNamedLikeItsAliases(t *testing.T) {
	t.Parallel()
	var shapes []shape
	for _, name := range ownNames() {
		columns := []string{"id int PRIMARY KEY"}
		for _, column := range append(ownNames(), "ord", "lo1", "hi1", "k1", "n", "x", "b", "b1", "lo", "hi") {
			columns = append(columns, column+" int")
		}
		shapes = append(shapes, shape{name: name, table: "public." + name, all: []string{
			fmt.Sprintf(`CREATE TABLE %s (%s)`, name, strings.Join(columns, ", ")),
			fmt.Sprintf(`INSERT INTO %s (id, x, n, b, ord, lo1, hi1, k1) SELECT i, i, i, i, -i, -i, -i, -i FROM generate_series(1, 2000) i`, name),
		}, n1: []string{fmt.Sprintf(`UPDATE %s SET x = 0 WHERE id = 11; DELETE FROM %s WHERE id = 1999`, name, name)},
			args:  []string{"table_filter", fmt.Sprintf("n > 5 AND ord < 0 AND lo1 < 0 AND hi1 < 0 AND k1 < 0 AND %s.b > 0", name)},
			total: 1995, found: counts{0, 1, 1}})
	}
	checkShapes(t, shapes)
}

func TestTableDiff_AcceptsKeysNamedLikeItsColumns(t *testing.T) {
	t.Parallel()
	var shapes []shape
	for _, key := range [][2]string{{"ord", "n"}, {"lo1", "hi1"}, {"k1", "x"}, {"b", "b1"}, {"u", "ace_list"}, {"ace_inner", "ace_bucket"}} {
		shapes = append(shapes, shape{name: key[0] + " and " + key[1], all: []string{
			fmt.Sprintf(`CREATE TABLE t (%[1]s int, %[2]s text COLLATE "C", PRIMARY KEY (%[1]s, %[2]s))`, key[0], key[1]),
			`INSERT INTO t SELECT i % 100, 'k' || i FROM generate_series(1, 2000) i`,
		}, n2: []string{`DELETE FROM t WHERE ` + key[1] + ` = 'k77'`, `INSERT INTO t VALUES (7, 'new')`}, total: 2001, found: counts{1, 1, 0}})
	}
	checkShapes(t, shapes)
}

// The nodes order the key differently, so every statement of the pages strategy is used
// too.
func TestTableDiff_AcceptsKeysNamedLikeItsColumnsInPhysicalOrder(t *testing.T) {
	t.Parallel()
	var shapes []shape
	for _, key := range []string{"x", "b", "ace_b", "ace_bucket", "t"} {
		fill := `INSERT INTO t SELECT 'key ' || i FROM generate_series(1, 2000) i`
		shapes = append(shapes, shape{name: key,
			n1:    []string{fmt.Sprintf(`CREATE TABLE t (%s text COLLATE "C" PRIMARY KEY)`, key), fill, `DELETE FROM t WHERE t IS NOT NULL AND ctid = '(0,7)'`},
			n2:    []string{fmt.Sprintf(`CREATE TABLE t (%s text COLLATE "und-x-icu" PRIMARY KEY)`, key), fill},
			total: 2000, found: counts{0, 1, 0}, warning: "ordered by its text"})
	}
	checkShapes(t, shapes)
}

func TestTableDiff_OnlyTheNamedTableIsRead(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `ALTER DATABASE `+c.DB+` SET search_path = other, public`)
	c.ExecAll(t, `CREATE SCHEMA other; CREATE TABLE other.t (id int PRIMARY KEY); CREATE TABLE public.t (id int PRIMARY KEY);
		INSERT INTO public.t SELECT generate_series(1, 100)`)
	c.Exec(t, 0, `INSERT INTO other.t VALUES (1)`)
	if d := s.Diff(t, "public.t"); d.Result.TotalRows != 100 || d.Result.MismatchedRows != 0 {
		t.Errorf("public.t: %d rows, %d mismatched, want 100 and 0", d.Result.TotalRows, d.Result.MismatchedRows)
	}
	if d := s.Diff(t, "other.t"); d.Result.TotalRows != 1 || d.Result.MismatchedRows != 1 {
		t.Errorf("other.t: %d rows, %d mismatched, want 1 and 1", d.Result.TotalRows, d.Result.MismatchedRows)
	}
}
