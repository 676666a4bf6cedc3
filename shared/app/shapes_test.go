//go:build !unit

package app_test

import (
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
)

func TestTableDiff_FindsEveryKindOfDifference(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE users (id int PRIMARY KEY, name text)`,
		`INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 5000) i`)
	c.Exec(t, 1, `UPDATE users SET name = 'other' WHERE id = 7`, `DELETE FROM users WHERE id = 4000`)
	c.Exec(t, 2, `INSERT INTO users VALUES (5001, 'extra')`)

	d := s.Diff(t, "public.users")
	if d.Result.TotalRows != 5001 || d.Result.MismatchedRows != 3 || d.Result.Verdict != "differ" {
		t.Errorf("total %d, mismatched %d, verdict %s; want 5001, 3, differ", d.Result.TotalRows, d.Result.MismatchedRows, d.Result.Verdict)
	}
	for _, want := range []struct {
		pair, node string
		ids        []string
	}{
		{"n1/n2", "n1", []string{"7", "4000"}},
		{"n1/n2", "n2", []string{"7"}},
		{"n1/n3", "n1", nil},
		{"n1/n3", "n3", []string{"5001"}},
		{"n2/n3", "n2", []string{"7"}},
		{"n2/n3", "n3", []string{"7", "4000", "5001"}},
	} {
		if got := slices.Collect(d.All(want.pair, want.node, "id")); !slices.Equal(got, want.ids) {
			t.Errorf("pair %s has ids %v on node %s, want %v", want.pair, got, want.node, want.ids)
		}
	}
}

// shape is a table on two nodes and what comparing it must find.
type shape struct {
	name    string
	table   string   // as a request names it; "" is public.t
	all     []string // SQL for both nodes, which makes the table
	n1, n2  []string // SQL for one of them afterwards
	args    []string // of the request
	total   int64    // distinct keys
	found   counts
	warning string // part of one of the warnings; "" asks for none
}

// counts are the counts of a pair's summary: rows on the first node only, on the second
// only, and different on both.
type counts struct{ only1, only2, different int64 }

func countsOf(d apptest.Diff, pair int) counts {
	p := d.Summary.Pairs[pair]
	return counts{p.OnlyOn[p.Nodes[0]], p.OnlyOn[p.Nodes[1]], p.Different}
}

// check compares the shape's table and checks the summary and the rows of the document.
func (sh shape) check(t *testing.T, s *apptest.Service) {
	t.Helper()
	name := sh.table
	if name == "" {
		name = "public.t"
	}
	d := s.Diff(t, name, append([]string{"block_rows", "1000"}, sh.args...)...)
	if got := countsOf(d, 0); got != sh.found || d.Result.TotalRows != sh.total {
		t.Errorf("%d rows, %+v (strategy %s); want %d rows, %+v", d.Result.TotalRows, got, d.Summary.Strategy, sh.total, sh.found)
	}
	mismatched := sh.found.only1 + sh.found.only2 + sh.found.different
	if d.Result.MismatchedRows != mismatched || (d.Result.Verdict == "match") != (mismatched == 0) {
		t.Errorf("verdict %s with %d mismatched rows, want %d", d.Result.Verdict, d.Result.MismatchedRows, mismatched)
	}
	if want := mismatched + sh.found.different; int64(len(d.Rows)) != want {
		t.Errorf("the document has %d rows, want %d", len(d.Rows), want)
	}
	warnings := unprivileged(d.Summary.Warnings)
	warned := slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, sh.warning) })
	if sh.warning == "" && len(warnings) > 0 || sh.warning != "" && !warned {
		t.Errorf("warnings are %q, want %q", warnings, sh.warning)
	}
}

// checkShapes runs cases on one cluster, one after the other, each in its own public
// schema.
func checkShapes(t *testing.T, shapes []shape, options ...pgtest.Option) {
	t.Helper()
	c := pgtest.NewCluster(t, options...)
	s := apptest.New(t, c, apptest.Options{})
	for _, sh := range shapes {
		t.Run(sh.name, func(t *testing.T) {
			c.ExecAll(t, append([]string{`DROP SCHEMA public CASCADE; CREATE SCHEMA public`}, sh.all...)...)
			c.Exec(t, 0, sh.n1...)
			c.Exec(t, 1, sh.n2...)
			sh.check(t, s)
		})
	}
}

func TestTableDiff_ComparesAnyFillingOfATable(t *testing.T) {
	t.Parallel()
	plain := `CREATE TABLE t (id int PRIMARY KEY, v text)`
	fill := func(from, to string) string {
		return `INSERT INTO t SELECT i, 'v' || i FROM generate_series(` + from + `, ` + to + `) i`
	}
	checkShapes(t, []shape{
		{name: "all nodes empty", all: []string{plain}},
		{name: "the first node empty", all: []string{plain}, n2: []string{fill("1", "3000")}, total: 3000, found: counts{0, 3000, 0}},
		{name: "the second node empty", all: []string{plain}, n1: []string{fill("1", "3000")}, total: 3000, found: counts{3000, 0, 0}},
		{name: "no key in common", all: []string{plain}, n1: []string{fill("1", "2500")}, n2: []string{fill("2501", "4000")},
			total: 4000, found: counts{2500, 1500, 0}},
		{name: "no key in common, interleaved", all: []string{plain, fill("1", "4000")},
			n1: []string{`DELETE FROM t WHERE id % 2 = 0`}, n2: []string{`DELETE FROM t WHERE id % 2 = 1`}, total: 4000, found: counts{2000, 2000, 0}},
		{name: "one row, the same", all: []string{plain, fill("1", "1")}, total: 1},
		{name: "one row, different", all: []string{plain, fill("1", "1")}, n2: []string{`UPDATE t SET v = NULL`}, total: 1, found: counts{0, 0, 1}},
		{name: "one row, other keys", all: []string{plain}, n1: []string{fill("1", "1")}, n2: []string{fill("2", "2")}, total: 2, found: counts{1, 1, 0}},
		{name: "exactly block_rows rows", all: []string{plain, fill("1", "1000")}, n2: []string{`DELETE FROM t WHERE id IN (1, 1000)`},
			total: 1000, found: counts{2, 0, 0}},
		{name: "one row more than block_rows", all: []string{plain, fill("1", "1001")}, n1: []string{`DELETE FROM t WHERE id = 1001`},
			total: 1001, found: counts{0, 1, 0}},
		{name: "every row different", all: []string{plain, fill("1", "5000")}, n2: []string{`UPDATE t SET v = v || '!'`}, total: 5000, found: counts{0, 0, 5000}},
		{name: "rows that differ in NULL against an empty text only", all: []string{plain, fill("1", "2000")},
			n1: []string{`UPDATE t SET v = NULL WHERE id % 500 = 0`}, n2: []string{`UPDATE t SET v = '' WHERE id % 500 = 0`}, total: 2000, found: counts{0, 0, 4}},
		{name: "the ends of the key's type", all: []string{plain, `INSERT INTO t VALUES (-2147483648, 'a'), (0, 'b'), (2147483647, 'c')`},
			n2: []string{`UPDATE t SET v = 'x' WHERE id <> 0`}, total: 3, found: counts{0, 0, 2}},
		{name: "nearly all rows within a tiny range of the keys", all: []string{`CREATE TABLE t (id bigint PRIMARY KEY, v text)`,
			`INSERT INTO t SELECT CASE WHEN i % 100 = 0 THEN i * 1000000000000 ELSE i END, 'v' FROM generate_series(1, 20000) i`, `ANALYZE t`},
			n2: []string{`DELETE FROM t WHERE id = 77`, `UPDATE t SET v = 'w' WHERE id IN (100000000000000, 20000000000000000)`}, total: 20000, found: counts{1, 0, 2}},
	})
}

func TestTableDiff_StatisticsNeverDecideTheVerdict(t *testing.T) {
	t.Parallel()
	quiet := `CREATE TABLE t (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off)`
	checkShapes(t, []shape{
		{name: "never analysed", all: []string{quiet, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20000) i`},
			n2: []string{`UPDATE t SET v = 'w' WHERE id = 19999`}, total: 20000, found: counts{0, 0, 1}},
		{name: "analysed when it was tiny, then grown", all: []string{quiet, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 600) i; ANALYZE t`,
			`INSERT INTO t SELECT i, 'v' FROM generate_series(601, 60000) i`},
			n1: []string{`DELETE FROM t WHERE id IN (1, 30000, 60000)`}, total: 60000, found: counts{0, 3, 0}},
		{name: "grown on one node only, all in front of the known keys", all: []string{quiet, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 2000) i; ANALYZE t`},
			n2: []string{`INSERT INTO t SELECT -i, 'v' FROM generate_series(1, 30000) i`}, total: 32000, found: counts{0, 30000, 0}},
		{name: "analysed when it was full, then emptied", all: []string{quiet, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 60000) i; ANALYZE t`,
			`DELETE FROM t WHERE id % 1000 <> 0`}, n2: []string{`DELETE FROM t WHERE id = 1000`, `INSERT INTO t VALUES (60001, 'v')`},
			total: 61, found: counts{1, 1, 0}},
		{name: "the catalogue claims that there is nothing", all: []string{quiet, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 30000) i; ANALYZE t`,
			`UPDATE pg_class SET reltuples = 1, relpages = 100000 WHERE oid = 't'::regclass`},
			n2: []string{`DELETE FROM t WHERE id % 2 = 0`}, total: 30000, found: counts{15000, 0, 0}},
		{name: "the catalogue claims millions", all: []string{quiet, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 3000) i; ANALYZE t`,
			`UPDATE pg_class SET reltuples = 1e6, relpages = 1 WHERE oid = 't'::regclass`},
			n2: []string{`UPDATE t SET v = 'w' WHERE id > 2995`}, total: 3000, found: counts{0, 0, 5}},
	})
}

func TestTableDiff_ComparesAnyColumns(t *testing.T) {
	t.Parallel()
	checkShapes(t, []shape{
		{name: "only the key", all: []string{`CREATE TABLE t (id int PRIMARY KEY)`, `INSERT INTO t SELECT generate_series(1, 3000)`},
			n1: []string{`DELETE FROM t WHERE id = 5`}, n2: []string{`DELETE FROM t WHERE id = 2500`}, total: 3000, found: counts{1, 1, 0}},
		{name: "only a key of three columns", all: []string{`CREATE TABLE t (a int, b text, c date, PRIMARY KEY (c, a, b))`,
			`INSERT INTO t SELECT i % 7, 'b' || i, '2024-01-01'::date + i % 30 FROM generate_series(1, 3000) i`},
			n2: []string{`DELETE FROM t WHERE b = 'b1234'`}, total: 3000, found: counts{1, 0, 0}},
		{name: "generated columns", all: []string{`CREATE TABLE t (id int PRIMARY KEY, v int, w int GENERATED ALWAYS AS (v * 2) STORED)`,
			`INSERT INTO t SELECT i, i FROM generate_series(1, 2000) i`}, n2: []string{`UPDATE t SET v = 0 WHERE id = 9`}, total: 2000, found: counts{0, 0, 1}},
		{name: "generated otherwise on the two nodes", n1: []string{`CREATE TABLE t (id int PRIMARY KEY, w int GENERATED ALWAYS AS (id * 2) STORED)`, `INSERT INTO t SELECT generate_series(1, 10)`},
			n2:    []string{`CREATE TABLE t (id int PRIMARY KEY, w int GENERATED ALWAYS AS (id + id % 3 + id) STORED)`, `INSERT INTO t SELECT generate_series(1, 10)`},
			total: 10, found: counts{0, 0, 7}, warning: "no repair can make its values equal"},
		{name: "identity columns", all: []string{`CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int GENERATED BY DEFAULT AS IDENTITY)`,
			`INSERT INTO t (n) SELECT i FROM generate_series(1, 2000) i`}, n1: []string{`UPDATE t SET n = 1 WHERE id = 2`}, total: 2000, found: counts{0, 0, 1}},
		{name: "dropped and re-ordered columns", n1: []string{`CREATE TABLE t (gone int, id int PRIMARY KEY, a text, b int); ALTER TABLE t DROP gone`,
			`INSERT INTO t SELECT i, 'a' || i, i FROM generate_series(1, 2000) i`},
			n2:    []string{`CREATE TABLE t (b int, a text, gone text, id int, PRIMARY KEY (id)); ALTER TABLE t DROP gone`, `INSERT INTO t SELECT i, 'a' || i, i FROM generate_series(1, 2000) i`, `UPDATE t SET b = -1 WHERE id = 42`},
			total: 2000, found: counts{0, 0, 1}},
		{name: "a column added with a default after the rows", all: []string{`CREATE TABLE t (id int PRIMARY KEY)`, `INSERT INTO t SELECT generate_series(1, 2000)`},
			n1: []string{`ALTER TABLE t ADD v text DEFAULT 'late'`}, n2: []string{`ALTER TABLE t ADD v text; UPDATE t SET v = 'late' WHERE id <> 1999`}, total: 2000, found: counts{0, 0, 1}},
		{name: "an ignored column", all: []string{`CREATE TABLE t (id int PRIMARY KEY, v text, w text)`, `INSERT INTO t SELECT i, 'v', 'w' FROM generate_series(1, 2000) i`},
			n2: []string{`UPDATE t SET w = 'x'; UPDATE t SET v = 'x' WHERE id = 3`}, args: []string{"ignore_columns", "w"}, total: 2000, found: counts{0, 0, 1}},
		{name: "no primary key but a unique index", all: []string{`CREATE TABLE t (id int NOT NULL, v text); CREATE UNIQUE INDEX by_id ON t (id)`,
			`INSERT INTO t SELECT i, 'v' FROM generate_series(1, 2000) i`}, n2: []string{`DELETE FROM t WHERE id = 3`}, total: 2000, found: counts{1, 0, 0}, warning: `"by_id" serves as the key`},
		{name: "unlogged", all: []string{`CREATE UNLOGGED TABLE t (id int PRIMARY KEY)`, `INSERT INTO t SELECT generate_series(1, 2000)`},
			n2: []string{`DELETE FROM t WHERE id = 3`}, total: 2000, found: counts{1, 0, 0}},
	})
}
