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

// foreignKeys is a table with keys that the other node cannot read as values of the key's
// type. In SQL, @ stands for the number of the kind.
type foreignKeys struct {
	name          string
	key           string   // type of the key
	first, second string   // SQL that makes the type on each node
	values        string   // SQL for the keys of both nodes, in terms of i
	only          []string // SQL for the keys that only the first node has
	texts         []string // the texts of the keys in only
}

func allForeignKeys() []foreignKeys {
	const ab, a = "CREATE TYPE e@ AS ENUM ('a', 'b', 'c')", "CREATE TYPE e@ AS ENUM ('a', 'c')"
	const any, small = "CREATE DOMAIN d@ AS int", "CREATE DOMAIN d@ AS int CHECK (VALUE < 10000)"
	return []foreignKeys{
		{"an enum", "e@", ab, a, "'a'", []string{"'b'"}, []string{"b"}},
		{"an array of enums", "e@[]", ab, a, "'{a}'", []string{"'{b}'", "'{a,b}'"}, []string{"{b}", "{a,b}"}},
		{"a composite type", "c@", ab + "; CREATE TYPE c@ AS (e e@, i int)", a + "; CREATE TYPE c@ AS (e e@, i int)",
			"ROW('a', i)::c@", []string{"ROW('b', 1)::c@"}, []string{"(b,1)"}},
		{"an array of a composite type", "c@[]", ab + "; CREATE TYPE c@ AS (e e@, i int)", a + "; CREATE TYPE c@ AS (e e@, i int)",
			"ARRAY[ROW('a', i)::c@]", []string{"ARRAY[ROW('b', 1)::c@]"}, []string{`{"(b,1)"}`}},
		{"a range", "r@", ab + "; CREATE TYPE r@ AS RANGE (subtype = e@)", a + "; CREATE TYPE r@ AS RANGE (subtype = e@)",
			"'[a,c]'", []string{"'[a,b]'"}, []string{"[a,b]"}},
		{"a domain", "d@", any, small, "i", []string{"20000"}, []string{"20000"}},
		{"an array of a domain", "d@[]", any, small, "ARRAY[i]::d@[]", []string{"'{20000}'"}, []string{"{20000}"}},
		{"a composite type of a domain", "c@", any + "; CREATE TYPE c@ AS (d d@)", small + "; CREATE TYPE c@ AS (d d@)",
			"ROW(i)::c@", []string{"'(20000)'"}, []string{"(20000)"}},
		{"a table", "regclass", "CREATE TABLE here@ ()", "", "'pg_class'", []string{"'here@'"}, []string{"public.here@"}},
		{"a function", "regprocedure", "CREATE FUNCTION here@(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "",
			"'now()'", []string{"'here@(int)'"}, []string{"public.here@(integer)"}},
		{"an operator", "regoperator", "CREATE OPERATOR @@## (FUNCTION = pg_catalog.int4pl, LEFTARG = int, RIGHTARG = int)", "",
			"'+(int,int)'", []string{"'@@##(int,int)'"}, []string{"public.@@##(integer,integer)"}},
		{"a schema", "regnamespace", "CREATE SCHEMA here@", "", "'pg_catalog'", []string{"'here@'"}, []string{"here@"}},
		{"a type", "regtype", "CREATE TYPE here@ AS ENUM ()", "", "'int'", []string{"'here@'"}, []string{"public.here@"}},
		{"a role", "regrole", "CREATE ROLE here@; DROP OWNED BY here@", "", "'pg_monitor'", []string{"'here@'"}, []string{"here@"}},
	}
}

func (k foreignKeys) numbered(i int) foreignKeys {
	number := func(sql string) string {
		return strings.ReplaceAll(strings.ReplaceAll(sql, "@@##", "##"+strings.Repeat("#", i)), "@", fmt.Sprint(i))
	}
	k.key, k.first, k.second, k.values = number(k.key), number(k.first), number(k.second), number(k.values)
	for at := range k.only {
		k.only[at], k.texts[at] = number(k.only[at]), number(k.texts[at])
	}
	return k
}

// Case T-F8, see docs/RELIABILITY.md.
func TestForeignKeys_AKeyThatTheOtherNodeCannotReadExistsOnOneNodeOnly(t *testing.T) {
	t.Parallel()
	for holder := range 2 {
		c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
		s := apptest.New(t, c, apptest.Options{})
		for i, kind := range allForeignKeys() {
			if i%2 != holder && i > 1 {
				continue
			}
			kind, table := kind.numbered(i), fmt.Sprintf("t%d", i)
			t.Run(fmt.Sprintf("%s of n%d", kind.name, holder+1), func(t *testing.T) {
				kind.fill(t, c, table, holder)
				kind.check(t, s, table, holder)
			})
		}
	}
}

// fill creates the table on both nodes and adds the keys that only the holder can store.
// Two of the common rows differ.
func (k foreignKeys) fill(t *testing.T, c *pgtest.Cluster, table string, holder int) {
	t.Helper()
	for node, setup := range map[int]string{holder: k.first, 1 - holder: k.second} {
		if setup != "" {
			c.Exec(t, node, setup)
		}
		c.Exec(t, node, fmt.Sprintf("CREATE TABLE %s (k %s, n int, v text, PRIMARY KEY (k, n))", table, k.key),
			fmt.Sprintf("INSERT INTO %s SELECT %s, i, 'v' FROM generate_series(1, 1500) i", table, k.values), "ANALYZE "+table)
	}
	c.Exec(t, 1-holder, "UPDATE "+table+" SET v = 'other' WHERE n IN (7, 1400)")
	for i, only := range k.only {
		c.Exec(t, holder, fmt.Sprintf("INSERT INTO %s SELECT %s, -i - %d, 'here' FROM generate_series(0, 2) i", table, only, 10*i))
	}
}

