//go:build !unit

package app_test

import (
	"net/url"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/endpoint"
)

func TestTableFilter_HostileTextsAreRefused(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 100) i; CREATE TABLE victim (id int)`)
	submitted := map[string]string{} // task id -> filter; the tasks run while others are submitted
	for _, text := range []string{
		"true) OR (true",
		"true) --",
		"true) UNION SELECT (1",
		"true); DROP TABLE victim; --",
		"true; DROP TABLE victim",
		"true THEN true END -- ",
		"1=1 THEN true END --",
		"true THEN true WHEN true",
		"id > 0 /*",
		"id > 0) /* ",
		"$$ unclosed",
		"$tag$ id > 0 $tag",
		"'unclosed",
		`"unclosed`,
		`U&"\0069d" > 0) OR (U&"\0069d" > 0`,
		`U&'\d800' = v`,
		`v = '\') OR (true) --'`,
		"id = (SELECT 1)) OR (true",
		"EXISTS (SELECT 1)) AND EXISTS (SELECT 1",
		"count(*) > 0",
		"row_number() OVER () > 0",
		"id = $1",
		"$1",
		"generate_series(1, 2) > 1",
		"SELECT true",
		"1",
		"id",
		"no_such_column > 1",
		"no_such_function(id)",
		"true LIMIT 1",
		"true GROUP BY id",
		"true FOR UPDATE",
		"ace_list.ord > 0",
		"ord > 0",
		"lo1 > 0",
		"ace_ord > 0",
		"ace_lo1 IS NULL OR true",
		"ace_list IS NOT NULL",
		"ace1_list IS NOT NULL",
		"ace1_ord > 0",
		"n > 0",
		"id IN (WITH gone AS (DELETE FROM victim RETURNING id) SELECT id FROM gone)",
		"true,true",
	} {
		submitted[s.Submit(t, "public.t", "table_filter", text)] = text
	}
	for id, text := range submitted {
		status := s.Wait(t, id)
		named := strings.Contains(status.Error, "table_filter") && strings.Contains(status.Error, "SQLSTATE") && strings.Contains(status.Error, `node "n`)
		if status.Status != api.StatusFailed || !named {
			t.Errorf("%s: ended %s: %q, want FAILED naming table_filter and the node with the server's message", text, status.Status, status.Error)
		}
	}
	for node := range c.Nodes {
		if got := c.QueryStrings(t, node, `SELECT count(*) FROM pg_class WHERE relname = 'victim'`); got[0][0] != "1" {
			t.Error("a filter has dropped a table")
		}
	}
}

func TestTableFilter_AnErrorPointsIntoTheUsersText(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"UTF8", "SQL_ASCII"} {
		c, s := encoded(t, encoding, encoding)
		c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
		ids := map[string]string{}
		for filter, want := range map[string]string{
			"id = = 3": `syntax error at or near "=" (SQLSTATE 42601). The arrow marks the place: id = -->= 3`,
			"WHERE idd > 3": `column "idd" does not exist (SQLSTATE 42703). ` +
				`Hint: Perhaps you meant to reference the column "t.id". The arrow marks the place: -->idd > 3`,
			"v = 'é€😀' AND\nvv = 'x'": `column "vv" does not exist (SQLSTATE 42703). ` +
				`Hint: Perhaps you meant to reference the column "t.v". The arrow marks the place: v = 'é€😀' AND -->vv = 'x'`,
			"(id > 3":               `syntax error at end of input (SQLSTATE 42601). The arrow marks the place: (id > 3-->`,
			"id >":                  `syntax error at or near ")" (SQLSTATE 42601). The arrow marks the place: id >-->`,
			"id > 3) OR (id < 2":    `syntax error at or near ")" (SQLSTATE 42601). The arrow marks the place: id > 3-->) OR (id < 2`,
			"v = 'é' AND 'unclosed": "unterminated quoted string at or near \"'unclosed\" (SQLSTATE 42601). The arrow marks the place: v = 'é' AND -->'unclosed",
		} {
			ids[s.Submit(t, "public.t", "table_filter", filter)] = want
		}
		for id, want := range ids {
			if status := s.Wait(t, id); status.Status != api.StatusFailed || !strings.HasSuffix(status.Error, want) {
				t.Errorf("%s: the error is %s, want it to end in %s", encoding, status.Error, want)
			}
		}
	}
}

