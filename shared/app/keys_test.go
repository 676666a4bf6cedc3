//go:build !unit

package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
)

// keyKind is a kind of key, with SQL for many distinct values of it.
type keyKind struct {
	name  string
	setup []string // SQL to run first, on every node
	types []string // of the key columns
	keys  []string // SQL for each key column in terms of i = 1, 2, ...
	rows  int      // the number of keys; 0: manyKeys
	edge  []string // more keys, as lists of SQL values
}

const (
	manyKeys = 2500    // several blocks of the smallest size
	edgeRow  = 100_000 // n of the first edge key
)

// The numbers n of the rows in which the nodes differ. n is not related to the order of
// the key.
const (
	goneFromFirst  = "(n < 100000 AND n % 500 = 5 OR n >= 100000 AND n % 4 = 1)"
	goneFromSecond = "(n < 100000 AND n % 500 = 3 OR n >= 100000 AND n % 4 = 2)"
	changed        = "(n < 100000 AND n % 500 = 9 OR n >= 100000 AND n % 4 IN (0, 3))"
)

func (k keyKind) count() int {
	if k.rows == 0 {
		return manyKeys
	}
	return k.rows
}

// columns returns the names of the key columns: k1, k2.
func (k keyKind) columns() []string {
	names := make([]string, len(k.types))
	for i := range names {
		names[i] = fmt.Sprintf("k%d", i+1)
	}
	return names
}

func (k keyKind) list() string { return strings.Join(k.columns(), ", ") }

// create creates the table, with the key columns in the middle.
func (k keyKind) create(table, storage string) []string {
	columns := k.columns()
	for i, column := range columns {
		columns[i] = column + " " + k.types[i]
	}
	return append(slices.Clone(k.setup), fmt.Sprintf("CREATE TABLE %s (v text, %s, n int, PRIMARY KEY (%s)) %s",
		table, strings.Join(columns, ", "), k.list(), storage))
}

// fill inserts all keys.
func (k keyKind) fill(table string) []string {
	sql := []string{fmt.Sprintf("INSERT INTO %s SELECT 'row ' || i, %s, i FROM generate_series(1, %d) i", table, strings.Join(k.keys, ", "), k.count())}
	for i, edge := range k.edge {
		sql = append(sql, fmt.Sprintf("INSERT INTO %s VALUES ('edge', %s, %d)", table, edge, edgeRow+i))
	}
	return sql
}

// drift makes the nodes differ.
func drift(t *testing.T, c *pgtest.Cluster, table string) {
	t.Helper()
	c.Exec(t, 0, "DELETE FROM "+table+" WHERE "+goneFromFirst)
	c.Exec(t, 1, "DELETE FROM "+table+" WHERE "+goneFromSecond, "UPDATE "+table+" SET v = v || ' changed' WHERE "+changed)
}

// check compares the document with the servers' own results: the expected rows with the
// expected values, in the order of the key.
func (k keyKind) check(t *testing.T, c *pgtest.Cluster, d apptest.Diff, table, order string) {
	t.Helper()
	if want := int64(k.count() + len(k.edge)); d.Result.TotalRows != want {
		t.Errorf("%d rows in total, want %d", d.Result.TotalRows, want)
	}
	columns := append(k.columns(), "v", "n")
	found := map[string]bool{}
	for node, missing := range []string{goneFromSecond, goneFromFirst} {
		want := c.QueryStrings(t, node, fmt.Sprintf("SELECT %s FROM %s WHERE %s OR %s ORDER BY %s", strings.Join(columns, ", "), table, missing, changed, order))
		name := c.Nodes[node].Name
		if got := rowsOf(d, "n1/n2", name, columns); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("rows of node %s are\n%.3000q\nwant\n%.3000q", name, got, want)
		}
		for _, row := range want {
			found[row[len(row)-1]] = true
		}
	}
	if d.Result.MismatchedRows != int64(len(found)) || d.Summary.ResolvedRows != 0 {
		t.Errorf("%d rows mismatched and %d resolved, want %d and 0", d.Result.MismatchedRows, d.Summary.ResolvedRows, len(found))
	}
}

// rowsOf returns the values of columns of a node's rows in a pair, in the order of the
// document.
func rowsOf(d apptest.Diff, pair, node string, columns []string) [][]string {
	var rows [][]string
	for _, row := range d.Rows {
		if row.Pair != pair || row.Node != node {
			continue
		}
		values := make([]string, len(columns))
		for i, column := range columns {
			values[i] = row.Values[column]
		}
		rows = append(rows, values)
	}
	return rows
}

