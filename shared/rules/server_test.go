//go:build !unit

package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/pg"
	"ace/shared/resolve"
	"ace/shared/rowdigest"
	"ace/shared/rules"
	"ace/shared/table"
	"ace/shared/tableschema"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// evaluated is a table on a real server, which evaluates rules over versions of its rows.
type evaluated struct {
	rules.Options
	cluster *pgtest.Cluster
}

// evaluate creates a table public.t and returns the options of deciders that evaluate on
// its server. The versions are those of the nodes n1, n2 and so on.
func evaluate(t *testing.T, nodes int, create ...string) evaluated {
	t.Helper()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	c.Exec(t, 0, create...)
	return evaluateOn(t, c, nodes, time.Minute)
}

// evaluateOn is like evaluate, for the table of an existing cluster and its role.
func evaluateOn(t *testing.T, c *pgtest.Cluster, nodes int, limit time.Duration) evaluated {
	t.Helper()
	at := c.Nodes[0]
	pools := pg.NewPools(pg.Options{MaxConns: 2, StatementTimeout: limit})
	t.Cleanup(pools.Close)
	node, err := pools.Node(cluster.Target{
		Node: at.Name, Host: at.Host, Port: uint16(at.Port), Database: c.DB, User: c.User, Login: cluster.Login{Password: cluster.Secret(c.Password)},
		Options: map[string]string{"sslmode": "disable"},
	})
	if err != nil {
		t.Fatal(err)
	}
	described, err := node.Describe(t.Context(), "public", "t", rowdigest.Seeds{})
	if err != nil {
		t.Fatal(err)
	}
	common, err := tableschema.Tables([]*table.Description{described, described}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}

	o := evaluated{cluster: c}
	o.Newest = resolve.NewestOptions{Skew: time.Second, TieBreaker: resolve.NoTieBreaker, Missing: resolve.MissingInsert}
	for i := range nodes {
		o.Nodes = append(o.Nodes, fmt.Sprintf("n%d", i+1))
	}
	for _, column := range common.Columns {
		o.Columns = append(o.Columns, column.Name)
	}
	o.Key = common.Key
	o.Server = rules.On(node, common.Evaluation("public", described, 0, o.Nodes), o.Columns)
	return o
}

// version returns a version with these texts; - is NULL.
func version(texts ...string) resolve.Version {
	v := resolve.Version{Present: true, Time: noon}
	for _, c := range strings.Join(texts, "|") {
		v.Digest = v.Digest*31 + int64(c)
	}
	for _, text := range texts {
		v.Row = append(v.Row, value(text))
	}
	return v
}

// matches returns the result of a rule with this where for versions of one row.
func (e evaluated) matches(t *testing.T, where string, versions ...resolve.Version) (bool, error) {
	t.Helper()
	if err := e.Server.CheckWhere(t.Context(), where); err != nil {
		return false, err
	}
	found, err := e.Server.Where(t.Context(), where, []resolve.Case{{Versions: versions}})
	return err == nil && found[0], err
}