// check compares the table, reruns the document, repairs the holder and undoes the
// repair.
func (k foreignKeys) check(t *testing.T, s *apptest.Service, name string, holder int) {
	t.Helper()
	only := int64(3 * len(k.only))
	want := counts{only, 0, 2}
	if holder == 1 {
		want = counts{0, only, 2}
	}
	d := s.Diff(t, "public."+name, "block_rows", "1000", "confirm_delay", "1ms")
	if got := countsOf(d, 0); got != want || d.Summary.ResolvedRows != 0 {
		t.Errorf("%+v, %d resolved, want %+v", got, d.Summary.ResolvedRows, want)
	}
	var keys []string
	for _, row := range d.Rows {
		if row.Values["v"] == "here" {
			keys = append(keys, row.Values["k"])
		}
	}
	if slices.Sort(keys); !slices.Equal(slices.Compact(keys), slices.Sorted(slices.Values(k.texts))) {
		t.Errorf("the keys of one node are %q, want %q", keys, k.texts)
	}
	if again := s.Rerun(t, d.TaskID, "public."+name); countsOf(again, 0) != want {
		t.Errorf("again: %+v, want %+v", countsOf(again, 0), want)
	}
	k.checkRepairs(t, s, d, name, holder)
}

// checkRepairs repairs the other node, which fails because it cannot store the keys. It
// then repairs the holder, which deletes the keys, and undoes that, which restores them.
func (k foreignKeys) checkRepairs(t *testing.T, s *apptest.Service, d apptest.Diff, name string, holder int) {
	t.Helper()
	c := s.Cluster
	unchanged := func(node int, before [][]string) bool {
		return slices.EqualFunc(before, content(t, c, node, name), slices.Equal)
	}
	with, without := c.Nodes[holder].Name, c.Nodes[1-holder].Name
	before := content(t, c, 1-holder, name)
	r := repair(t, s, d.TaskID, with, nil)
	if !strings.Contains(r.Error, "the row with the key (") || !strings.Contains(r.Error, `column "k"`) != (k.name == "a domain") || !unchanged(1-holder, before) {
		t.Errorf("the repair of %s ended %s: %q", without, r.Status, r.Error)
	}
	if holder != 0 {
		return
	}
	before = content(t, c, holder, name)
	r = repair(t, s, d.TaskID, without, nil)
	if got := r.counts(with); got != fmt.Sprintf("+0 ~2 -%d =0 /0 committed", 3*len(k.only)) {
		t.Errorf("the repair of %s ended %s (%s): %s", with, r.Status, r.Error, got)
	}
	if u := undo(t, s, r.TaskID, nil); u.Status != "COMPLETED" || !unchanged(holder, before) {
		t.Errorf("the undo ended %s (%s)", u.Status, u.Error)
	}
}

// Case T-F5, see docs/RELIABILITY.md.
func TestForeignKeys_UserDefinedCastsAreNotCalled(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, "CREATE TYPE mood AS ENUM ('a', 'b')")
	c.Exec(t, 1, "CREATE TYPE mood AS ENUM ('b', 'a')")
	for name, column := range map[string]string{"one": "mood", "many": "mood[]", "nested": "pair"} {
		value := map[string]string{"one": "%s", "many": "ARRAY[%s]", "nested": "ROW(1, %s)::pair"}[name]
		if name == "nested" {
			c.ExecAll(t, "CREATE TYPE pair AS (i int, m mood)")
		}
		fill := func(node int, changed string) {
			c.Exec(t, node, fmt.Sprintf("CREATE TABLE %s (k %s PRIMARY KEY, v text, o %s)", name, column, column))
			for label, v := range map[string]string{"a": "x", "b": changed} {
				k := fmt.Sprintf(value, "'"+label+"'::mood")
				c.Exec(t, node, fmt.Sprintf("INSERT INTO %s VALUES (%s, '%s', %s)", name, k, v, k))
			}
		}
		fill(0, "y")
		fill(1, "CHANGED")
	}
	for _, typ := range []string{"mood", "mood[]", "pair"} {
		plain := strings.Trim(typ, "[]") + map[bool]string{true: "s"}[strings.HasSuffix(typ, "[]")]
		for _, sql := range []string{
			"CREATE FUNCTION show_%[2]s(%[1]s) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$",
			"CREATE CAST (%[1]s AS text) WITH FUNCTION show_%[2]s(%[1]s)",
			"CREATE FUNCTION read_%[2]s(text) RETURNS %[1]s LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$",
			"CREATE CAST (text AS %[1]s) WITH FUNCTION read_%[2]s(text)",
		} {
			c.ExecAll(t, fmt.Sprintf(sql, typ, plain))
		}
	}
	for _, name := range []string{"one", "many", "nested"} {
		d := s.Diff(t, "public."+name)
		if got := countsOf(d, 0); got != (counts{0, 0, 1}) || d.Summary.ResolvedRows != 0 {
			t.Errorf("%s: %+v, %d resolved, want one different row", name, got, d.Summary.ResolvedRows)
		}
		if again := s.Rerun(t, d.TaskID, "public."+name); countsOf(again, 0) != (counts{0, 0, 1}) {
			t.Errorf("%s again: %+v", name, countsOf(again, 0))
		}
		c.Exec(t, 1, "DELETE FROM "+name+" WHERE v = 'x'")
		d = s.Diff(t, "public."+name)
		if r := repair(t, s, d.TaskID, "n1", nil); r.counts("n2") != "+1 ~1 -0 =0 /0 committed" {
			t.Errorf("%s: the repair ended %s (%s): %s", name, r.Status, r.Error, r.counts("n2"))
		}
	}
}
