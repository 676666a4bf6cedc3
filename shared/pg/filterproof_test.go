//go:build !unit

package pg

import (
	"fmt"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
)

func TestProveFilter_AcceptsFiltersThatDependOnlyOnTheRow(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		t.Run(fmt.Sprint("major ", major), func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Nodes(1), pgtest.Majors(major))
			c.Exec(t, 0, `CREATE TYPE mood AS ENUM ('a', 'b')`, `CREATE FUNCTION mine(int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 > 0'`,
				`CREATE TABLE t (id int PRIMARY KEY, v text, c varchar(9), n numeric(9,2), d date, at timestamptz, day timestamp, ok boolean, u uuid, a int[], m mood, "Odd ""name" int, now int)`,
				`CREATE INDEX ON t (v)`, `INSERT INTO t (id) SELECT generate_series(1, 100)`)
			n := nodeOf(t, c, 0)
			d := describeTable(t, n, "t")
			s := sourceOf(d, "t")
			columns := make([]string, len(d.Columns))
			for i, column := range d.Columns {
				columns[i] = column.Name
			}
			for filter, proven := range map[string]bool{
				`id > 10`: true, `id = 10`: true, `id BETWEEN 1 AND 10 AND NOT ok`: true, `v = 'x'`: true, `v LIKE 'x%' OR v ILIKE '_y'`: true, `c = 'it''s \'`: true,
				`c IN ('a', 'b')`: true, `id IN (1, 2, 3)`: true, `id <> ALL ('{1,2}'::int[])`: true, `n * 2 >= 10.5 AND n IS NOT NULL`: true, `at >= '2020-01-01'`: true,
				`d < date '2020-01-01'`: true, `day + interval '1 day' > '2020-01-01'`: true, `ok`: true, `ok IS NOT TRUE`: true, `u = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`: true,
				`"Odd ""name" <= 5`: true, `t."Odd ""name" <= 5`: true, `now > 3`: true, `v || c <> 'ab'`: true, `v ~ '^a' AND v !~* E'\\d'`: true, `id::text = '5'`: true, `1 = 1`: true,
				`id IS DISTINCT FROM 4`: true, `CASE WHEN id > 4 THEN ok ELSE false END`: true, `coalesce(v, 'x') = 'x'`: true, `id % 7 = -3`: true, `a = '{1,2}'`: true, `id = ANY (a)`: true,

				`at > now()`: false, `at > current_timestamp - interval '1 day'`: false, `d = current_date`: false, `random() < 0.5`: false, `id IN (SELECT id FROM t)`: false,
				`EXISTS (SELECT 1 FROM t o WHERE o.id = t.id + 1)`: false, `id = (SELECT max(id) FROM t)`: false, `mine(id)`: false, `length(v) > 3`: false, `v::date > '2020-01-01'`: false,
				`v::timestamptz > '2020-01-01'`: false, `m = 'a'`: false, `t::text LIKE '%a%'`: false, `xmin::text = '5'`: false, `tableoid = 't'::regclass`: false,
				`current_user = v`: false, `v = session_user`: false, `at::date = '2020-01-01'`: false, `a @> '{1}'`: false, `v COLLATE "C" < 'x'`: false, `false`: false, `ctid > '(0,5)'`: false,
				`v = E'a\'' AND mine(id) AND v <> 'x'`: false, `v <> $$'$$ AND mine(id) AND v <> $$'$$`: false, `v <> 'a' /* ' */ AND mine(id) AND v <> 'x'`: false,
				"v <> 'a' -- '\nAND mine(id) AND v <> 'x'": false, `"Odd ""name" > 0 AND mine (id)`: false,
			} {
				s.Filter = filter
				shown, doubt, err := n.ProveFilter(t.Context(), s, columns)
				if err != nil || (doubt == "") != proven {
					t.Errorf("%s is shown as %q, doubt %q, error %v; proven should be %v", filter, shown, doubt, err, proven)
				}
			}
			c.Exec(t, 0, `CREATE FUNCTION same(int, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN now() > ''2020-01-01''; END'`, `CREATE OPERATOR = (LEFTARG = int, RIGHTARG = text, FUNCTION = same)`)
			s.Filter = `id = v`
			if shown, doubt, err := n.ProveFilter(t.Context(), s, columns); err != nil || !strings.Contains(doubt, "operator =") {
				t.Errorf("with an operator of its own %q, doubt %q, error %v", shown, doubt, err)
			}
		})
	}
}

// The plan shows the date that 'today' means now. Tomorrow it is another date.
func TestProveFilter_ShowsEvaluatedConstants(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, d date)`)
	n := nodeOf(t, c, 0)
	s := sourceOf(describeTable(t, n, "t"), "t")
	s.Filter = `d > 'today'`
	shown, doubt, err := n.ProveFilter(t.Context(), s, []string{"id", "d"})
	if err != nil || doubt != "" || strings.Contains(shown, "today") || !strings.Contains(shown, "::date") {
		t.Errorf("shown as %q, doubt %q, error %v", shown, doubt, err)
	}
}

func FuzzDoubtOf(f *testing.F) {
	for _, seed := range []string{`(id > 10)`, `(v = 'it''s'::text) AND (NOT ok)`, `(id = ANY ('{1,2}'::integer[]))`, `now()`, `(hashed SubPlan 1)`, `"A" <> E'\\x'::text`, `id = $0`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		if doubt := findDoubt(filter, []string{"id", "v", "ok", "A"}); doubt == "" && strings.ContainsAny(strings.ReplaceAll(filter, "'", ""), "$;") && !strings.Contains(filter, "'") {
			t.Errorf("%q is believed", filter)
		}
	})
}