func TestWhere_ComparesWithTheTypesOfTheColumns(t *testing.T) {
	t.Parallel()
	e := evaluate(t, 2,
		`CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
		`CREATE TYPE mood AS ENUM ('sad', 'happy')`, `CREATE TYPE pair AS (a int, b text)`, `CREATE DOMAIN code AS numeric(6,2) CHECK (VALUE > 0)`,
		`CREATE TABLE t (id int PRIMARY KEY, price code, at timestamptz, name text COLLATE loose, m mood, p pair, tags text[], j jsonb, fixed char(3), "Odd ""name" bytea)`)
	one := version("7", "9.50", "2026-11-29 12:00:00+00", "Anna", "sad", `(1,"a ""b")`, `{"a,b",NULL}`, `{"k": 1}`, "ab ", `\x00ff`)
	two := version("7", "10.50", "2026-11-29 13:00:00+00", "ANNA", "happy", `(2,)`, "{}", `{"k": 2}`, "abc", "-")
	for where, want := range map[string]bool{
		"n1.price < n2.price":                   true, // as texts, 9.50 is greater
		"n1.at < n2.at":                         true,
		"n2.at - n1.at = interval '1 hour'":     true,
		"n1.name = n2.name":                     true, // by the collation of the column
		"n1.m < n2.m":                           true, // by the order of the enum
		"n1.p < n2.p":                           true,
		"(n1.p).b = 'a \"b'":                    true,
		"n1.tags[1] = 'a,b'":                    true,
		"cardinality(n2.tags) = 0":              true,
		"(n1.j->>'k')::int < (n2.j->>'k')::int": true,
		"n1.fixed = 'ab'":                       true,
		"n2.fixed = 'abc'":                      true,
		`n1."Odd ""name" = '\x00ff'`:            true,
		`n2."Odd ""name" IS NULL`:               true,
		"n1.price > 9.5":                        false,
		"n1.price > NULL":                       false,
		"NULL":                                  false,
		"n1.id = 7 -- a comment":                true,
		"n1.id = 7 /* a comment */":             true,
		"n1.id IN (SELECT id FROM t)":           false, // a subquery, as in a table_filter
		"EXISTS (SELECT 1 FROM pg_class)":       true,
		"n1 IS NOT NULL AND n1.id = n2.id":      true,
		"CASE WHEN n1.id = 7 THEN true END":     true,
	} {
		got, err := e.matches(t, where, one, two)
		if err != nil || got != want {
			t.Errorf("%s: %v, error %v, want %v", where, got, err, want)
		}
	}
}

func TestWhere_AMissingRowIsARowOfNulls(t *testing.T) {
	t.Parallel()
	e := evaluate(t, 3, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	for where, want := range map[string]bool{
		"n2.id IS NULL":                        true,
		"n1.id IS NULL":                        false,
		"n1.v IS NULL AND n1.id IS NOT NULL":   true,
		"n2.v = 'a'":                           false,
		"n2.v <> 'a'":                          false,
		"NOT (n2.v = 'a')":                     false,
		"coalesce(n2.id, n1.id) = 7":           true,
		"n3.v = 'b' AND n2.id IS NULL":         true,
		"n2 IS NULL":                           true,
		"num_nulls(n1.id, n2.id, n3.id) = 1":   true,
		"(n1.v IS DISTINCT FROM n3.v) IS TRUE": true,
	} {
		got, err := e.matches(t, where, version("7", "-"), none, version("7", "b"))
		if err != nil || got != want {
			t.Errorf("%s: %v, error %v, want %v", where, got, err, want)
		}
	}
}

func TestWhere_OnlyTheColumnsOfTheExpressionAreSent(t *testing.T) {
	t.Parallel()
	e := evaluate(t, 2, `CREATE TABLE t (id int PRIMARY KEY, v int)`)
	invalid := version("7", "no number") // the server refuses it if it is sent
	for where, sent := range map[string]bool{"n1.id = n2.id": false, "true": false, "n1.v IS NULL": true, "n1 IS NOT NULL": true} {
		if got, err := e.matches(t, where, invalid, version("7", "1")); sent && err == nil || !sent && (err != nil || !got) {
			t.Errorf("%s: %v, error %v", where, got, err)
		}
	}
}

func TestWhere_HostileTextsAreRefused(t *testing.T) {
	t.Parallel()
	e := evaluate(t, 2, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `CREATE TABLE victim (id int)`)
	for _, where := range []string{
		"true) OR (true",
		"true) --",
		"true) UNION SELECT (1",
		"true); DROP TABLE victim; --",
		"true; DROP TABLE victim",
		"true THEN true END -- ",
		"1=1 THEN true END --",
		"true THEN true WHEN true",
		"n1.id > 0 /*",
		"n1.id > 0) /* ",
		"$$ unclosed",
		"$tag$ n1.id > 0 $tag",
		"'unclosed",
		`"unclosed`,
		`n1.U&"\0069d" > 0) OR (n1.U&"\0069d" > 0`,
		`U&'\d800' = n1.v`,
		`n1.v = '\') OR (true) --'`,
		"n1.id = (SELECT 1)) OR (true",
		"EXISTS (SELECT 1)) AND EXISTS (SELECT 1",
		"count(*) > 0",
		"count(n1.id) > 0",
		"row_number() OVER () > 0",
		"n1.id = $1",
		"$1",
		"$1 IS NULL",
		"generate_series(1, 2) > 1",
		"SELECT true",
		"1",
		"n1.id",
		"id > 0", // it does not name a node
		"n1.no_such_column > 1",
		"n3.id > 1",
		"t.id > 1",
		"no_such_function(n1.id)",
		"true LIMIT 1",
		"true GROUP BY n1.id",
		"true FOR UPDATE",
		"ace_list1.ace_ord > 0",
		"ace_ord > 0",
		`U&"ace\005ford" > 0`,
		`U&"ace\005flist1".U&"ace\005ford" > 0`,
		"ace_v1 IS NULL OR true",
		"ace_list IS NOT NULL",
		"ace1_list1 IS NOT NULL",
		"ord > 0",
		"u.ord > 0",
		"k1 > 0",
		"v1 > 0",
		"n1.ctid IS NOT NULL",
		"n1.tableoid IS NOT NULL",
		"n1.id IN (WITH gone AS (DELETE FROM victim RETURNING id) SELECT id FROM gone)",
		"true,true",
		"n1.*",
		"WHERE true",
	} {
		err := e.Server.CheckWhere(t.Context(), where)
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), "where is not one boolean SQL expression over the versions of the row on node \"n1\": ") || !strings.Contains(err.Error(), "SQLSTATE") {
			t.Errorf("%s: %v, want an error with code Invalid, the node and the server's message", where, err)
		}
	}
	if got := e.cluster.QueryStrings(t, 0, `SELECT count(*) FROM pg_class WHERE relname = 'victim'`); got[0][0] != "1" {
		t.Error("a where has dropped a table")
	}
}

