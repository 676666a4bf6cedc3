//go:build !unit

package app_test

import (
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
)

func TestTableDiff_TablesThatCannotBeComparedFailWithAReason(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	reader := readOnlyRole(t, c)
	s := apptest.New(t, reader, apptest.Options{})
	const plain = `CREATE TABLE t (id int PRIMARY KEY, v text, w text)`
	grant := `GRANT ALL ON ALL TABLES IN SCHEMA public TO ` + reader.User
	for _, test := range []struct {
		name   string
		n1, n2 []string
		want   []string // parts of the error
	}{
		{"missing everywhere", nil, nil, []string{"public.t", "does not exist"}},
		{"missing on one node", []string{plain, grant}, nil, []string{`"n2"`, "public.t", "does not exist"}},
		{"a view", []string{plain, grant}, []string{`CREATE VIEW t AS SELECT 1 AS id, 'v' AS v, 'w' AS w`, grant}, []string{`"n2"`, "is a view"}},
		{"a materialized view", []string{`CREATE MATERIALIZED VIEW t AS SELECT 1 AS id`, grant}, []string{plain, grant}, []string{`"n1"`, "is a materialized view"}},
		{"a sequence", []string{plain, grant}, []string{`CREATE SEQUENCE t`}, []string{`"n2"`, "is a sequence"}},
		{"a composite type", []string{plain, grant}, []string{`CREATE TYPE t AS (id int)`}, []string{`"n2"`, "is a composite type"}},
		{"a foreign table", []string{plain, grant}, []string{`CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
			CREATE FOREIGN TABLE t (id int, v text, w text) SERVER nowhere`, grant}, []string{`"n2"`, "is a foreign table"}},
		{"a column more", []string{plain, grant}, []string{plain, `ALTER TABLE t ADD "New One" int`, grant}, []string{"columns differ", `"n2" has "New One"`, `"n1" does not`}},
		{"a column renamed", []string{plain, grant}, []string{plain, `ALTER TABLE t RENAME v TO u`, grant},
			[]string{`"n1" has "v"`, `"n2" has "u"`}},
		{"another key", []string{plain, grant}, []string{`CREATE TABLE t (id int, v text, w text, PRIMARY KEY (v))`, grant}, []string{"no primary key or unique index", "(id)", "(v)", `"n1"`, `"n2"`}},
		{"no key", []string{plain, grant}, []string{`CREATE TABLE t (id int, v text, w text)`, grant}, []string{`"n2"`, "no primary key"}},
		{"no SELECT on the table", []string{plain, grant}, []string{plain}, []string{`"n2"`, reader.User, "GRANT SELECT"}},
		{"no SELECT on one column", []string{plain, grant}, []string{plain, `GRANT SELECT (id, v) ON t TO ` + reader.User}, []string{`"n2"`, reader.User, "GRANT SELECT"}},
		{"no USAGE of the schema", []string{plain, grant, `REVOKE USAGE ON SCHEMA public FROM PUBLIC`}, []string{plain, grant},
			[]string{`"n1"`, reader.User, `GRANT USAGE ON SCHEMA "public"`}},
		{"row level security", []string{plain, grant}, []string{plain, grant, `ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id > 5)`},
			[]string{`"n2"`, "row-level security"}},
		{"an ignored column that is not there", []string{plain, grant}, []string{plain, grant}, []string{"ignore_columns", `"nothing"`, `"id", "v", "w"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.ExecAll(t, `DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC; DROP FOREIGN DATA WRAPPER IF EXISTS nowhere CASCADE`)
			c.Exec(t, 0, test.n1...)
			c.Exec(t, 1, test.n2...)
			var args []string
			if strings.Contains(test.name, "ignored") {
				args = []string{"ignore_columns", "nothing"}
			}
			message := s.Fail(t, "public.t", args...)
			for _, want := range test.want {
				if !strings.Contains(message, want) {
					t.Errorf("the error is %q, want it to say %s", message, want)
				}
			}
		})
	}
}

func TestTableDiff_SelectOnEveryColumnIsEnough(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	reader := readOnlyRole(t, c)
	s := apptest.New(t, reader, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 2000) i; GRANT SELECT (id, v) ON t TO `+reader.User)
	c.Exec(t, 0, `UPDATE t SET v = 'w' WHERE id = 1999`)
	if d := s.Diff(t, "public.t", "block_rows", "1000"); countsOf(d, 0) != (counts{0, 0, 1}) {
		t.Errorf("found %+v, want one row that differs", countsOf(d, 0))
	}
}