// one returns a kind with a single column.
func one(name, column, key string, edge ...string) keyKind {
	return keyKind{name: name, types: []string{column}, keys: []string{key}, edge: edge}
}

func (k keyKind) after(setup ...string) keyKind { k.setup = setup; return k }
func (k keyKind) few(rows int) keyKind          { k.rows = rows; return k }

func several(name string, types, keys []string, edge ...string) keyKind {
	return keyKind{name: name, types: types, keys: keys, edge: edge}
}

// citext is in a schema that is on no search_path. The service must find the key's
// operators anyway.
func citextSetup() []string {
	return []string{"CREATE SCHEMA IF NOT EXISTS ext", "CREATE EXTENSION IF NOT EXISTS citext SCHEMA ext"}
}

// awkwardText contains separators, quotes and the characters of array literals.
const awkwardText = `(ARRAY['Straße ', '日本', '🙂', 'it''s "quoted" ', 'back\slash', 'a|b,c', E'line\n', E'tab\t', '{}', 'NULL', '<NULL>', '  '])[1 + i % 12] || i`

func numberKeys() []keyKind {
	return []keyKind{
		one("smallint", "int2", "i - 1000", "32767", "-32768"),
		one("bigint beyond what a float holds", "int8", "9007199254740992 + i",
			"9223372036854775807", "9223372036854775806", "-9223372036854775808", "-9223372036854775807", "0"),
		one("numeric", "numeric", "i::numeric / 7", "'NaN'", "'Infinity'", "'-Infinity'", "1e-30", "1e300", "100000.00"),
		one("double precision", "float8", "i * 0.1", "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "5e-324"),
		one("real", "float4", "i / 3.0", "'NaN'", "'-Infinity'"),
		one("boolean", "bool", "i > 1").few(2),
		one("money", "money", "(i / 100.0)::numeric::money", "'-5'::numeric::money"),
		one("oid", "oid", "(4000000000 + i)::oid", "0"),
		one("bit", "bit(12)", "i::bit(12)", "B'000000000000'"),
		one("bit varying", "bit varying", "i::bit(12)::bit varying", "B''", "B'0'", "B'000000000000000'"),
	}
}

func textKeys() []keyKind {
	return []keyKind{
		one("text", "text", awkwardText, "''", `'\'`, `'"'`, "repeat('x', 2000) || 'a'", "repeat('x', 2000) || 'b'"),
		one("very long text", "text", "repeat('long ', 400) || i"),
		one("varchar", "varchar(40)", awkwardText, "''"),
		one("char", "char(9)", "'k ' || i", "''", "' k'"),
		one("name", "name", "'N' || i", "''"),
		one("citext", "ext.citext", "(ARRAY['Ab', 'aB', 'é'])[1 + i % 3] || i", "'Z'", "'_'", "''").after(citextSetup()...),
		one("domain over citext", "caseless", "'Ab' || i").after(append(citextSetup(), "CREATE DOMAIN caseless AS ext.citext")...),
		one("bytea", "bytea", "decode(md5(i::text), 'hex')", `''`, `'\x00'`, `'\x0000'`, `'\x5c22'`),
		one("uuid", "uuid", "md5(i::text)::uuid", "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
		one("inet", "inet", "inet '10.0.0.0' + i", "'10.0.0.1/8'", "'::1'", "'255.255.255.255'"),
		one("macaddr", "macaddr", "('08:00:2b:01:' || to_char(i / 100, 'FM00') || ':' || to_char(i % 100, 'FM00'))::macaddr"),
		one("pg_lsn", "pg_lsn", "'0/0'::pg_lsn + i * 1000003::numeric"),
	}
}

func timeKeys() []keyKind {
	return []keyKind{
		one("date", "date", "date '0002-01-01' - i", "'infinity'", "'-infinity'", "'5874897-12-31'"),
		one("timestamp", "timestamp", "timestamp '1999-12-31 23:30' + i * interval '1.000001 s'", "'infinity'", "'-infinity'", "'0044-03-15 12:00 BC'"),
		one("timestamptz", "timestamptz", "timestamptz '2024-03-31 00:00+00' + i * interval '1.000001 s'", "'infinity'", "'-infinity'", "'0044-03-15 12:00+00 BC'"),
		one("time", "time", "time '00:00' + i * interval '1 s'", "'24:00'"),
		one("timetz", "timetz", "(time '10:00' + i * interval '1 s')::text::timetz", "'10:00+01'", "'09:00+00'", "'24:00-15'"),
		one("interval", "interval", "i * interval '1 minute'", "'-1 mon'", "'178000000 years'"),
	}
}

func structuredKeys() []keyKind {
	mood := "CREATE TYPE mood AS ENUM ('sad', 'ok', 'a happy one', 'BEST')"
	return []keyKind{
		one("enum", "mood", "(enum_range(NULL::mood))[i]").few(4).after(mood),
		one("domain", "positive", "i + 4294967296").after("CREATE DOMAIN positive AS int8 CHECK (VALUE > 0)"),
		one("array", "int[]", "ARRAY[i % 50, i]", "'{}'", "'{NULL}'", "'{{1,2},{3,4}}'", "'[0:0]={7}'"),
		one("text array", "text[]", "ARRAY["+awkwardText+", NULL]", "'{}'", `'{""}'`),
		one("range", "int4range", "int4range(i, i * 2 + 1)", "'empty'", "'(,)'"),
		one("jsonb", "jsonb", `jsonb_build_object('i', i, 'x', 'quote"d')`, "'[]'", "'null'", "'1.0'"),
		one("composite type", "pair", "ROW(i, 'x,\"' || i)::pair", "ROW(1, NULL)", "ROW(NULL, NULL)").
			after("CREATE TYPE pair AS (a int, b text)"),
		several("integer, text and uuid", []string{"int", "text", "uuid"}, []string{"i % 7", awkwardText, "md5(i::text)::uuid"},
			"-1, '', '00000000-0000-0000-0000-000000000000'", "-1, '', 'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
		several("citext and integer", []string{"ext.citext", "int"}, []string{"(ARRAY['a', 'B'])[1 + i % 2]", "i"}, "'_', -1").after(citextSetup()...),
		several("integer and citext", []string{"int", "ext.citext"}, []string{"i % 3", "(ARRAY['a', 'B', '_'])[1 + i % 3] || i"}).after(citextSetup()...),
		several("enum and bit", []string{"size", "bit(8)", "int2"}, []string{"(enum_range(NULL::size))[1 + i % 3]", "i::bit(8)", "i"}).
			after("CREATE TYPE size AS ENUM ('s', 'm', 'l')"),
		several("boolean, date and char", []string{"bool", "date", "char(4)"}, []string{"i % 2 = 0", "date '2024-01-01' + i / 4", "'c' || i % 4"}),
	}
}

func TestKeys_OfEveryKindFindExactlyTheDifferentRowsInOrder(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	for i, kind := range slices.Concat(numberKeys(), textKeys(), timeKeys(), structuredKeys()) {
		c.ExecAll(t, kind.setup...) // one after the other: IF NOT EXISTS fails where two sessions create the same at once
		kind.setup = nil
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			table := fmt.Sprintf("t%d", i)
			c.ExecAll(t, kind.create(table, "")...)
			c.ExecAll(t, kind.fill(table)...)
			drift(t, c, table)
			d := s.Diff(t, "public."+table, "block_rows", "1000")
			kind.check(t, c, d, table, kind.order())
			if d.Summary.Strategy != kind.strategy() {
				t.Errorf("strategy %q, want %q", d.Summary.Strategy, kind.strategy())
			}
			if kind.count() == manyKeys && !kind.textual() && d.Summary.Blocks < 2 {
				t.Errorf("%d blocks, so that no boundary was tried", d.Summary.Blocks)
			}
			kind.checkSequential(t, s, table)
		})
	}
}

// checkSequential compares the table by sequential scans. The result must be the same.
func (k keyKind) checkSequential(t *testing.T, s *apptest.Service, table string) {
	t.Helper()
	d := s.Diff(t, "public."+table, "block_rows", "1000", "confirm_delay", "0", "sequential_scan", "always")
	k.check(t, s.Cluster, d, table, k.order())
	want := "sequential scan"
	if k.textual() {
		want = "pages"
	}
	if warned := strings.Contains(strings.Join(d.Summary.Warnings, "\n"), "sequential_scan=always had no effect"); d.Summary.Strategy != want || warned != k.textual() {
		t.Errorf("strategy %q, want %q; warnings %q", d.Summary.Strategy, want, d.Summary.Warnings)
	}
}

// textual reports whether the order of the key may differ between two nodes, so that the
// order of its text is used.
func (k keyKind) textual() bool {
	return slices.Contains(k.types, "pair") || slices.Contains(k.types, "scattered_pair") || slices.Contains(k.types, "jsonb")
}

func (k keyKind) order() string {
	if k.textual() {
		return byText(k)
	}
	return k.list()
}

func byText(k keyKind) string {
	terms := k.columns()
	for i := range terms {
		terms[i] += `::text COLLATE "C"`
	}
	return strings.Join(terms, ", ")
}

func (k keyKind) strategy() string {
	if k.textual() {
		return "pages"
	}
	return "key ranges"
}

func TestKeys_UncorrelatedWithPhysicalOrderAreReadPageByPage(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, citextSetup()...)
	kinds := []keyKind{
		one("uuid", "uuid", "md5(i::text)::uuid", "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
		one("text", "text", "md5(i::text) || "+awkwardText, "''", "repeat('z', 2000)"),
		one("varchar", "varchar(60)", "md5(i::text)", "''"),
		one("char", "char(40)", "md5(i::text)", "''"),
		one("citext", "ext.citext", "upper(md5(i::text))", "'Z'"),
		one("domain over uuid", "id", "md5(i::text)::uuid").after("CREATE DOMAIN id AS uuid"),
		one("bigint", "int8", "('x' || md5(i::text))::bit(64)::int8", "9223372036854775807", "-9223372036854775808"),
		one("array", "int8[]", "ARRAY[('x' || md5(i::text))::bit(64)::int8]", "'{}'"),
		one("composite type", "scattered_pair", "ROW(md5(i::text), i)::scattered_pair").after("CREATE TYPE scattered_pair AS (a text, b int)"),
		several("integer and uuid", []string{"int", "uuid"}, []string{"hashint4(i) % 100", "md5(i::text)::uuid"}),
		several("enum, citext and date", []string{"scattered_size", "ext.citext", "date"},
			[]string{"(enum_range(NULL::scattered_size))[1 + abs(hashint4(i)) % 3]", "upper(md5(i::text))", "date '2024-01-01' + i"}).
			after("CREATE TYPE scattered_size AS ENUM ('small', 'middle', 'large')"),
	}
	for i, kind := range kinds {
		c.ExecAll(t, kind.setup...)
		kind.setup = nil
		for _, partitioned := range []bool{false, true} {
			t.Run(kind.name+map[bool]string{true: ", partitioned"}[partitioned], func(t *testing.T) {
				t.Parallel()
				table := fmt.Sprintf("t%d_%t", i, partitioned)
				c.ExecAll(t, kind.scattered(table, partitioned)...)
				drift(t, c, table)
				d := s.Diff(t, "public."+table, "block_rows", "1000")
				kind.few(scatteredRows).check(t, c, d, table, kind.order())
				if d.Summary.Strategy != "pages" {
					t.Errorf("strategy %q, want pages", d.Summary.Strategy)
				}
				if partitioned {
					kind.few(scatteredRows).checkSequential(t, s, table)
				}
			})
		}
	}
}

// scatteredRows rows, on nearly empty pages, make a table of more than a thousand pages.
const scatteredRows = 2600

// scattered is a table of many pages whose rows are not in key order. Its statistics
// claim as many rows as full pages would have, so the plan is that of a table that is too
// large to be read exactly.
func (k keyKind) scattered(table string, partitioned bool) []string {
	const storage = "WITH (fillfactor = 10, autovacuum_enabled = false)"
	leaves := []string{table}
	sql := k.create(table, storage)
	if partitioned {
		sql = k.create(table, fmt.Sprintf("PARTITION BY HASH (k%d)", len(k.types)))
		leaves = []string{table + "_a", table + "_b"}
		for i, leaf := range leaves {
			sql = append(sql, fmt.Sprintf("CREATE TABLE %s PARTITION OF %s FOR VALUES WITH (MODULUS 2, REMAINDER %d) %s", leaf, table, i, storage))
		}
	}
	sql = append(sql, "ALTER TABLE "+table+" ADD COLUMN filler text DEFAULT repeat('-', 250)")
	sql = append(sql, k.few(scatteredRows).fill(table)...)
	for _, leaf := range leaves {
		sql = append(sql, fmt.Sprintf(`UPDATE pg_class SET relpages = pg_relation_size(oid) / 8192, reltuples = %d
			WHERE oid = '%s'::regclass`, 60_000/len(leaves), leaf))
	}
	return sql
}