// The where of a rule has only the rights of ACE's role. Whatever it calls, it is
// refused, or nothing on the node is different afterwards.
func TestWhere_AttacksAreRefusedOrHaveNoEffect(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	checking, _ := c.Roles(t)
	c.Exec(t, 0, pgtest.AttackTables)
	e := evaluateOn(t, checking, 2, 2*time.Second)
	before := c.QueryStrings(t, 0, pgtest.Unharmed)

	refused, others := pgtest.Attacks("n1.id")
	for i, where := range append(refused, others...) {
		_, err := e.matches(t, where, version("7", "a"), version("7", "b"))
		if err == nil && i < len(refused) {
			t.Errorf("%s: it is accepted", where)
		}
		if err != nil && (strings.Contains(err.Error(), pgtest.Secret) || strings.Contains(err.Error(), "root:")) {
			t.Errorf("%s: the error shows a secret: %v", where, err)
		}
	}
	if diff := cmp.Diff(before, c.QueryStrings(t, 0, pgtest.Unharmed)); diff != "" {
		t.Errorf("an attack had an effect:\n%s", diff)
	}
}

func TestWhere_AnErrorPointsIntoTheUsersText(t *testing.T) {
	t.Parallel()
	e := evaluate(t, 2, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	err := e.Server.CheckWhere(t.Context(), "n1.idd > 3")
	if want := `column n1.idd does not exist (SQLSTATE 42703). Hint: Perhaps you meant to reference the column "n1.id". The arrow marks the place: -->n1.idd > 3`; err == nil || !strings.HasSuffix(fault.PublicMessage(err), want) {
		t.Errorf("%v, want it to end in %s", err, want)
	}
}

func TestWhere_WhatItsFunctionsChangeIsUndone(t *testing.T) {
	t.Parallel()
	e := evaluate(t, 2, `CREATE TABLE t (id int PRIMARY KEY)`, `CREATE TABLE log (id int)`,
		`CREATE FUNCTION writes(i int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (i); RETURN true; END'`,
		`CREATE FUNCTION sleeps() RETURNS boolean LANGUAGE sql AS 'SELECT set_config(''statement_timeout'', ''0'', false) IS NOT NULL'`,
		`CREATE FUNCTION path() RETURNS text LANGUAGE sql VOLATILE AS 'SELECT current_setting(''search_path'')'`)
	if _, err := e.matches(t, "writes(n1.id)", version("1"), version("1")); err == nil || !strings.Contains(err.Error(), "read-only transaction") {
		t.Errorf("a function that writes: %v", err)
	}
	if got, err := e.matches(t, "sleeps()", version("1"), version("1")); err != nil || !got {
		t.Errorf("a function that changes a setting: %v, %v", got, err)
	}
	if got, err := e.matches(t, "path() LIKE 'pg_catalog, %' AND current_setting('statement_timeout') <> '0' AND current_setting('transaction_read_only') = 'on'",
		version("1"), version("1")); err != nil || !got {
		t.Errorf("the settings of a later statement: %v, %v", got, err)
	}
	if got := e.cluster.QueryStrings(t, 0, `SELECT count(*) FROM log`); got[0][0] != "0" {
		t.Error("a where has written a row")
	}
}

func TestKeys_AreComparedByTheTypesOfTheKey(t *testing.T) {
	t.Parallel()
	e := evaluate(t, 2, `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
		`CREATE TABLE t (n numeric, name text COLLATE loose, v text, PRIMARY KEY (n, name))`)
	rule := "rules: [{when: {keys: [[042, ANNA], [1.50, '']]}, take: delete}]\notherwise: skip"
	var list []resolve.Case
	for _, key := range []table.Key{{"42", "anna"}, {"42", "bert"}, {"1.5", ""}, {"1.5", " "}, {"42.0", "Anna"}} {
		list = append(list, resolve.Case{Key: key, Versions: []resolve.Version{version(key[0], key[1], "a"), none}})
	}
	want := []string{"1 absent", "otherwise leave", "1 absent", "otherwise leave", "1 absent"}
	if diff := cmp.Diff(want, decide(t, rule, e.Options, list...)); diff != "" {
		t.Error(diff)
	}

	d, err := rules.Parse([]byte("version: 1\nrules:\n- when: {keys: [[1, a], [x, b]]}\n  take: skip"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = rules.NewDecider(t.Context(), d, e.Options)
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), `rules, line 3, rule 1: `) || !strings.Contains(err.Error(), `the row with the key ('x', 'b')`) {
		t.Errorf("a key that is no number: %v", err)
	}
}

func TestMinMax_AreComparedByTheTypesOfTheColumns(t *testing.T) {
	t.Parallel()
	e := evaluate(t, 3, `CREATE TYPE mood AS ENUM ('sad', 'happy', 'angry')`, `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
		`CREATE TABLE t (id int PRIMARY KEY, i bigint, n numeric, m mood, p int[], s text COLLATE loose)`)
	of := func(texts ...string) resolve.Version { return version(append([]string{"7"}, texts...)...) }
	versions := []resolve.Version{of("9", "1.0", "angry", "{9}", "-"), of("10", "1.00", "sad", "{10}", "B"), of("-10", "-", "happy", "{10,1}", "b")}
	for _, tt := range []struct{ action, want string }{
		{"{default: min}", "otherwise row 7 -10 1.0 sad {9} B"},
		{"{default: max}", "otherwise row 7 10 1.0 angry {10,1} B"},
		{"{columns: {i: max, n: {node: n2}, m: min}, default: {node: n3}}", "otherwise row 7 10 1.00 sad {10,1} b"},
	} {
		got := decide(t, "rules: []\notherwise: "+tt.action, e.Options, resolve.Case{Versions: versions}, resolve.Case{Versions: []resolve.Version{versions[0], none, none}})
		if got[0] != tt.want || got[1] != "otherwise n1" {
			t.Errorf("%s: %q, want %s and n1", tt.action, got, tt.want)
		}
	}
}

func TestMinMax_NeedATypeWithAnOrder(t *testing.T) {
	t.Parallel()
	e := evaluate(t, 2, `CREATE TABLE t (id int PRIMARY KEY, j json, x point)`)
	for _, action := range []string{"{columns: {j: max}, default: newest}", "{columns: {j: newest}, default: min}"} {
		d, err := rules.Parse([]byte("version: 1\nrules: []\notherwise: " + action))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = rules.NewDecider(t.Context(), d, e.Options); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "could not identify an ordering operator for type") {
			t.Errorf("%s: %v", action, err)
		}
	}
}