func TestTableFilter_MayBeginWithWhere(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 20)`)
	c.Exec(t, 1, `DELETE FROM t WHERE id IN (7, 15)`)
	d := s.Diff(t, "public.t", "table_filter", "-- the first ten\nWhere/* ids */ id <= 10")
	if d.Result.TotalRows != 10 || d.Result.MismatchedRows != 1 || d.Summary.TableFilter != "/* ids */ id <= 10" {
		t.Errorf("%d of %d rows differ with the filter %q", d.Result.MismatchedRows, d.Result.TotalRows, d.Summary.TableFilter)
	}
}

func TestTableFilter_TextsThatNoServerAcceptsAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	for name, text := range map[string]string{
		"empty": "", "blank": " \n\t", "with a NUL": "id > 0\x00", "too long": "id > 0" + strings.Repeat(" ", 8192), "not UTF-8": "v = '\xff'",
	} {
		t.Run(name, func(t *testing.T) {
			query := url.Values{"cluster_name": {c.Name}, "table_name": {"public.t"}, "table_filter": {text}}
			response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: "/ace/table-diff", RawQuery: query.Encode()})
			if response.Status != 400 || !strings.Contains(string(response.Body), "table_filter") {
				t.Errorf("status %d: %s, want 400 naming table_filter", response.Status, response.Body)
			}
		})
	}
}

func TestTableFilter_AnyBooleanExpressionWorks(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `ALTER DATABASE `+c.DB+` SET search_path = "$user", public, "Extra ""1"""`)
	c.ExecAll(t, `CREATE SCHEMA "Extra ""1"""; CREATE FUNCTION "Extra ""1""".small(int) RETURNS boolean LANGUAGE sql AS 'SELECT $1 <= 10'`,
		`CREATE TABLE t (id int PRIMARY KEY, v text, "Odd ""name" int); INSERT INTO t SELECT i, 'v' || i, i FROM generate_series(1, 2000) i`,
		`CREATE TABLE other (id int); INSERT INTO other SELECT generate_series(1, 10)`)
	c.Exec(t, 1, `DELETE FROM t WHERE id IN (7, 1500)`) // the filter id <= 10 selects only the first of these rows
	for _, text := range []string{
		"id <= 10",
		"id <= 10 -- a comment at the end",
		"id <= 10 /* a comment */",
		"-- a comment first\nid\n<=\r\n10\n",
		"(id <= 10)",
		"CASE WHEN id <= 10 THEN true ELSE false END",
		"CASE WHEN id <= 10 THEN true END",
		"EXISTS (SELECT 1 FROM other WHERE other.id = t.id)",
		"EXISTS (SELECT 1 FROM public.other o WHERE o.id = public.t.id)",
		"id IN (SELECT id FROM other)",
		"id = ANY ('{1,2,3,4,5,6,7,8,9,10}'::int[])",
		"small(id)",
		`"Extra ""1""".small(id)`,
		"public.t.id <= 10",
		"t.id <= 10",
		`"Odd ""name" <= 10`,
		"id::text::numeric <= 10.0",
		"v IN ('v1','v2','v3','v4','v5','v6','v7','v8','v9','v10')",
		"v ~ '^v([1-9]|10)$'",
		`v ~ E'^v(\\d|10)$' AND v <> $$it's$$ AND v <> U&'\0041'`,
		`id <= 10 AND v <> E'\') OR (true) --'`,
		"id <= 10 AND v <> ';' AND v <> '--' AND v <> ')' AND v <> '/*'",
		"id < 11 AND (v, id) IS NOT NULL",
		"id BETWEEN 1 AND 10 OR NULL",
		"(SELECT max(o.id) FROM other o) >= id",
		"ctid IS NOT NULL AND tableoid = 't'::regclass AND id <= 10",
		"t IS NOT NULL AND id <= 10",
	} {
		t.Run(text, func(t *testing.T) {
			d := s.Diff(t, "public.t", "table_filter", text, "block_rows", "1000")
			if got := countsOf(d, 0); got != (counts{1, 0, 0}) || d.Result.TotalRows != 10 || d.Summary.TableFilter != text {
				t.Errorf("%d rows, %+v, want ten rows and one of them on the first node only", d.Result.TotalRows, got)
			}
		})
	}
}

// The filter selects keys in the first pass. The rows are then read by key, without the
// filter.
func TestTableFilter_AppliesOnlyToTheFirstPass(t *testing.T) {
	t.Parallel()
	filtered := func(filter string) []string { return []string{"table_filter", filter} }
	plain := []string{`CREATE TABLE t (id int PRIMARY KEY, v text, w int)`, `INSERT INTO t SELECT i, 'v', i FROM generate_series(1, 3000) i`}
	checkShapes(t, []shape{
		{name: "a row the filter sees on one node is different, not missing", all: plain, n2: []string{`UPDATE t SET w = -1 WHERE id = 8`},
			args: filtered("w BETWEEN 1 AND 100"), total: 100, found: counts{0, 0, 1}},
		{name: "the same on the other node", all: plain, n1: []string{`UPDATE t SET w = -1 WHERE id = 8`},
			args: filtered("w BETWEEN 1 AND 100"), total: 100, found: counts{0, 0, 1}},
		{name: "a row the filter sees on no node is not looked at", all: plain, n2: []string{`UPDATE t SET v = 'w' WHERE id = 2000`},
			args: filtered("w <= 100"), total: 100},
		{name: "equal rows that only one node's filter sees are resolved", all: append([]string{
			`CREATE TABLE allowed (id int); INSERT INTO allowed SELECT generate_series(1, 100)`}, plain...),
			n2: []string{`DELETE FROM allowed WHERE id <= 5`}, args: filtered("id IN (SELECT id FROM allowed)"), total: 100},
		{name: "nothing is selected", all: plain, n2: []string{`DELETE FROM t`}, args: filtered("false")},
		{name: "nothing is selected on one node", all: plain, n2: []string{`UPDATE t SET w = -w`}, args: filtered("w > 2990"), total: 10, found: counts{0, 0, 10}},
		{name: "NULL selects nothing", all: plain, n2: []string{`DELETE FROM t`}, args: filtered("NULL")},
		{name: "with rows missing on either side", all: plain, n1: []string{`DELETE FROM t WHERE id = 1`}, n2: []string{`DELETE FROM t WHERE id IN (2, 2500)`},
			args: filtered("id % 2 = 0 OR id = 1"), total: 1501, found: counts{2, 1, 0}},
		{name: "many rows, few of them selected and those unlike the statistics", all: []string{`CREATE TABLE t (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off)`,
			`INSERT INTO t SELECT i, 'v' FROM generate_series(1, 60000) i; ANALYZE t`},
			n2: []string{`UPDATE t SET v = 'w' WHERE id % 20000 = 0`}, args: filtered("id % 10000 = 0 AND v <> ''"), total: 6, found: counts{0, 0, 3}},
	})
}

func TestTableFilter_AppliesToPagesInPhysicalOrder(t *testing.T) {
	t.Parallel()
	const fill = `INSERT INTO t SELECT CASE i % 2 WHEN 0 THEN 'a' ELSE 'B' END || i, i FROM generate_series(1, 3000) i`
	made := func(collation string) []string {
		return []string{`CREATE TABLE t (id text COLLATE ` + collation + ` PRIMARY KEY, w int)`, fill}
	}
	here, there := made(`"C"`), made(`"und-x-icu"`)
	scattered := []string{`CREATE TABLE t (id uuid PRIMARY KEY, w int, filler text) WITH (autovacuum_enabled = off)`,
		`INSERT INTO t SELECT md5(i::text)::uuid, i, repeat('f', 120) FROM generate_series(1, 60000) i; ANALYZE t`}
	checkShapes(t, []shape{
		{name: "a row the filter sees on one node is different", n1: here, n2: append(there, `UPDATE t SET w = -1 WHERE id = 'a8'`),
			args: []string{"table_filter", "w > 0 AND w <= 100"}, total: 100, found: counts{0, 0, 1}, warning: "ordered by its text"},
		{name: "nothing is selected", n1: here, n2: append(there, `DELETE FROM t`), args: []string{"table_filter", "false"}, warning: "ordered by its text"},
		{name: "only one node has what is selected", n1: here, n2: append(there, `DELETE FROM t WHERE w <= 100`),
			args: []string{"table_filter", "t.w <= 100 -- only these"}, total: 100, found: counts{100, 0, 0}, warning: "ordered by its text"},
		{name: "scattered keys", all: scattered, n2: []string{`UPDATE t SET w = -w WHERE w % 20000 = 0`, `DELETE FROM t WHERE w = 77`},
			args: []string{"table_filter", "public.t.w > 0"}, total: 60000, found: counts{1, 0, 3}},
	})
}