// Only the rows that no earlier rule has decided, and that the other selectors match, are
// evaluated. If the evaluation of one of these rows fails, the error names the rule.
func TestWhere_IsEvaluatedOnlyForRowsThatReachTheRule(t *testing.T) {
	t.Parallel()
	e := evaluate(t, 2, `CREATE TABLE t (id int PRIMARY KEY, v int)`)
	const rule = `
rules:
  - when: {where: n1.v = 0}
    take: skip
  - when: {kind: different, where: 10 / n1.v > 1}
    take: {node: n1}
otherwise: delete`
	zero, some, other := version("1", "0"), version("1", "5"), version("1", "50")
	var list []resolve.Case
	want := []string(nil)
	for range 2500 { // more than one statement
		list = append(list, cases([]resolve.Version{zero, some}, []resolve.Version{some, other}, []resolve.Version{other, some}, []resolve.Version{some, none})...)
		want = append(want, "1 leave", "2 n1", "otherwise absent", "otherwise absent")
	}
	if diff := cmp.Diff(want, decide(t, rule, e.Options, list...)); diff != "" {
		t.Error(diff)
	}

	d, err := rules.Parse([]byte("version: 1\nrules:\n- when: {where: 10 / n1.v > 1}\n  take: skip"))
	if err != nil {
		t.Fatal(err)
	}
	decider, err := rules.NewDecider(t.Context(), d, e.Options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = decider.Decide(t.Context(), cases([]resolve.Version{zero, some})); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), `rules, line 3, rule 1: node "n1": evaluating where: division by zero`) {
		t.Errorf("a division by zero: %v", err)
	}
}
